//! Servers that ask to slow down: what the run does, and what its report tells.

use acceptance::{Harm, Plan, Proxy, generate, read_tree};
use serde_json::Value;

use crate::migration::{Home, Migration};

crate::cases! {
    a_busy_destination_gets_fewer_requests_at_once needs ["rgw"],
    a_busy_source_gets_fewer_requests_at_once needs ["azurite"],
    what_is_throttled_now_and_then_is_told needs ["rgw"],
}

const FLAGS: &[&str] = &["--concurrency", "16"];
/// How many requests at once a busy server takes.
const SEATS: usize = 4;

fn traffic<'a>(done: &'a Migration, end: &str) -> &'a Value {
    &done.report["endpoints"][end]["traffic"]
}

fn number(traffic: &Value, name: &str) -> u64 {
    traffic[name].as_u64().unwrap_or_else(|| panic!("no {name} in {traffic}"))
}

/// The report's figures are those of the proxy, and the run found out how many requests the server takes.
#[track_caller]
fn adapted(done: &Migration, end: &str, throttled: u64) {
    let told = traffic(done, end);
    assert_eq!(number(told, "throttled"), throttled, "{told}");
    assert!(number(told, "retries") >= throttled, "each was sent again: {told}");
    let lowest = number(told, "lowest_limit");
    assert!((1..=8).contains(&lowest), "from 16 at once for a server that takes {SEATS}: {told}");
    assert!(throttled > 0 && throttled * 4 < number(told, "requests"), "most requests are taken: {told}");
    done.run.says(&format!("The {end} asked to slow down {throttled} times in "));
    done.run.says(&format!("; requests at once went down to {lowest}."));
}

fn a_busy_destination_gets_fewer_requests_at_once() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("busy");
    let proxy = Proxy::start(&rgw.raw.endpoint, Plan::busy(SEATS));
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
    let tree = generate(&home.path("in"), 200, 31);
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), FLAGS).expect(0);
    assert_eq!(done.digests(), tree);
    adapted(&done, "destination", proxy.done(Harm::Throttle));
    assert_eq!(traffic(&done, "source"), &Value::Null, "a disk has no server");
    rgw.raw.remove_bucket(&bucket);
}

fn a_busy_source_gets_fewer_requests_at_once() {
    let azurite = acceptance::azurite().unwrap();
    let container = azurite.container("busy");
    let proxy = Proxy::start(&azurite.raw.endpoint, Plan::calm());
    let through = azurite.connection_string.replace(&azurite.raw.endpoint, proxy.url());
    let home = Home::with_azurite(&azurite).variable("AZURE_STORAGE_CONNECTION_STRING", &through);
    let tree = generate(&home.path("in"), 200, 32);
    let calm = home.migrate(&home.text("in"), &format!("az://{container}"), FLAGS).expect(0);
    let told = traffic(&calm, "destination");
    assert!(number(told, "requests") >= 200, "{told}");
    assert_eq!((number(told, "throttled"), &told["lowest_limit"]), (0, &Value::Null), "{told}");
    assert!(!calm.run.all().contains("slow down"), "{}", calm.run);
    proxy.set(Plan::busy(SEATS));
    let done = home.migrate(&format!("az://{container}"), &home.text("out"), FLAGS).expect(0);
    assert_eq!(read_tree(&home.path("out")), tree);
    adapted(&done, "source", proxy.done(Harm::Throttle));
    azurite.raw.remove_container(&container);
}

/// Some requests of many are answered 429 or 503 with a time to wait, however few are sent.
fn what_is_throttled_now_and_then_is_told() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("throttled");
    let proxy = Proxy::start(&rgw.raw.endpoint, Plan::new(6, &[Harm::Throttle], 5, &bucket));
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", proxy.url());
    let tree = generate(&home.path("in"), 200, 33);
    let done = home.migrate(&home.text("in"), &format!("s3://{bucket}"), FLAGS).expect(0);
    assert_eq!(done.count("verified"), tree.len() as u64, "{}", done.run);
    let told = traffic(&done, "destination");
    assert_eq!(number(told, "throttled"), proxy.done(Harm::Throttle), "{told}");
    assert!(number(told, "throttled") > 0 && number(told, "lowest_limit") < 16, "{told}");
    rgw.raw.remove_bucket(&bucket);
}
