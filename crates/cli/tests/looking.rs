//! The verbs that look at runs, over folders: `runs`, `status`, `failures`, `retry`, `ledger show`, `uploads`.

#![allow(clippy::unwrap_used)]

mod testenv;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::Value;
use testenv::{TestEnv, tree};

const HOSTILE: &str = "dir/\u{1b}[31mred\n\u{202e}txt";
const ESCAPED: &str = "dir/\\u{1b}[31mred\\n\\u{202e}txt";

/// Three names; two don't get over: another object is in the place of one, the source doesn't have the other.
fn troubled() -> TestEnv {
    let env = TestEnv::new();
    env.write("in/good", "1");
    env.write(&format!("in/{HOSTILE}"), "22");
    env.write(&format!("out/{HOSTILE}"), "other");
    env.write("names", format!("good\0{HOSTILE}\0later"));
    let ran = env.run(&["migrate", "in", "out", "--keys-from", "names", "-0"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    env
}

fn runs(env: &TestEnv) -> Vec<Value> {
    let ran = env.run(&["runs", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.json_lines()
}

fn name(run: &Value) -> String {
    run["run"].as_str().unwrap().to_owned()
}

#[test]
fn runs_are_listed_by_job_and_named() {
    let env = troubled();
    env.write("other/a", "1");
    assert_eq!(env.run(&["migrate", "other", "second", "--dry-run"]).code, 0);
    assert_eq!(env.run(&["migrate", "other", "second"]).code, 0);
    let found = runs(&env);
    let told: Vec<_> = found
        .iter()
        .map(|run| {
            (run["number"].as_i64().unwrap(), run["kind"].as_str().unwrap(), run["state"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [(1, "pass", "incomplete"), (1, "dry-run", "complete"), (2, "pass", "complete")],
        "{found:#?}"
    );
    let text = env.run(&["runs"]).stdout;
    let line = text.lines().find(|line| line.contains(&name(&found[0]))).unwrap();
    assert!(line.contains("incomplete") && line.contains("3 listed, 1 verified"), "{text}");
    let of_one = env.run(&["runs", "--json", "other", "second"]).json_lines();
    assert_eq!(of_one.iter().map(name).collect::<Vec<_>>(), [name(&found[1]), name(&found[2])]);
    for (wrong, said) in [
        ("1", "could be a run of each"),
        ("00000000-1", "no run in"),
        (&format!("{}9", name(&found[0])), "no run in"),
        ("x\u{1b}[31m", "is no name of a run"),
    ] {
        let ran = env.run(&["failures", wrong]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    let ran = env.run(&["status", "00000000-1"]);
    assert!(found.iter().all(|run| ran.stderr.contains(&name(run))), "all are told: {ran:?}");
}

#[test]
fn no_ledger_is_told() {
    let env = TestEnv::new();
    for args in
        [&["runs"][..], &["status"], &["failures", "1"], &["retry", "1"], &["ledger", "show", "1", "a"]]
    {
        let ran = env.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains("there is no ledger in") && ran.stderr.contains("--state"), "{ran:?}");
    }
    let ran = env.run(&["uploads", "list", "."]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "a store has uploads without a ledger: {ran:?}");
}

#[test]
fn failures_are_listed_and_retried() {
    let env = troubled();
    let ran = env.run(&["failures", "1"]);
    assert!(ran.stdout.contains(ESCAPED) && ran.stdout.lines().count() == 2, "{ran:?}");
    let listed = env.run(&["failures", "1", "--json"]).json_lines();
    let keys: Vec<_> = listed.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, [HOSTILE, "later"]);
    assert_eq!((&listed[0]["class"], &listed[1]["kind"]), (&"conflict".into(), &"not-found".into()));
    let conflicts = env.command(&["failures", "1", "--kind", "conflict", "--names"]).output().unwrap();
    assert_eq!(conflicts.stdout, format!("{HOSTILE}\0").as_bytes(), "{listed:#?}");
    let show = env.run(&["ledger", "show", "1", HOSTILE]);
    assert!(show.stdout.contains(ESCAPED) && show.stdout.contains("trouble class:"), "{show:?}");

    // Only what is asked for is tried again.
    std::fs::remove_file(env.path(&format!("out/{HOSTILE}"))).unwrap();
    env.write("in/later", "333");
    env.write("in/new", "not in the list");
    let ran = env.run(&["retry", "1", "--kind", "conflict", "--report", "r.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(env.path("r.json")).unwrap()).unwrap();
    assert_eq!((&report["objects"]["listed"], &report["objects"]["verified"]), (&1.into(), &1.into()));
    let left = env.run(&["failures", "1", "--json"]).json_lines();
    assert_eq!((left.len(), &left[0]["key"]), (1, &"later".into()), "{left:#?}");
    let ran = env.run(&["retry", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!env.path("out/new").exists(), "a retry takes no other object");
    let kinds: Vec<_> = runs(&env).iter().map(|run| run["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["pass", "retry", "retry"]);
    let none = env.run(&["retry", "1"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:?}");
    assert_eq!(env.run(&["migrate", "in", "out"]).code, 0);
    assert_eq!(tree(&env.path("in")), tree(&env.path("out")));
    let leftover = tree(&env.path(".local/state/cabotage"));
    assert!(leftover.keys().all(|name| !name.to_string_lossy().starts_with("retry-")), "{leftover:?}");
}

/// The recorded command is run as it was typed: its working directory, its filters.
#[test]
fn a_retry_is_the_job_from_anywhere() {
    let env = TestEnv::new();
    env.write("in/a.txt", "1");
    env.write("in/b.dcm", "2");
    env.write("out/a.txt", "other");
    let ran = env.run(&["migrate", "in", "out", "--state", "state", "--include", "*.txt", "--manifest", "m"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let manifest = std::fs::read(env.path("m")).unwrap();
    std::fs::remove_file(env.path("out/a.txt")).unwrap();
    std::fs::create_dir(env.path("elsewhere")).unwrap();
    let mut retry = env.command(&["retry", "1", "--state", "../state"]);
    let retried = retry.current_dir(env.path("elsewhere")).output().unwrap();
    assert!(retried.status.success(), "{retried:?}");
    assert_eq!(std::fs::read(env.path("out/a.txt")).unwrap(), b"1");
    assert!(!env.path("out/b.dcm").exists());
    assert_eq!(std::fs::read(env.path("m")).unwrap(), manifest, "the manifest of the run stays");
}

#[test]
fn an_object_is_shown() {
    let env = troubled();
    let ran = env.run(&["ledger", "show", "1", "good", "--json"]);
    let shown = &ran.json_lines()[0];
    assert_eq!((&shown["object"]["size"], &shown["object"]["run"]), (&1.into(), &1.into()), "{shown:#}");
    assert_eq!(shown["object"]["sha256"], "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
    assert_eq!(
        (&shown["trouble"], &shown["upload"], &shown["intent"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let text = env.run(&["ledger", "show", "1", "good"]).stdout;
    assert!(text.contains("object sha256:") && !text.contains("trouble"), "{text}");
    let ran = env.run(&["ledger", "show", "1", "no\u{1b}thing"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("no\\u{1b}thing"), "{ran:?}");
}

#[test]
fn the_status_of_a_run_that_ended() {
    let env = troubled();
    let text = env.run(&["status"]).stdout;
    for said in ["(pass)", "incomplete", "conflict", "done "] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let status = &env.run(&["status", "--json", "1"]).json_lines()[0];
    assert_eq!((&status["state"], &status["report"]["objects"]["listed"]), (&"incomplete".into(), &3.into()));
    assert_eq!(status["forecast"], Value::Null, "a run that has ended has nothing left");
    let objects = |list: &Value| {
        list.as_array().unwrap().iter().map(|one| one["objects"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((objects(&status["done"]), objects(&status["troubles"])), (1, 2), "{status:#}");
}

/// A bucket with two objects that lists and then never answers a read.
fn stuck_bucket() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            match answer(&request(&mut stream)) {
                Some(reply) => drop(stream.write_all(reply.as_bytes())),
                None => kept.push(stream),
            }
        }
    });
    url
}

fn request(stream: &mut TcpStream) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()
}

fn answer(line: &str) -> Option<String> {
    let object = |name: &str| {
        format!(
            "<Contents><Key>{name}</Key><Size>5</Size><ETag>\"e\"</ETag>\
             <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        )
    };
    let body = if line.contains("list-type=2") {
        let (a, b) = (object("a"), object("b"));
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{a}{b}</ListBucketResult>")
    } else if line.contains("?versioning") {
        "<VersioningConfiguration/>".to_owned()
    } else if line.contains("versions") {
        "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>".to_owned()
    } else if line.contains("/.cabotage-probe-") {
        return Some("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned());
    } else {
        return None;
    };
    let length = body.len();
    Some(format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"))
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_after_it_died() {
    let env = TestEnv::new()
        .var("AWS_ACCESS_KEY_ID", "AK")
        .var("AWS_SECRET_ACCESS_KEY", "HUSH")
        .var("AWS_ENDPOINT_URL", &stuck_bucket());
    let args = ["migrate", "s3://bucket", "out"];
    let mut migrate = env.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until its first readings are recorded: the run goes on as long as this test lets it.
    let status = loop {
        let ran = env.run(&["status", "--json"]);
        let status = (ran.code == 0).then(|| ran.json_lines()[0].clone());
        match status {
            Some(status) if status["progress"]["listed"] == 2 => break status,
            _ => assert_eq!(migrate.try_wait().unwrap(), None, "{ran:?}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!((&status["state"], &status["finished"]), (&"running".into(), &Value::Null), "{status:#}");
    assert_eq!((&status["progress"]["done"], &status["process"]), (&0.into(), &migrate.id().into()));
    assert!(status["progress_age_seconds"].is_u64(), "{status:#}");
    let text = env.run(&["status"]).stdout;
    assert!(text.contains("running (process") && text.contains("0 of 2 objects"), "{text}");
    assert!(env.run(&["runs"]).stdout.contains(" running"), "listed so too");
    assert_eq!(env.run(&["retry", &name(&status)]).code, 0, "nothing is in trouble yet");
    migrate.kill().unwrap();
    migrate.wait().unwrap();
    let ran = env.run(&["status", &name(&status)]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("died (process") && ran.stdout.contains("0 of 2 objects"), "{ran:?}");
}
