//! What a run says of objects with hostile names: why each is refused, what differs, and the report, against golden files.
//! `CABOTAGE_UPDATE_GOLDEN=1` writes them anew.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use cabotage_core::{Attributes, Capabilities, ContentHeaders, MetadataNames, Operation};
use cabotage_engine::{Event, Options, Report, Stop, Verify};
use cabotage_layers::{Effect, Faults, KeyMatch, Rule};
use common::{Bench, Events, put, put_with};

const HOSTILE: &str = "a\n\u{1b}[31m\u{202e}\u{200b}\u{9b}";

/// Times, speeds and the ledger's place are those of one run.
fn neutral(report: &Report) -> String {
    let mut text = String::new();
    for line in report.to_string().lines() {
        let line = match line {
            line if line.contains(" UTC") => "  TIME to TIME UTC",
            line if line.starts_with("Copied") => line.split(", ").next().unwrap(),
            line if line.starts_with("Ledger:") => "Ledger: PATH",
            line => line,
        };
        writeln!(text, "{line}").unwrap();
    }
    text
}

fn check(file: &str, text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("CABOTAGE_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{} differs", path.display());
}

/// Runs, and gives what was said of objects, in their order, and the report.
async fn told(bench: &Bench, options: Options) -> String {
    let events = Arc::new(Events::default());
    let report = cabotage_engine::run(
        bench.job(Options { concurrency: 1, ..options }),
        Stop::default(),
        Arc::default(),
        Arc::clone(&events) as _,
    );
    let report = report.await.unwrap();
    let mut lines: Vec<String> = events
        .0
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Trouble { class, text, .. } => Some(format!("{}: {text}", class.as_str())),
            _ => None,
        })
        .collect();
    lines.sort_unstable();
    format!("{}\n\n{}", lines.join("\n"), neutral(&report))
}

fn metadata(name: &str, value: &str) -> Attributes {
    Attributes { metadata: [(name.to_owned(), value.to_owned())].into(), ..Attributes::default() }
}

fn tag(name: &str, value: &str) -> Attributes {
    Attributes { tags: Some([(name.to_owned(), value.to_owned())].into()), ..Attributes::default() }
}

fn narrow(rules: &mut Capabilities) {
    rules.metadata.names = MetadataNames::LowerCaseHyphen;
    rules.metadata.max_bytes = Some(60);
    rules.metadata.header_values = true;
    rules.tags.max = 1;
    rules.tags.punctuation = Some("+-=._:/@".into());
    rules.headers.remove("content-language");
}

#[tokio::test]
async fn refused_for_each_loss() {
    let bench = Bench::with(narrow);
    let key = |what: &str| format!("{what} {HOSTILE}");
    let two = Attributes {
        tags: Some([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into()),
        ..Attributes::default()
    };
    let language = ContentHeaders { content_language: Some("fr".into()), ..ContentHeaders::default() };
    for (what, attributes) in [
        ("metadata-name-changed", metadata("owner_id", "1")),
        ("metadata-name-changed, no name", metadata(HOSTILE, "1")),
        ("metadata-value-changed", metadata("a", HOSTILE)),
        ("metadata-too-large", metadata("a", &"v".repeat(61))),
        ("tag-dropped", tag("patient", "caf\u{e9}?")),
        ("tag-dropped, too many", two),
        ("header-dropped", Attributes { headers: language, ..Attributes::default() }),
        ("moved", metadata("Owner", "1")),
    ] {
        put_with(&bench.source, &key(what), "x", attributes).await;
    }
    check("refused.txt", &told(&bench, bench.options()).await);
}

#[tokio::test]
async fn what_was_read_back_differs() {
    let mut bench = Bench::new();
    put(&bench.source, HOSTILE, "content").await;
    let spoils = Rule::new(Operation::Write, Effect::StoreFlipped(2)).keys(KeyMatch::Exactly(HOSTILE.into()));
    bench.destination_faults = Some(Faults::new(vec![spoils]));
    let options = Options { verify: Verify::ReadBack, ..bench.options() };
    check("mismatch.txt", &told(&bench, options).await);
}

#[tokio::test]
async fn in_each_class() {
    let bench = Bench::new();
    put(&bench.source, &format!("done {HOSTILE}"), "x").await;
    put(&bench.source, &format!("conflict {HOSTILE}"), "x").await;
    put(&bench.destination, &format!("conflict {HOSTILE}"), "other").await;
    let long = "\u{1b}".repeat(1_023);
    put(&bench.source, &format!("l{long}"), "x").await;
    put(&bench.destination, &format!("l{long}"), "other").await;
    check("report.txt", &told(&bench, bench.options()).await);
}
