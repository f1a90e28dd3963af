//! Credentials that expire or are replaced while a run goes on.

use std::time::Duration;

use acceptance::{Azurite, Harm, Plan, Proxy, RawS3, Run, Running, Tree, generate, random_name};
use jiff::Timestamp;

use crate::crash::wait_for;
use crate::migration::{Home, Migration};

crate::cases! {
    an_s3_key_is_replaced_in_mid_run needs ["rgw", "rgw-admin"],
    a_key_without_a_successor_is_waited_for needs ["rgw", "rgw-admin"],
    s3_keys_in_files_are_replaced_in_mid_run needs ["rgw", "rgw-admin"],
    a_signature_expires_and_its_file_holds_another needs ["azurite"],
    a_new_signature_that_comes_late_is_waited_for needs ["azurite"],
    a_signature_that_nobody_replaces_ends_the_run needs ["azurite"],
    a_signature_of_the_environment_ends_the_run_at_once needs ["azurite"],
    wrong_keys_end_the_run_before_it_begins needs ["rgw"],
}

const FLAGS: &[&str] = &["--concurrency", "4"];
const OBJECTS: usize = 250;
/// For so many seconds a signature holds: long enough to begin, too short to end.
const SHORT: i64 = 5;

/// Each request takes a while, so that a run lasts longer than a signature.
fn slow(endpoint: &str) -> Proxy {
    Proxy::start(endpoint, Plan::always(Harm::Delay, ""))
}

fn write_whole(home: &Home, name: &str, content: &str) {
    let (made, path) = (home.path("new file"), home.path(name));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&made, content).unwrap();
    std::fs::rename(made, path).unwrap();
}

#[track_caller]
fn outlived(home: &Home, run: Run, end: &str, tree: &Tree) -> Migration {
    let done = home.finished(run).expect(0);
    assert_eq!(done.count("verified"), tree.len() as u64, "{}", done.run);
    assert_eq!(done.digests(), *tree);
    let renewals = &done.report["endpoints"][end]["traffic"]["renewals"];
    assert_eq!(renewals, 1, "once for all requests that were refused: {}", done.run);
    done
}

/// A user of RGW whose first key is replaced by its second.
struct Keys {
    user: String,
    bucket: String,
    first: RawS3,
    second: RawS3,
}

impl Keys {
    fn new() -> Self {
        let rgw = acceptance::rgw().unwrap();
        let user = random_name("rotating");
        let key = |number: u32| RawS3 {
            access_key: format!("{user}-key{number}"),
            secret_key: format!("{user}-secret{number}"),
            ..rgw.raw.clone()
        };
        let (first, second) = (key(1), key(2));
        let new = ["user", "create", "--uid", &user, "--display-name", &user];
        let keys = ["--access-key", &first.access_key, "--secret-key", &first.secret_key];
        acceptance::rgw_admin().unwrap().run(&[&new[..], &keys].concat());
        let bucket = random_name("rotate");
        first.create_bucket(&bucket);
        Self { user, bucket, first, second }
    }

    /// The second key is made, told by `tell`, and the first no longer holds.
    fn replace(&self, tell: impl Fn(&RawS3)) {
        let admin = acceptance::rgw_admin().unwrap();
        let keys = ["--access-key", &self.second.access_key, "--secret-key", &self.second.secret_key];
        admin.run(&[&["key", "create", "--uid", &self.user, "--key-type", "s3"], &keys[..]].concat());
        tell(&self.second);
        let first = ["--access-key", &self.first.access_key];
        admin.run(&[&["key", "rm", "--uid", &self.user, "--key-type", "s3"], &first[..]].concat());
    }

    fn remove(&self) {
        self.second.remove_bucket(&self.bucket);
        acceptance::rgw_admin().unwrap().run(&["user", "rm", "--uid", &self.user]);
    }

    fn arrived(&self, running: &mut Running, raw: &RawS3) {
        wait_for(running, || raw.keys(&self.bucket).len() >= 10);
        assert!(!running.has_ended(), "the run was over before the key was replaced");
    }
}

fn profile(raw: &RawS3) -> String {
    format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", raw.access_key, raw.secret_key)
}

/// The keys of a profile, in `~/.aws/credentials`.
fn an_s3_key_is_replaced_in_mid_run() {
    let keys = Keys::new();
    let proxy = slow(&keys.first.endpoint);
    let home = Home::new().variable("AWS_ENDPOINT_URL_S3", proxy.url()).variable("AWS_REGION", "us-east-1");
    write_whole(&home, ".aws/credentials", &profile(&keys.first));
    let tree = generate(&home.path("in"), OBJECTS, 41);
    let mut running = home.start(&home.text("in"), &format!("s3://{}", keys.bucket), FLAGS);
    keys.arrived(&mut running, &keys.first);
    keys.replace(|second| write_whole(&home, ".aws/credentials", &profile(second)));
    outlived(&home, running.wait(), "destination", &tree);
    keys.remove();
}

/// Ceph may call a withdrawn key a missing right: it is one for all.
fn a_key_without_a_successor_is_waited_for() {
    let keys = Keys::new();
    let proxy = slow(&keys.first.endpoint);
    let home = Home::new().variable("AWS_ENDPOINT_URL_S3", proxy.url()).variable("AWS_REGION", "us-east-1");
    write_whole(&home, ".aws/credentials", &profile(&keys.first));
    let tree = generate(&home.path("in"), OBJECTS, 43);
    let mut running = home.start(&home.text("in"), &format!("s3://{}", keys.bucket), FLAGS);
    keys.arrived(&mut running, &keys.first);
    keys.replace(|_| {});
    std::thread::sleep(Duration::from_secs(4));
    assert!(!running.has_ended(), "it did not wait");
    write_whole(&home, ".aws/credentials", &profile(&keys.second));
    let done = outlived(&home, running.wait(), "destination", &tree);
    assert_eq!(done.report["endpoints"]["destination"]["outages"], 1, "{}", done.run);
    keys.remove();
}

/// Id and secret each in a file of its own, which can't be replaced at the same moment.
fn s3_keys_in_files_are_replaced_in_mid_run() {
    let keys = Keys::new();
    let proxy = slow(&keys.first.endpoint);
    let home = Home::new();
    let config = format!(
        "[stores.target]\nkind = \"s3\"\nprovider = \"ceph\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         credentials = {{ access_key_id = {{ file = \"id\" }}, secret_access_key = {{ file = \"secret\" }} }}\n",
        proxy.url()
    );
    std::fs::write(home.path("config.toml"), config).unwrap();
    let tell = |raw: &RawS3| {
        write_whole(&home, "id", &raw.access_key);
        std::thread::sleep(Duration::from_millis(50));
        write_whole(&home, "secret", &raw.secret_key);
    };
    tell(&keys.first);
    let tree = generate(&home.path("in"), OBJECTS, 42);
    let config = home.text("config.toml");
    let flags = [FLAGS, &["--config", &config]].concat();
    let mut running = home.start(&home.text("in"), &format!("target:{}", keys.bucket), &flags);
    keys.arrived(&mut running, &keys.first);
    keys.replace(tell);
    outlived(&home, running.wait(), "destination", &tree);
    keys.remove();
}

/// Objects in Azurite, reached through a slow proxy with a signature from a file.
struct Signed {
    azurite: Azurite,
    container: String,
    home: Home,
    tree: Tree,
    proxy: Proxy,
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap()
}

impl Signed {
    fn new() -> Self {
        let azurite = acceptance::azurite().unwrap();
        let container = azurite.container("signed");
        let direct = Home::with_azurite(&azurite);
        let tree = generate(&direct.path("in"), OBJECTS, 43);
        direct.migrate(&direct.text("in"), &format!("az://{container}"), &[]).expect(0);
        let proxy = slow(&azurite.raw.endpoint);
        let home =
            Home::new().variable("AZURE_STORAGE_CONNECTION_STRING", &format!("BlobEndpoint={}", proxy.url()));
        let config = format!(
            "[stores.old]\nkind = \"azure\"\naccount = \"{}\"\nendpoint = \"{}\"\n\
             credentials = {{ sas_token = {{ file = \"sas\" }} }}\n",
            azurite.raw.account,
            proxy.url()
        );
        std::fs::write(home.path("config.toml"), config).unwrap();
        Self { azurite, container, home, tree, proxy }
    }

    /// The file holds a signature that expires in so many seconds.
    fn sign(&self, seconds: i64) {
        write_whole(&self.home, "sas", &self.azurite.raw.sas(in_seconds(seconds)));
    }

    fn places(&self) -> (String, String, String) {
        (format!("old:{}", self.container), self.home.text("out"), self.home.text("config.toml"))
    }

    fn start(&self, flags: &[&str]) -> Running {
        let (from, to, config) = self.places();
        let mut running = self.home.start(&from, &to, &[FLAGS, &["--config", &config], flags].concat());
        wait_for(&mut running, || self.home.path("out").exists());
        running
    }

    fn again(&self) -> Migration {
        let (from, to, config) = self.places();
        self.home.migrate(&from, &to, &["--config", &config]).expect(0)
    }

    fn remove(&self) {
        self.azurite.raw.remove_container(&self.container);
    }
}

fn a_signature_expires_and_its_file_holds_another() {
    let signed = Signed::new();
    signed.sign(SHORT);
    let running = signed.start(&[]);
    signed.sign(3_600);
    let done = outlived(&signed.home, running.wait(), "source", &signed.tree);
    assert_eq!(done.report["endpoints"]["source"]["outages"], 0, "{}", done.run);
    signed.remove();
}

fn a_new_signature_that_comes_late_is_waited_for() {
    let signed = Signed::new();
    signed.sign(SHORT);
    let running = signed.start(&[]);
    std::thread::sleep(Duration::from_secs(SHORT.unsigned_abs() + 10));
    signed.sign(3_600);
    let done = outlived(&signed.home, running.wait(), "source", &signed.tree);
    done.run.says("no longer takes the credentials since");
    done.run.says("put new ones where they come from, or Ctrl-C ends");
    assert_eq!(done.report["endpoints"]["source"]["outages"], 1, "{}", done.run);
    signed.remove();
}

/// What is done stays done, nothing has failed, and one line says what to do.
#[track_caller]
fn ended_for_want_of_credentials(done: &Migration, all: usize, says: &[&str]) {
    assert_eq!((done.count("failed"), done.count("refused")), (0, 0), "{}", done.run);
    assert!(done.count("verified") < all as u64, "{}", done.run);
    let stopped = done.report["stopped"].as_str().unwrap();
    for text in says {
        assert!(stopped.contains(text), "{text} is not in: {stopped}");
    }
    assert!(done.report["next"].to_string().contains("to go on"), "{:#}", done.report);
}

fn a_signature_that_nobody_replaces_ends_the_run() {
    let signed = Signed::new();
    signed.sign(SHORT);
    let running = signed.start(&["--max-outage", "3s"]);
    let done = signed.home.finished(running.wait()).expect(1);
    ended_for_want_of_credentials(
        &done,
        signed.tree.len(),
        &[
            "did not take the credentials for 3 s",
            "put new ones where they come from, then run the same command",
        ],
    );
    signed.sign(3_600);
    let done = signed.again();
    assert_eq!(done.count("verified") + done.count("skipped"), signed.tree.len() as u64, "{}", done.run);
    signed.remove();
}

fn a_signature_of_the_environment_ends_the_run_at_once() {
    let mut signed = Signed::new();
    let text = |signed: &Signed, seconds| {
        let (endpoint, sas) = (signed.proxy.url(), signed.azurite.raw.sas(in_seconds(seconds)));
        format!("BlobEndpoint={endpoint};SharedAccessSignature={sas}")
    };
    let variable = "AZURE_STORAGE_CONNECTION_STRING";
    let short = text(&signed, SHORT);
    signed.home = signed.home.variable(variable, &short);
    let (from, to) = (format!("az://{}", signed.container), signed.home.text("out"));
    let done = signed.home.migrate(&from, &to, FLAGS).expect(1);
    ended_for_want_of_credentials(&done, signed.tree.len(), &["start again with new ones"]);
    assert_eq!(done.report["endpoints"]["source"]["outages"], 0, "{}", done.run);
    let long = text(&signed, 3_600);
    signed.home = signed.home.variable(variable, &long);
    let done = signed.home.migrate(&from, &to, &[]).expect(0);
    assert_eq!(done.count("verified") + done.count("skipped"), signed.tree.len() as u64, "{}", done.run);
    signed.remove();
}

/// What never worked is no expiry: nothing is waited for.
fn wrong_keys_end_the_run_before_it_begins() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("wrong");
    let home = Home::with_s3(&rgw).variable("AWS_SECRET_ACCESS_KEY", "another");
    generate(&home.path("in"), 3, 44);
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), &[]).expect(1);
    done.run.says("check the secret key");
    assert!(!done.run.all().contains("waiting"), "{}", done.run);
    rgw.raw.remove_bucket(&bucket);
}
