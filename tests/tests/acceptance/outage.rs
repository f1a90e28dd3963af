//! Servers that are down for a while, or for longer than the run waits.

use std::time::Duration;

use acceptance::{Azurite, Harm, Plan, Proxy, Run, Running, S3Server, Tree, generate, read_tree, sha256};

use crate::crash::wait_for;
use crate::migration::{Home, Migration};

crate::cases! {
    a_destination_that_refuses_connections_is_waited_for needs ["rgw"],
    a_source_behind_a_firewall_is_waited_for needs ["azurite"],
    a_source_that_hangs_is_waited_for needs ["azurite"],
    a_destination_that_closes_the_account_is_waited_for needs ["rgw"],
    what_is_down_for_too_long_ends_the_run needs ["rgw"],
    a_comparison_waits_too needs ["rgw"],
    a_comparison_ends_in_time needs ["rgw"],
}

const OBJECTS: usize = 200;
const FLAGS: &[&str] = &["--concurrency", "8"];
/// How long a server is down: longer than requests are tried again by themselves, also when each is waited for.
const DOWN: Duration = Duration::from_secs(5);
const HANGING: Duration = Duration::from_secs(14);

/// Nothing failed, everything arrived, and the report tells one outage of that end.
#[track_caller]
fn outlasted(done: &Migration, end: &str, tree: &Tree) {
    assert_eq!((done.count("verified"), done.count("failed")), (tree.len() as u64, 0), "{}", done.run);
    assert_eq!(done.digests(), *tree);
    let told = &done.report["endpoints"][end];
    assert!(told["outages"].as_u64().unwrap() >= 1, "{told}");
    assert!(told["outage_seconds"].as_f64().unwrap() > 1.0, "{told}");
    done.run.says(&format!("The {end} was down "));
    done.run.says("does not answer since");
    done.run.says("answers again, after");
}

/// A bucket on RGW that is filled from a folder, through a proxy.
struct Filling {
    rgw: S3Server,
    bucket: String,
    proxy: Proxy,
    home: Home,
    tree: Tree,
}

impl Filling {
    fn new() -> Self {
        let rgw = acceptance::rgw().unwrap();
        let bucket = rgw.bucket("outage");
        let proxy = Proxy::start(&rgw.raw.endpoint, Plan::always(Harm::Delay, ""));
        let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
        let tree = generate(&home.path("in"), OBJECTS, 51);
        Self { rgw, bucket, proxy, home, tree }
    }

    fn to(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    /// In the middle of a run.
    fn start(&self, flags: &[&str]) -> Running {
        let mut running = self.home.start(&self.home.text("in"), &self.to(), &[FLAGS, flags].concat());
        wait_for(&mut running, || self.rgw.raw.keys(&self.bucket).len() >= 20);
        running
    }

    #[track_caller]
    fn all_there(&self) {
        for (name, digest) in &self.tree {
            let content = self.rgw.raw.get(&self.bucket, name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(sha256(&content), *digest, "{name}");
        }
    }
}

fn a_destination_that_refuses_connections_is_waited_for() {
    let filling = Filling::new();
    let running = filling.start(&[]);
    filling.proxy.go_down();
    std::thread::sleep(DOWN);
    filling.proxy.come_up();
    let done = filling.home.finished(running.wait()).expect(0);
    outlasted(&done, "destination", &filling.tree);
    filling.all_there();
    filling.rgw.raw.remove_bucket(&filling.bucket);
}

fn a_destination_that_closes_the_account_is_waited_for() {
    let filling = Filling::new();
    let running = filling.start(&[]);
    filling.proxy.set(Plan::always(Harm::Firewall, ""));
    std::thread::sleep(DOWN);
    filling.proxy.set(Plan::calm());
    let done = filling.home.finished(running.wait()).expect(0);
    outlasted(&done, "destination", &filling.tree);
    filling.all_there();
    filling.rgw.raw.remove_bucket(&filling.bucket);
}

fn what_is_down_for_too_long_ends_the_run() {
    let filling = Filling::new();
    let running = filling.start(&["--max-outage", "3s"]);
    filling.proxy.go_down();
    let done = filling.home.finished(running.wait()).expect(1);
    assert_eq!(done.count("failed"), 0, "{}", done.run);
    assert!(done.count("verified") > 0 && done.count("unfinished") > 0, "{}", done.run);
    let stopped = done.report["stopped"].as_str().unwrap();
    assert!(stopped.contains("did not answer for 3 s, the longest time to wait"), "{stopped}");
    assert!(stopped.contains("when it answers again, run the same command"), "{stopped}");
    let next = done.report["next"].to_string();
    assert!(next.contains("to go on") && next.contains("cabotage migrate"), "{next}");
    filling.proxy.come_up();
    let rest = filling.home.migrate(&filling.home.text("in"), &filling.to(), FLAGS).expect(0);
    let all = rest.count("verified") + rest.count("skipped");
    assert_eq!((all, rest.count("conflicts")), (OBJECTS as u64, 0), "{}", rest.run);
    assert!(rest.count("skipped") >= done.count("verified"), "what was done is not done again: {}", rest.run);
    filling.all_there();
    filling.rgw.raw.remove_bucket(&filling.bucket);
}

/// A container that is emptied into a folder, through a proxy.
struct Draining {
    azurite: Azurite,
    container: String,
    proxy: Proxy,
    home: Home,
    tree: Tree,
}

impl Draining {
    fn new() -> Self {
        let azurite = acceptance::azurite().unwrap();
        let container = azurite.container("outage");
        let direct = Home::with_azurite(&azurite);
        let tree = generate(&direct.path("in"), OBJECTS, 52);
        direct.migrate(&direct.text("in"), &format!("az://{container}"), FLAGS).expect(0);
        let proxy = Proxy::start(&azurite.raw.endpoint, Plan::always(Harm::Delay, ""));
        let home = Home::new().variable("ACCOUNT_KEY", &azurite.raw.key);
        // A request that hangs is given up soon.
        let config = format!(
            "[stores.old]\nkind = \"azure\"\naccount = \"{}\"\nendpoint = \"{}\"\nrequest_timeout = \"1s\"\n\
             credentials = {{ account_key = {{ env = \"ACCOUNT_KEY\" }} }}\n",
            azurite.raw.account,
            proxy.url()
        );
        std::fs::write(home.path("config.toml"), config).unwrap();
        Self { azurite, container, proxy, home, tree }
    }

    /// In mid-run the proxy follows that plan, for a while.
    fn run(&self, trouble: Plan, time: Duration) -> Run {
        let (from, to) = (format!("old:{}", self.container), self.home.text("out"));
        let config = self.home.text("config.toml");
        let mut running = self.home.start(&from, &to, &[FLAGS, &["--config", &config]].concat());
        wait_for(&mut running, || self.proxy.done(Harm::Delay) >= 40);
        self.proxy.set(trouble);
        std::thread::sleep(time);
        self.proxy.set(Plan::calm());
        running.wait()
    }

    fn outlast(self, trouble: Plan, time: Duration) {
        let done = self.home.finished(self.run(trouble, time)).expect(0);
        outlasted(&done, "source", &self.tree);
        assert_eq!(read_tree(&self.home.path("out")), self.tree);
        self.azurite.raw.remove_container(&self.container);
    }
}

fn a_source_behind_a_firewall_is_waited_for() {
    Draining::new().outlast(Plan::always(Harm::Firewall, ""), DOWN);
}

fn a_source_that_hangs_is_waited_for() {
    Draining::new().outlast(Plan::always(Harm::Hang, ""), HANGING);
}

/// A folder and a bucket that are equal; the proxy delays each request.
fn filled() -> Filling {
    let filling = Filling::new();
    filling.proxy.set(Plan::calm());
    filling.home.migrate(&filling.home.text("in"), &filling.to(), FLAGS).expect(0);
    filling.proxy.set(Plan::always(Harm::Delay, ""));
    filling
}

impl Filling {
    fn verify(&self, flags: &[&str]) -> Running {
        let _ = std::fs::remove_file(self.home.path("compared.json"));
        let command = self.home.command("verify").arg(self.home.path("in")).arg(self.to());
        let command = command.args(["--destination-content", "read"]).args(FLAGS).args(flags);
        command.arg("--report").arg(self.home.path("compared.json")).spawn()
    }

    fn compared(&self, run: Run, code: i32) -> (Run, serde_json::Value) {
        let run = run.expect(code);
        let report = std::fs::read_to_string(self.home.path("compared.json")).unwrap();
        (run, serde_json::from_str(&report).unwrap())
    }
}

fn a_comparison_waits_too() {
    let filling = filled();
    for (flags, code) in [(&["--max-outage", "10m"], 0), (&["--max-outage", "2s"], 1)] {
        filling.proxy.set(Plan::always(Harm::Delay, ""));
        let mut running = filling.verify(flags);
        wait_for(&mut running, || filling.proxy.done(Harm::Delay) >= 40);
        filling.proxy.go_down();
        if code == 0 {
            std::thread::sleep(DOWN);
            filling.proxy.come_up();
        }
        let (run, report) = filling.compared(running.wait(), code);
        let objects = &report["objects"];
        assert_eq!((&objects["different"], &objects["not_proven"]), (&0.into(), &0.into()), "{run}");
        assert_eq!(report["endpoints"]["destination"]["outages"], 1, "{run}");
        run.says("does not answer since");
        if code == 0 {
            assert_eq!(objects["proven"], OBJECTS, "{run}");
        } else {
            run.says("did not answer for 2 s, the longest time to wait");
            assert!(report["next"].to_string().contains("to compare all of it: cabotage verify"), "{run}");
        }
    }
    filling.rgw.raw.remove_bucket(&filling.bucket);
}

fn a_comparison_ends_in_time() {
    let filling = filled();
    let (run, report) = filling.compared(filling.verify(&["--stop-after", "2s"]).wait(), 10);
    let proven = report["objects"]["proven"].as_u64().unwrap();
    assert!(proven < OBJECTS as u64 && report["objects"]["not_proven"] == 0, "{run}");
    assert!(report["next"].to_string().contains("to compare all of it: cabotage verify"), "{run}");
    // While an end is waited for, too.
    filling.proxy.set(Plan::always(Harm::Delay, ""));
    let mut running = filling.verify(&["--stop-after", "6s"]);
    wait_for(&mut running, || filling.proxy.done(Harm::Delay) >= 40);
    filling.proxy.go_down();
    let (run, report) = filling.compared(running.wait(), 10);
    assert_eq!(report["objects"]["not_proven"], 0, "{run}");
    filling.rgw.raw.remove_bucket(&filling.bucket);
}
