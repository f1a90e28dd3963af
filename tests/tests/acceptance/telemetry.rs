//! A run that is watched from outside.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::Duration;

use acceptance::{Harm, Plan, Proxy, Running, generate, send_to_url};

use crate::bad_input::one_line;
use crate::migration::Home;

crate::cases! {
    metrics_tell_what_the_report_tells needs ["rgw"],
    a_comparison_is_watched_too needs [],
    metrics_are_for_this_machine_alone needs [],
    an_address_in_use_is_told_before_the_run needs [],
    the_service_manager_is_told needs [],
    the_service_manager_is_told_of_an_interruption needs [],
}

const SMALL: usize = 60;

/// Where the run serves its metrics.
fn url(running: &mut Running) -> String {
    let line = running.line_with("metrics are at http://");
    line.split_once("metrics are at ").unwrap().1.to_owned()
}

/// One reading, by name and labels as they stand in the text.
fn scrape(url: &str) -> Option<BTreeMap<String, f64>> {
    let reply = send_to_url("GET", url, &[], b"").ok()?;
    assert_eq!(reply.status, 200);
    assert!(reply.headers["content-type"].starts_with("text/plain; version=0.0.4"), "{:?}", reply.headers);
    let text = reply.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    Some(
        samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(k, v)| (k.to_owned(), v.parse().unwrap()))
            .collect(),
    )
}

/// The first reading that is as wanted.
fn scrape_until(url: &str, wanted: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
    loop {
        let reading = scrape(url).expect("the run goes on until it was seen");
        if wanted(&reading) {
            return reading;
        }
        sleep(Duration::from_millis(50));
    }
}

/// The sum of what a metric has with those texts in its labels.
fn sum(reading: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> f64 {
    let meant = |sample: &&String| {
        sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label))
    };
    reading.iter().filter(|(sample, _)| meant(sample)).map(|(_, value)| value).sum()
}

/// A large object takes its time under a limit; once all small ones are done, the figures stand still.
fn metrics_tell_what_the_report_tells() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("watched");
    let proxy = Proxy::start(&rgw.raw.endpoint, Plan::new(6, &[Harm::Throttle], 10, &bucket));
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
    let tree = generate(&home.path("in"), SMALL, 51);
    std::fs::write(home.path("in/zz-large"), vec![7; 12 << 20]).unwrap();
    let limits = ["--destination-bandwidth", "2MiB/s", "--metrics", "localhost:0"];
    let mut running = home.start(&home.text("in"), &format!("s3://{bucket}"), &limits);
    let url = url(&mut running);
    let verified = r#"cabotage_objects_total{class="verified"}"#;
    let seen = scrape_until(&url, |reading| reading[verified] == SMALL as f64);
    assert!(seen["cabotage_object_bytes_total{class=\"verified\"}"] > 0.0);
    assert_eq!(seen["cabotage_copied_objects_total"], SMALL as f64);
    assert_eq!(seen["cabotage_listed_objects_total"], SMALL as f64 + 1.0);
    assert!(seen["cabotage_memory_held_bytes"] > 0.0 && seen["cabotage_objects_at_work"] == 1.0, "{seen:?}");
    assert!(seen["cabotage_ledger_free_bytes"] > 0.0 && seen["cabotage_seconds_since_progress"] < 60.0);
    assert_eq!(seen["cabotage_endpoint_paused{end=\"destination\"}"], 0.0);
    let answered = |status: &str| sum(&seen, "cabotage_requests_total", &["end=\"destination\"", status]);
    let throttled = seen["cabotage_throttled_total{end=\"destination\"}"];
    assert_eq!(throttled, answered("status=\"429\"") + answered("status=\"503\""));
    assert!(throttled > 0.0, "{seen:?}");
    let writes = sum(&seen, "cabotage_requests_total", &["operation=\"write\"", "status=\"200\""]);
    assert!(writes >= SMALL as f64, "{seen:?}");
    let timed = sum(&seen, "cabotage_request_duration_seconds_count", &[]);
    assert_eq!(timed, sum(&seen, "cabotage_requests_total", &[]), "every request has its time");
    let infinite = sum(&seen, "cabotage_request_duration_seconds_bucket", &["le=\"+Inf\""]);
    assert_eq!(infinite, timed);
    for name in tree.keys().map(String::as_str).chain([bucket.as_str(), "zz-large"]) {
        assert!(!seen.keys().any(|sample| sample.contains(name)), "{name} is nobody's business");
    }
    let elsewhere = url.replace("/metrics", "/other");
    assert_eq!(send_to_url("GET", &elsewhere, &[], b"").unwrap().status, 404);
    assert_eq!(send_to_url("POST", &url, &[], b"").unwrap().status, 405);
    let done = home.finished(running.wait()).expect(0);
    assert_eq!(done.count("verified"), SMALL as u64 + 1);
    let told = &done.report["endpoints"]["destination"]["traffic"];
    assert_eq!(told["throttled"], proxy.done(Harm::Throttle));
    assert!(throttled <= told["throttled"].as_f64().unwrap());
    assert!(sum(&seen, "cabotage_requests_total", &[]) <= told["requests"].as_f64().unwrap());
    assert!(scrape(&url).is_none(), "who has ended serves nothing");
    rgw.raw.remove_bucket(&bucket);
}

fn a_comparison_is_watched_too() {
    let home = Home::new();
    generate(&home.path("in"), 5, 52);
    std::fs::write(home.path("in/zz-large"), vec![7; 6 << 20]).unwrap();
    let _ = home.migrate(&home.text("in"), &home.text("out"), &[]).expect(0);
    let slowly =
        ["--destination-content", "read", "--destination-bandwidth", "1MiB/s", "--metrics", "[::1]:0"];
    let command = home.command("verify").args([home.text("in"), home.text("out")]).args(slowly);
    let mut running = command.spawn();
    let url = url(&mut running);
    let seen =
        scrape_until(&url, |reading| sum(reading, "cabotage_compared_objects_total", &["proven"]) >= 5.0);
    assert_eq!(seen["cabotage_compared_objects_total{result=\"proven\"}"], 5.0);
    assert!(seen["cabotage_build_info{version=\"0.1.0\",verb=\"verify\"}"] == 1.0);
    let _ = running.wait().expect(0);
}

fn metrics_are_for_this_machine_alone() {
    let home = Home::new();
    generate(&home.path("in"), 1, 53);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9090"] {
        let run = home.migrate(&home.text("in"), &home.text("out"), &["--metrics", address]).run;
        one_line(&run, 2, &[address, "other machines", "--metrics-allow-remote"]);
    }
    for address in ["9090", "localhost", "127.0.0.1:99999"] {
        let run = home.migrate(&home.text("in"), &home.text("out"), &["--metrics", address]).run;
        one_line(&run, 2, &[address, "127.0.0.1:9090"]);
    }
    let run = home.migrate(&home.text("in"), &home.text("out"), &["--metrics-allow-remote"]).run;
    one_line(&run, 2, &["--metrics"]);
    assert!(!home.path("out").exists() && !home.path("state").exists(), "nothing was begun");
    let allowed = ["--metrics", "0.0.0.0:0", "--metrics-allow-remote"];
    home.migrate(&home.text("in"), &home.text("out"), &allowed).expect(0).run.says("http://0.0.0.0:");
}

fn an_address_in_use_is_told_before_the_run() {
    let home = Home::new();
    generate(&home.path("in"), 1, 54);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = home.migrate(&home.text("in"), &home.text("out"), &["--metrics", &address]).run;
    one_line(&run, 2, &[&address, "in use", "port 0"]);
    assert!(!home.path("out").exists() && !home.path("state").exists(), "nothing was begun");
}

/// A service manager's ear: what it is told, as it comes. The system keeps few messages that nobody has read.
fn manager(home: Home, watchdog: &str) -> (Home, Receiver<String>) {
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    });
    let place = home.text("notify");
    (home.variable("NOTIFY_SOCKET", &place).variable("WATCHDOG_USEC", watchdog), heard)
}

/// All that the manager is told up to the end.
fn told(heard: &Receiver<String>) -> Vec<String> {
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != "STOPPING=1") {
        told.push(heard.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no end: {told:?}")));
    }
    told
}

/// Begin, status, life, end: in that order, and each of begin and end once. A limit is a wait that is right.
fn the_service_manager_is_told() {
    let (home, heard) = manager(Home::new(), "200000");
    generate(&home.path("in"), 3, 55);
    std::fs::write(home.path("in/large"), vec![7; 1 << 20]).unwrap();
    let _ = home.migrate(&home.text("in"), &home.text("out"), &["--bandwidth", "1MiB/s"]).expect(0);
    let told = told(&heard);
    assert_eq!(told.first().map(String::as_str), Some("READY=1"), "{told:?}");
    let count = |text: &str| told.iter().filter(|line| *line == text).count();
    assert_eq!(count("READY=1"), 1, "{told:?}");
    assert!(!heard.try_iter().any(|line| line == "STOPPING=1"), "the end is told once");
    assert!(count("WATCHDOG=1") > 1, "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("STATUS=3 of 4")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("large")), "no names: {told:?}");
}

fn the_service_manager_is_told_of_an_interruption() {
    let (home, heard) = manager(Home::new(), "0");
    generate(&home.path("in"), 400, 56);
    let running = home.start(&home.text("in"), &home.text("out"), &["--bandwidth", "64KiB/s"]);
    assert_eq!(heard.recv().unwrap(), "READY=1");
    running.signal("TERM");
    let done = home.finished(running.wait()).expect(130);
    assert!(done.count("verified") < 400);
    let told = told(&heard);
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "it has no watchdog: {told:?}");
}
