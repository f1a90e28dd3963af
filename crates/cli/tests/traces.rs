//! Spans on their way to a collector. Built with the feature `otel` alone: `cargo test -p cabotage-cli --features otel --test traces`.

#![allow(clippy::unwrap_used)]

#[path = "testenv/collector.rs"]
mod collector;
mod testenv;

use collector::{Collector, attributes};
use opentelemetry_proto::tonic::trace::v1::Span;
use testenv::TestEnv;
use testenv::server::server;

const MIGRATE: [&str; 5] = ["migrate", "in", "out", "--state", "state"];

fn exporting(collector: &Collector) -> TestEnv {
    TestEnv::new().var("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[test]
fn a_run_is_a_span_and_each_object_a_trace_linked_to_it() {
    let collector = Collector::start();
    let env = exporting(&collector).var("OTEL_EXPORTER_OTLP_HEADERS", "x-team=data,authorization=HUSH");
    for n in 0..20 {
        env.write(&format!("in/patient-{n}"), "content");
    }
    let ran = env.run(&MIGRATE);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let taken = collector.taken();
    assert!(
        taken.heads.iter().all(|head| head.starts_with("POST /v1/traces ") && head.contains("x-team: data"))
    );
    assert_eq!(taken.resource["service.name"], "cabotage");
    assert_eq!(taken.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let [run] = named(&taken.spans, "pass")[..] else { panic!("{:?}", taken.spans) };
    let objects = named(&taken.spans, "copy");
    assert_eq!(objects.len(), 20);
    for object in objects {
        assert!(object.parent_span_id.is_empty());
        assert_ne!(object.trace_id, run.trace_id);
        assert_eq!((&object.links[0].trace_id, &object.links[0].span_id), (&run.trace_id, &run.span_id));
        let told = attributes(&object.attributes);
        assert_eq!((&*told["cabotage.object.class"], &*told["cabotage.object.size"]), ("verified", "7"));
        assert_eq!(told["cabotage.object.attempts"], "1");
    }
    // Neither names nor secrets leave in spans.
    let all = format!("{:?} {:?}", taken.spans, taken.resource);
    assert!(!all.contains("patient") && !all.contains("HUSH"));
}

#[test]
fn a_request_is_described_as_the_conventions_say() {
    let collector = Collector::start();
    let store = server("403 Forbidden", "", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
    let env = exporting(&collector)
        .var("OTEL_SERVICE_NAME", "night-pass")
        .var("AWS_ACCESS_KEY_ID", "key")
        .var("AWS_SECRET_ACCESS_KEY", "HUSH");
    let config = format!(
        "[stores.far]\nkind = \"s3\"\nendpoint = \"{store}\"\nregion = \"r\"\ncredentials = \"env\"\n"
    );
    let config = env.write("stores.toml", config);
    let ran = env.run(&["--config", config.to_str().unwrap(), "cat", "far:wards/patient"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    let taken = collector.taken();
    assert_eq!(taken.resource["service.name"], "night-pass");
    let requests = named(&taken.spans, "GET");
    let told = attributes(&requests.first().unwrap().attributes);
    let port = store.rsplit_once(':').unwrap().1;
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "403"),
        ("server.address", "127.0.0.1"),
        ("server.port", port),
        ("url.scheme", "http"),
        ("cabotage.operation", "read"),
        ("error.type", "permission-denied"),
    ] {
        assert_eq!(told.get(key).map(String::as_str), Some(value), "{key}: {told:?}");
    }
    assert_eq!(requests[0].kind, 3, "a client's");
    assert_eq!(requests[0].status.as_ref().unwrap().code, 2, "an error");
    let all = format!("{:?}", taken.spans);
    assert!(!all.contains("patient") && !all.contains("wards") && !all.contains("HUSH"));
}

#[test]
fn a_sampler_takes_whole_objects() {
    let collector = Collector::start();
    let env = exporting(&collector)
        .var("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .var("OTEL_TRACES_SAMPLER_ARG", "0.5")
        .var("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
        .var("OTEL_BSP_SCHEDULE_DELAY", "1");
    for n in 0..200 {
        env.write(&format!("in/{n}"), "content");
    }
    assert_eq!(env.run(&MIGRATE).code, 0);
    let taken = collector.taken();
    let copied = named(&taken.spans, "copy").len();
    assert!((50..150).contains(&copied), "{copied}");
    // The export of spans makes none.
    assert!(taken.heads.len() > 1 && named(&taken.spans, "POST").is_empty(), "{:?}", taken.heads);
}

#[test]
fn a_collector_that_is_gone_is_told_and_costs_nothing_else() {
    let env = TestEnv::new().var("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    env.write("in/a", "content");
    let ran = env.run(&MIGRATE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("OpenTelemetry"), "{ran:?}");
    assert!(env.path("out/a").exists());
}

#[test]
fn what_cannot_be_exported_is_refused_before_anything_is_done() {
    for (name, value, said) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "endpoint"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:HUSH@127.0.0.1:4318", "user name or password"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
    ] {
        let env = TestEnv::new().var("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").var(name, value);
        env.write("in/a", "content");
        let ran = env.run(&MIGRATE);
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{ran:?}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("HUSH"), "{ran:?}");
        assert!(!env.path("out").exists() && !env.path("state").exists());
    }
    let env = TestEnv::new()
        .var("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318")
        .var("OTEL_EXPORTER_OTLP_HEADERS", "authorization=HUSH");
    env.write("in/a", "content");
    let ran = env.run(&MIGRATE);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("plaintext") && !ran.stderr.contains("HUSH"), "{ran:?}");
}
