use super::*;
use crate::Counts;
use cabotage_core::Key;

fn row(verdict: Verdict) -> Row {
    Row {
        name: "k".into(),
        source_etag: Some(ETag::new("s")),
        source_modified: None,
        size: 10,
        sha256: None,
        destination_etag: Some(ETag::new("d")),
        destination_version: None,
        attributes: None,
        verdict,
        losses: Vec::new(),
        in_sidecar: false,
        run: 1,
        finished: cabotage_core::Timestamp::UNIX_EPOCH,
        attempts: 1,
        started: cabotage_core::Timestamp::UNIX_EPOCH,
        destination_attributes: None,
    }
}

fn there(etag: &str) -> ObjectInfo {
    ObjectInfo { etag: Some(ETag::new(etag)), ..ObjectInfo::new(Key::new("k").unwrap(), 10) }
}

fn gone(objects: u64, policy: DeletePolicy) -> Gone {
    let mut gone = Gone::new(policy);
    for i in 0..objects {
        gone.take(&Arc::from(format!("k{i}")), Some(&there("d")), &row(Verdict::ServerChecked));
    }
    gone
}

#[test]
fn only_what_is_as_this_job_left_it() {
    let mut gone = gone(1, DeletePolicy::default());
    gone.take(&Arc::from("changed"), Some(&there("d2")), &row(Verdict::ServerChecked));
    gone.take(&Arc::from("adopted"), Some(&there("d")), &row(Verdict::AdoptedSize));
    gone.take(&Arc::from("nowhere"), None, &row(Verdict::ServerChecked));
    assert_eq!(gone.candidates.len(), 2, "{gone:?}");
    assert_eq!((gone.deletion.conflicts, gone.deletion.adopted), (1, 1));
    assert_eq!(gone.deletion.candidates, Amount { objects: 1, bytes: 10 });
}

#[test]
fn candidates_are_bounded() {
    let gone = gone(50, DeletePolicy { max: 7, max_shrink: 100 });
    assert_eq!((gone.candidates.len(), gone.found, gone.deletion.candidates.objects), (7, 50, 50));
}

/// Of 100 known objects of 10 bytes.
#[test]
fn what_keeps_it_from_deleting() {
    let fine = || Totals {
        counts: Counts { listed: 95, ..Counts::default() },
        bytes_listed: 950,
        ..Totals::default()
    };
    let objection = |found, policy, totals: &Totals, complete| {
        let mut gone = gone(found, policy);
        gone.known = Amount { objects: 100, bytes: 1_000 };
        gone.objection(totals, complete)
    };
    let plain = DeletePolicy::default();
    assert_eq!(objection(5, plain, &fine(), true), None);
    let says = |text: &str, objection: Option<String>| {
        assert!(objection.as_ref().is_some_and(|reason| reason.contains(text)), "{text}: {objection:?}");
    };
    says("not read to their end", objection(5, plain, &fine(), false));
    let stopped = Totals { stopped: Some(Error::new(ErrorKind::NoSpace, "x")), ..fine() };
    says("not read to their end", objection(5, plain, &stopped, true));
    let mut unfinished = fine();
    unfinished.counts.unfinished = 1;
    says("not finished", objection(5, plain, &unfinished, true));
    says("not finished", objection(5, plain, &Totals { mismatches: 1, ..fine() }, true));
    let mut fewer = fine();
    fewer.counts.listed = 94;
    says("--max-shrink", objection(6, plain, &fewer, true));
    says("--max-shrink", objection(5, plain, &Totals { bytes_listed: 949, ..fine() }, true));
    assert_eq!(objection(6, DeletePolicy { max_shrink: 6, ..plain }, &fewer, true), None);
    says("--max-delete 5", objection(5, DeletePolicy { max: 4, ..plain }, &fine(), true));
    let none = Totals::default();
    says("--max-shrink", objection(5, plain, &none, true));
}
