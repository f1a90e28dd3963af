use super::*;
use cabotage_core::{Attributes, Key, Tier, Timestamp};

fn object(etag: &str) -> ObjectInfo {
    let mut info = ObjectInfo::new(Key::new("k").unwrap(), 5);
    info.etag = Some(ETag::new(etag));
    info.modified = Some(Timestamp::from_second(7).unwrap());
    info
}

fn row(source: &str, destination: &str, verdict: Verdict) -> Row {
    Row {
        name: "k".into(),
        source_etag: Some(ETag::new(source)),
        source_modified: Some(Timestamp::from_second(7).unwrap()),
        size: 5,
        sha256: None,
        destination_etag: Some(ETag::new(destination)),
        destination_version: None,
        attributes: None,
        verdict,
        losses: Vec::new(),
        in_sidecar: false,
        run: 1,
        finished: Timestamp::UNIX_EPOCH,
        attempts: 1,
        started: Timestamp::UNIX_EPOCH,
        destination_attributes: None,
    }
}

fn intent() -> Intent {
    Intent {
        name: "k".into(),
        source_etag: None,
        size: 5,
        sha256: None,
        multipart: false,
        started: Timestamp::UNIX_EPOCH,
    }
}

fn ifm(etag: &str) -> Decision {
    Decision::Copy(WriteMode::IfMatch(ETag::new(etag)))
}

struct Case(
    Option<&'static str>,
    Option<&'static str>,
    Option<(&'static str, &'static str, Verdict)>,
    bool,
    Policy,
    Decision,
);

impl Case {
    fn holds(self, i: usize) {
        let Self(source, there, recorded, begun, policy, expected) = self;
        let (source, there) = (source.map(object), there.map(object));
        let row = recorded.map(|(s, d, verdict)| row(s, d, verdict));
        let intent = begun.then(intent);
        let facts = Facts {
            source: source.as_ref(),
            destination: there.as_ref(),
            row: row.as_ref(),
            intent: intent.as_ref(),
        };
        assert_eq!(decide(facts, policy), expected, "case {i}");
    }
}

#[test]
fn truth_table() {
    use Verdict::{AdoptedSize, ReadBack, ServerChecked, StoredUnread};
    let plain = Policy::default();
    let never = Policy { overwrite: Overwrite::Never, ..plain };
    let always = Policy { overwrite: Overwrite::Always, ..plain };
    let content = Policy { adopt: Some(Adopt::Content), ..plain };
    let back = Policy { verify: Verify::ReadBack, ..plain };
    let ours = |verdict| Some(("s", "d", verdict));
    for (i, case) in [
        Case(None, Some("d"), ours(ServerChecked), false, plain, Decision::Gone),
        Case(None, Some("d"), None, false, plain, Decision::Ignore),
        Case(Some("s"), None, None, false, plain, Decision::Copy(WriteMode::Create)),
        Case(Some("s"), None, ours(ServerChecked), false, never, Decision::Copy(WriteMode::Create)),
        Case(Some("s"), None, None, true, plain, Decision::Copy(WriteMode::Create)),
        Case(Some("s"), Some("d"), ours(ServerChecked), false, plain, Decision::Skip(ServerChecked)),
        Case(Some("s"), Some("d"), ours(ServerChecked), false, always, Decision::Skip(ServerChecked)),
        Case(Some("s"), Some("d"), ours(ReadBack), false, back, Decision::Skip(ReadBack)),
        Case(Some("s"), Some("d"), ours(ServerChecked), false, back, Decision::ReadBack),
        Case(Some("s"), Some("d"), ours(StoredUnread), false, plain, Decision::Keep(StoredUnread)),
        Case(Some("s"), Some("d"), ours(AdoptedSize), false, back, Decision::ReadBack),
        Case(Some("s2"), Some("d"), ours(ServerChecked), false, plain, ifm("d")),
        Case(
            Some("s2"),
            Some("d"),
            ours(ServerChecked),
            false,
            never,
            Decision::Conflict(ConflictReason::Never),
        ),
        Case(
            Some("s"),
            Some("d2"),
            ours(ServerChecked),
            false,
            plain,
            Decision::Conflict(ConflictReason::Changed),
        ),
        Case(Some("s"), Some("d2"), ours(ServerChecked), false, always, ifm("d2")),
        Case(Some("s"), Some("d2"), ours(ServerChecked), true, plain, Decision::Recognise),
        Case(Some("s"), Some("d"), None, true, plain, Decision::Recognise),
        Case(Some("s"), Some("d"), None, false, plain, Decision::Conflict(ConflictReason::Foreign)),
        Case(Some("s"), Some("d"), None, false, content, Decision::Adopt(Adopt::Content)),
        Case(Some("s"), Some("d"), None, false, always, ifm("d")),
    ]
    .into_iter()
    .enumerate()
    {
        case.holds(i);
    }
}

#[test]
fn truth_table_of_attributes() {
    use Verdict::{AdoptedSize, ServerChecked};
    let plain = Policy::default();
    let check = Policy { check_attributes: true, ..plain };
    let ours = |verdict| Some(("s", "d", verdict));
    for (i, case) in [
        Case(Some("s"), Some("d"), ours(ServerChecked), true, plain, Decision::Attributes),
        Case(Some("s"), Some("d"), ours(AdoptedSize), true, plain, Decision::Keep(AdoptedSize)),
        Case(Some("s"), Some("d"), ours(ServerChecked), false, check, Decision::Attributes),
        Case(Some("s"), Some("d"), ours(AdoptedSize), false, check, Decision::Keep(AdoptedSize)),
        Case(Some("s2"), Some("d"), ours(ServerChecked), false, check, ifm("d")),
    ]
    .into_iter()
    .enumerate()
    {
        case.holds(i);
    }
}

#[test]
fn what_was_adopted_for_its_size_is_still_foreign_when_the_source_changes() {
    let (source, there, row) = (object("s2"), object("d"), row("s", "d", Verdict::AdoptedSize));
    let facts = Facts { source: Some(&source), destination: Some(&there), row: Some(&row), intent: None };
    let plain = Policy::default();
    assert_eq!(decide(facts, plain), Decision::Conflict(ConflictReason::Foreign));
    assert_eq!(decide(facts, Policy { overwrite: Overwrite::Always, ..plain }), ifm("d"));
    let content = Policy { adopt: Some(Adopt::Content), ..plain };
    assert_eq!(decide(facts, content), Decision::Adopt(Adopt::Content));
}

#[test]
fn an_archived_object_is_deferred_unless_it_is_done() {
    let mut source = object("s");
    source.tier = Some(Tier { name: "Archive".into(), class: TierClass::Archive });
    let facts = Facts { source: Some(&source), ..Facts::default() };
    assert_eq!(decide(facts, Policy::default()), Decision::Defer);
    let (there, row) = (object("d"), row("s", "d", Verdict::ServerChecked));
    let done = Facts { destination: Some(&there), row: Some(&row), ..facts };
    assert_eq!(decide(done, Policy::default()), Decision::Skip(Verdict::ServerChecked));
}

#[test]
fn attributes_need_no_content() {
    let (there, row) = (object("d"), row("s", "d", Verdict::ServerChecked));
    let mut source = object("s");
    source.modified = Some(Timestamp::from_second(8).unwrap());
    source.tier = Some(Tier { name: "Archive".into(), class: TierClass::Archive });
    let facts = Facts { source: Some(&source), destination: Some(&there), row: Some(&row), intent: None };
    assert_eq!(decide(facts, Policy::default()), Decision::Attributes, "an archived object has attributes");
    let adopted = Row { verdict: Verdict::AdoptedSize, ..row.clone() };
    let source = ObjectInfo { tier: None, ..source.clone() };
    let facts = Facts { source: Some(&source), row: Some(&adopted), ..facts };
    assert_eq!(decide(facts, Policy::default()), Decision::Conflict(ConflictReason::Foreign));
}

#[test]
fn what_is_listed_needs_no_check() {
    let (there, row) = (object("d"), row("s", "d", Verdict::ServerChecked));
    let mut source = object("s");
    let attributes = Attributes { tags: Some(cabotage_core::Tags::new()), ..Attributes::default() };
    source.attributes = Some(attributes);
    let facts = Facts { source: Some(&source), destination: Some(&there), row: Some(&row), intent: None };
    let check = Policy { check_attributes: true, ..Policy::default() };
    assert_eq!(decide(facts, check), Decision::Skip(Verdict::ServerChecked));
}

#[test]
fn changes() {
    let row = row("s", "d", Verdict::ServerChecked);
    let mut source = object("s");
    assert_eq!(change(&source, None), Change::New);
    assert_eq!(change(&source, Some(&row)), Change::Unchanged);
    source.modified = None;
    assert_eq!(change(&source, Some(&row)), Change::Attributes);
    source.size += 1;
    assert_eq!(change(&source, Some(&row)), Change::Changed);
    assert_eq!(change(&object("s2"), Some(&row)), Change::Changed);
}

#[test]
fn an_edit_that_keeps_the_etag_is_seen() {
    let (there, mut row) = (object("d"), row("s", "d", Verdict::ServerChecked));
    let mut source = object("s");
    source.modified = Some(Timestamp::from_second(8).unwrap());
    let decide_with = |source: &ObjectInfo, row: &Row| {
        decide(
            Facts { source: Some(source), destination: Some(&there), row: Some(row), intent: None },
            Policy::default(),
        )
    };
    assert_eq!(decide_with(&source, &row), Decision::Attributes);
    source.etag = Some(ETag::new("s2"));
    assert_eq!(decide_with(&source, &row), ifm("d"), "its content may be another");
    let mut source = object("s");
    let mut attributes =
        Attributes { tags: Some([("a".to_owned(), "b".to_owned())].into()), ..Attributes::default() };
    row.attributes = Some(attributes.digest());
    source.attributes = Some(attributes.clone());
    assert_eq!(decide_with(&source, &row), Decision::Skip(Verdict::ServerChecked));
    attributes.tags = Some([("a".to_owned(), "c".to_owned())].into());
    source.attributes = Some(attributes);
    assert_eq!(
        decide_with(&source, &row),
        Decision::Attributes,
        "a tag edit changes neither ETag nor time on Azure"
    );
}
