use super::*;
use cabotage_core::Loss;

fn tally(halt: &CancellationToken) -> Tally {
    Tally::new(
        Files::default(),
        TroubleLog::default(),
        Arc::default(),
        Arc::new(()),
        Arc::new(LossPolicy::new(BTreeSet::from([LossName::TagDropped]), false)),
        halt.clone(),
    )
}

fn outcome(class: Class) -> Outcome {
    Outcome::new("k".into(), 10, class)
}

fn failed(kind: ErrorKind) -> Outcome {
    Outcome::because("k".into(), 10, Class::Failed, Error::new(kind, "x"))
}

#[test]
fn every_class_is_counted_once() {
    let halt = CancellationToken::new();
    let mut tally = tally(&halt);
    let classes = [
        Class::Verified,
        Class::StoredUnread,
        Class::Skipped,
        Class::Failed,
        Class::Refused,
        Class::Deferred,
        Class::Conflict,
        Class::Vanished,
        Class::Planned,
        Class::Unfinished,
    ];
    for class in classes {
        tally.take(outcome(class));
        assert_eq!(*tally.totals.counts.of(class), 1);
    }
    assert_eq!((tally.totals.counts.listed, tally.totals.counts.sum()), (10, 10));
    assert_eq!((tally.totals.bytes_listed, tally.totals.bytes_planned), (100, 10));
}

#[test]
fn refusals_stop_the_run_and_name_the_flag() {
    let halt = CancellationToken::new();
    let mut tally = tally(&halt);
    for i in 0..1_000 {
        let mut one = outcome(if i % 90 == 0 { Class::Refused } else { Class::Verified });
        one.losses = vec![Loss::new(LossName::TagDropped, ""), Loss::new(LossName::BlobType, "")];
        tally.take(one);
    }
    assert!(halt.is_cancelled());
    let text = tally.totals.stopped.unwrap().to_string();
    assert!(text.contains("--accept-loss blob-type"), "{text}");
    assert!(!text.contains("tag-dropped"), "accepted losses need no flag: {text}");
    assert_eq!(
        tally.totals.losses[&LossName::BlobType],
        LossCount { accepted: 988, sidecar: 0, refused: 12 }
    );
}

#[test]
fn one_in_a_hundred_refused_is_let_pass() {
    let halt = CancellationToken::new();
    let mut tally = tally(&halt);
    (0..1_000).for_each(|i| tally.take(outcome(if i % 100 == 0 { Class::Refused } else { Class::Verified })));
    assert!(!halt.is_cancelled());
}

#[test]
fn a_failing_environment_stops_the_run_but_bad_objects_do_not() {
    for (kind, stops) in [
        (ErrorKind::Timeout, true),
        (ErrorKind::CredentialsExpired, true),
        (ErrorKind::KeyRejected, false),
        (ErrorKind::NotFound, false),
    ] {
        let halt = CancellationToken::new();
        let mut tally = tally(&halt);
        (0..100).for_each(|_| tally.take(failed(kind)));
        assert_eq!(halt.is_cancelled(), stops, "{kind:?}");
        assert_eq!(tally.totals.failures[&kind.name()].examples.len(), 3);
    }
}

#[test]
fn an_unfinished_object_with_a_reason_stops_the_run() {
    let halt = CancellationToken::new();
    let mut tally = tally(&halt);
    tally.take(outcome(Class::Unfinished));
    assert!(!halt.is_cancelled());
    let reason = Error::new(ErrorKind::Unauthenticated, "x");
    tally.take(Outcome::because("k".into(), 1, Class::Unfinished, reason));
    assert!(halt.is_cancelled());
}

/// Every loss for which an object is refused; names hide nothing. Where the object stays all the same, that is said.
#[test]
fn refusals_say_what_is_lost_and_what_to_do() {
    let halt = CancellationToken::new();
    let mut tally = tally(&halt);
    tally.policy = Arc::new(LossPolicy::default());
    for name in LossName::ALL.iter().copied().filter(|name| !name.accepted_by_default()) {
        let losses = vec![Loss::new(name, "the\n\u{1b}detail"), Loss::new(LossName::TierMapped, "no matter")];
        let mut refused = Outcome { losses, ..outcome(Class::Refused) };
        let lost = format!("{name} (the\\n\\u{{1b}}detail)");
        let flag = format!("--accept-loss {name} --change-job");
        assert_eq!(tally.text(&refused), format!("k: would lose {lost}; to move it all the same: {flag}"));
        refused.destination_etag = Some(cabotage_core::ETag::new("e"));
        assert_eq!(
            tally.text(&refused),
            format!("k: has lost {lost} at the destination and stays there; to take it as moved: {flag}")
        );
    }
}
