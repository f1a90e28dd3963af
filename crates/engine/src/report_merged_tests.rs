use serde_json::{Value, json};

use super::*;

/// A report as a ledger keeps it, with those fields.
fn stored(fields: &Value) -> String {
    let counts = |names: &[&str]| -> Value {
        names.iter().map(|name| ((*name).to_owned(), json!(0))).collect::<serde_json::Map<_, _>>().into()
    };
    let amount = json!({ "objects": 0, "bytes": 0 });
    let end = json!({ "outages": 0, "outage_seconds": 0.0, "traffic": null, "limits": null });
    let mut report = json!({
        "format": 1, "run": 2, "source": "a", "destination": "b", "source_sse_c_key": null,
        "destination_sse_c_key": null, "started": "2026-01-01T00:00:10Z", "ended": "2026-01-01T00:00:20Z",
        "dry_run": false, "ending": "complete", "stopped": null,
        "objects": counts(&["listed", "verified", "stored_unread", "skipped", "failed", "refused", "deferred",
            "conflicts", "vanished", "planned", "unfinished"]),
        "bytes_listed": 0, "bytes_copied": 0, "objects_copied": 0, "bytes_planned": 0,
        "pass": { "new": amount, "changed": amount, "attributes": amount, "unchanged": amount, "gone": amount },
        "deletion": null, "cutover": null,
        "levels": counts(&["server_checked", "read_back", "adopted_size", "stored_unread"]),
        "losses": {}, "failures": {}, "remnants": null,
        "uploads": counts(&["went_on", "parts_kept", "bytes_kept", "digests_from_state", "digests_from_start",
            "bytes_read_again", "begun_anew", "aborted", "left_open", "may_be_open"]),
        "excluded": 0, "gone_from_source": 0, "destination_only": 0, "listing_complete": true, "guards": null,
        "endpoints": { "source": end, "destination": end }, "ledger": "x",
    });
    merge_into(&mut report, fields);
    report.to_string()
}

fn merge_into(all: &mut Value, fields: &Value) {
    match (all.as_object_mut(), fields.as_object()) {
        (Some(all), Some(fields)) => {
            for (name, value) in fields {
                merge_into(all.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *all = fields.clone(),
    }
}

fn shards(reports: &[Value]) -> Vec<ShardReport> {
    let of = u32::try_from(reports.len()).unwrap();
    let report = |fields: &Value| serde_json::from_str(&stored(fields)).unwrap();
    (1..)
        .zip(reports)
        .map(|(number, fields)| ShardReport { shard: ShardNumber { number, of }, report: report(fields) })
        .collect()
}

fn all(reports: &[Value]) -> Value {
    serde_json::to_value(merged(&shards(reports)).unwrap()).unwrap()
}

/// Every number of a report that counts, by its path.
fn numbers(value: &Value, path: &str, found: &mut Vec<(String, u64)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| numbers(value, &format!("{path}/{name}"), found));
        }
        _ => found.extend(value.as_u64().map(|number| (path.to_owned(), number))),
    }
}

#[test]
fn each_number_is_the_sum() {
    let one = json!({
        "deletion": { "candidates": { "objects": 0, "bytes": 0 }, "deleted": { "objects": 0, "bytes": 0 },
            "planned": { "objects": 0, "bytes": 0 }, "forgotten": 0, "kept": 0, "conflicts": 0, "adopted": 0, "failed": 0 },
        "remnants": { "snapshots": 0, "versions": 0, "deleted": 0 },
        "losses": { "posix-acl": { "accepted": 0, "sidecar": 0, "refused": 0 } },
        "failures": { "timeout": { "count": 0 } },
    });
    let mut paths = Vec::new();
    numbers(&serde_json::from_str(&stored(&one)).unwrap(), "", &mut paths);
    let summed: Vec<_> = paths
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| !["/format", "/run"].contains(&&**path))
        .collect();
    let summed: Vec<_> = summed.into_iter().filter(|path| !path.contains("/outages")).collect();
    assert!(summed.len() > 50, "{summed:?}");
    let with = |factor: u64| {
        let mut report: Value = serde_json::from_str(&stored(&one)).unwrap();
        for (place, path) in (1..).zip(&summed) {
            *report.pointer_mut(path).unwrap() = json!(place * factor);
        }
        report
    };
    let merged = all(&[with(1), with(10), with(100)]);
    for (place, path) in (1_u64..).zip(&summed) {
        assert_eq!(merged.pointer(path), Some(&json!(place * 111)), "{path}");
    }
}

#[test]
fn what_is_no_sum() {
    let support = |digest: &str| json!({ "digest": digest, "create": "enforced", "if_match": "enforced" });
    let end = |outages: u64, limited: Value, requests: u64| {
        json!({ "source": { "outages": outages, "outage_seconds": 3.5, "limits": limited,
            "traffic": { "requests": requests, "retries": 0, "throttled": 1, "limit": null,
                "lowest_limit": requests, "waited_millis": 5, "renewals": 0 } } })
    };
    let limits = |bytes: u64| json!({ "rates": { "bytes": bytes }, "waited_millis": bytes });
    let merged = all(&[
        json!({ "guards": support("enforced"), "endpoints": end(1, limits(10), 4) }),
        json!({
            "started": "2026-01-01T00:00:05Z", "ended": "2026-01-01T00:00:06Z", "ending": "stopped",
            "stopped": "no-space", "listing_complete": false, "guards": support("ignored"),
            "endpoints": end(2, limits(30), 7), "deletion": Value::Null,
        }),
        json!({ "ended": "2026-01-01T00:01:00Z", "guards": null, "endpoints": end(0, limits(2), 9) }),
    ]);
    for (field, expected) in [
        ("/started", json!("2026-01-01T00:00:05Z")),
        ("/ended", json!("2026-01-01T00:01:00Z")),
        ("/ending", json!("stopped")),
        ("/stopped", json!("shard 2/3: no-space")),
        ("/listing_complete", json!(false)),
        ("/guards/digest", json!("ignored")),
        ("/guards/create", json!("enforced")),
        ("/endpoints/source/outages", json!(2)),
        ("/endpoints/source/outage_seconds", json!(3.5)),
        ("/endpoints/source/limits", json!({ "rates": { "bytes": 42 }, "waited_millis": 30 })),
        ("/endpoints/source/traffic/requests", json!(20)),
        ("/endpoints/source/traffic/lowest_limit", json!(4)),
        ("/deletion", Value::Null),
    ] {
        assert_eq!(merged.pointer(field), Some(&expected), "{field}");
    }
}

#[test]
fn the_worst_ending_is_that_of_all() {
    for (endings, expected) in [
        (["complete", "complete"], "complete"),
        (["incomplete", "complete"], "incomplete"),
        (["interrupted", "stopped"], "stopped"),
        (["stopped", "mismatch"], "mismatch"),
        (["time-up", "incomplete"], "time-up"),
    ] {
        let reports = endings.map(|ending| json!({ "ending": ending }));
        assert_eq!(all(&reports)["ending"], expected, "{endings:?}");
    }
    assert!(merged(&[]).is_none());
}

#[test]
fn what_a_killed_run_had_done_counts_as_done() {
    let fields = json!({
        "objects": { "listed": 10, "skipped": 6, "verified": 4 }, "bytes_copied": 40, "objects_copied": 4,
        "pass": { "new": { "objects": 4, "bytes": 40 }, "unchanged": { "objects": 6, "bytes": 60 } },
    });
    let mut report: Report = serde_json::from_str(&stored(&fields)).unwrap();
    let started = "2026-01-01T00:00:00Z".parse().unwrap();
    let killed = Killed { objects: 6, bytes: 60, started, first: true };
    killed.add_to(&mut report);
    assert_eq!((report.objects.skipped, report.objects.verified, report.objects_copied), (0, 10, 10));
    assert_eq!((report.bytes_copied, report.pass.new.objects, report.pass.unchanged.objects), (100, 10, 0));
    assert_eq!(report.started, started);
    assert_eq!(report.objects.sum(), report.objects.listed);
    // In a later pass it isn't known which of them were new.
    let mut later: Report = serde_json::from_str(&stored(&fields)).unwrap();
    Killed { first: false, ..killed }.add_to(&mut later);
    assert_eq!((later.pass.unchanged.objects, later.objects.verified), (6, 10));
}
