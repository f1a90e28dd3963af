use cabotage_core::{Digest, ETag, Key, Sha256, Timestamp};

use super::*;

const WRITTEN: &[u8] = b"written";

fn info(etag: &str, size: u64) -> ObjectInfo {
    let mut info = ObjectInfo::new(Key::new("k").unwrap(), size);
    info.etag = Some(ETag::new(etag));
    info
}

fn row() -> Row {
    Row {
        source_etag: Some(ETag::new("s")),
        destination_etag: Some(ETag::new("d")),
        sha256: Some(ContentSha256::whole(Sha256::of(WRITTEN))),
        name: "k".into(),
        source_modified: None,
        size: 7,
        destination_version: None,
        attributes: None,
        verdict: Verdict::ServerChecked,
        losses: Vec::new(),
        in_sidecar: false,
        run: 1,
        finished: Timestamp::UNIX_EPOCH,
        attempts: 1,
        started: Timestamp::UNIX_EPOCH,
        destination_attributes: None,
    }
}

/// Levels as letters: what was read of the source, of the destination; `-` for nothing.
fn read(source: &str, destination: &str) -> Read {
    let digest = |text: &str| (text != "-").then(|| ContentSha256::whole(Sha256::of(text.as_bytes())));
    Read { source: digest(source), destination: digest(destination) }
}

fn name(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Proven(proof) => serde_json::to_value(proof).unwrap().as_str().unwrap().to_owned(),
        Judgement::Found(finding, _) => finding.kind.as_str().to_owned(),
    }
}

#[test]
fn table() {
    let (source, there) = (info("s", 7), info("d", 7));
    let (changed, rewritten) = (info("s2", 7), info("d2", 7));
    let (grown, cut) = (info("s2", 9), info("d2", 3));
    for (source, there, read, expected) in [
        (&source, &there, read("-", "-"), "ledger-listing"),
        (&source, &there, read("-", "written"), "ledger-read"),
        (&source, &there, read("written", "-"), "read-listing"),
        (&source, &there, read("written", "written"), "read-read"),
        (&source, &there, read("-", "flipped"), "content-differs"),
        (&source, &there, read("written", "flipped"), "content-differs"),
        (&source, &there, read("rotten", "-"), "content-differs"),
        (&source, &there, read("rotten", "written"), "content-differs"),
        (&source, &cut, read("-", "-"), "size-differs"),
        (&source, &cut, read("-", "wri"), "size-differs"),
        (&source, &rewritten, read("-", "-"), "etag-changed"),
        (&source, &rewritten, read("written", "-"), "etag-changed"),
        (&source, &rewritten, read("-", "written"), "ledger-read"),
        (&source, &rewritten, read("-", "flipped"), "content-differs"),
        (&changed, &there, read("-", "-"), "source-changed"),
        (&changed, &there, read("-", "written"), "source-changed"),
        (&changed, &there, read("-", "flipped"), "content-differs"),
        (&changed, &there, read("written", "-"), "read-listing"),
        (&changed, &there, read("new", "-"), "source-changed"),
        (&changed, &there, read("new", "written"), "source-changed"),
        (&changed, &rewritten, read("new", "new"), "read-read"),
        (&changed, &rewritten, read("-", "written"), "source-changed"),
        (&grown, &there, read("-", "-"), "source-changed"),
        (&grown, &cut, read("-", "-"), "size-differs"),
    ] {
        let pair = Pair { source, destination: there, row: Some(&row()) };
        assert_eq!(name(&judge(pair, read)), expected, "{source:?} {there:?} {read:?}");
    }
}

#[test]
fn the_ledger_proves_what_it_says_and_no_more() {
    let (source, there) = (info("s", 7), info("d", 7));
    for (row, read, expected) in [
        (Row { verdict: Verdict::StoredUnread, ..row() }, read("-", "-"), "not-proven"),
        (Row { verdict: Verdict::StoredUnread, ..row() }, read("written", "-"), "not-proven"),
        (Row { verdict: Verdict::StoredUnread, ..row() }, read("-", "written"), "ledger-read"),
        (Row { verdict: Verdict::ReadBack, ..row() }, read("-", "-"), "ledger-listing"),
        (Row { verdict: Verdict::AdoptedSize, sha256: None, ..row() }, read("-", "-"), "size"),
        (Row { verdict: Verdict::AdoptedSize, sha256: None, ..row() }, read("-", "written"), "size"),
        (Row { verdict: Verdict::AdoptedSize, sha256: None, ..row() }, read("a", "a"), "read-read"),
        (Row { verdict: Verdict::AdoptedSize, sha256: None, ..row() }, read("a", "b"), "content-differs"),
        (Row { source_etag: None, ..row() }, read("-", "-"), "not-proven"),
        (Row { source_etag: None, ..row() }, read("new", "new"), "read-read"),
    ] {
        let pair = Pair { source: &source, destination: &there, row: Some(&row) };
        assert_eq!(name(&judge(pair, read)), expected, "{row:?} {read:?}");
    }
}

#[test]
fn an_edit_of_attributes_changes_no_content() {
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    let source = ObjectInfo { modified: at(5), ..info("s", 7) };
    let row = Row { source_modified: at(5), attributes: Some(Sha256::of(b"others")), ..row() };
    let pair = Pair { source: &source, destination: &info("d", 7), row: Some(&row) };
    assert_eq!(name(&judge(pair, read("-", "-"))), "ledger-listing");
    let later = ObjectInfo { modified: at(6), ..source.clone() };
    let pair = Pair { source: &later, ..pair };
    assert_eq!(name(&judge(pair, read("-", "-"))), "source-changed");
}

#[test]
fn without_a_ledger_what_is_published_counts() {
    let md5 = "00112233445566778899aabbccddeeff";
    let with = |info: ObjectInfo, algorithm: Algorithm, scope: DigestScope, hex: &str| {
        let value = hex::decode(hex).unwrap();
        ObjectInfo { digests: vec![Digest { algorithm, scope, value }], ..info }
    };
    let azure = |hex: &str| with(info("0x8D", 7), Algorithm::Md5, DigestScope::Whole, hex);
    let other = "ff112233445566778899aabbccddeeff";
    for (source, there, expected) in [
        (azure(md5), info(md5, 7), "published"),
        (azure(md5), info(other, 7), "size"),
        (azure(md5), azure(other), "content-differs"),
        (azure(md5), info(&format!("{md5}-2"), 7), "size"),
        (info(md5, 7), info(md5, 7), "published"),
        (info("a", 7), info("a", 7), "size"),
        (azure(md5), with(info("x", 7), Algorithm::Sha256, DigestScope::Whole, md5), "size"),
        (azure(md5), with(info("x", 7), Algorithm::Md5, DigestScope::Composite { parts: 2 }, md5), "size"),
        (azure(md5), info(md5, 8), "size-differs"),
    ] {
        let pair = Pair { source: &source, destination: &there, row: None };
        assert_eq!(name(&judge(pair, Read::default())), expected, "{source:?} {there:?}");
    }
}

#[test]
fn exchanged_contents_carry_marks_that_match_crosswise() {
    let found = |etag: &str, size: u64, read: Read| {
        let there = info(etag, size);
        match judge(Pair { source: &info("s", 7), destination: &there, row: Some(&row()) }, read) {
            Judgement::Found(_, marks) => marks.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let sha256 = |text: &[u8]| Mark::Sha256(ContentSha256::whole(Sha256::of(text)));
    let both = found("d", 7, read("-", "other"));
    assert_eq!(both, Marks { expected: sha256(WRITTEN), found: sha256(b"other") });
    assert_eq!(found("d2", 3, read("-", "wri")).found, sha256(b"wri"), "sizes may differ");
    let etags = Marks { expected: Mark::ETag("d".into()), found: Mark::ETag("d2".into()) };
    assert_eq!(found("d2", 7, Read::default()), etags);
    assert_eq!(found("d2", 3, Read::default()), etags);
}
