use cabotage_core::{Attributes, ETag};

use super::*;

const CUT: Cut = Cut { size: 25, part: 10 };
const CONTENT: &[u8] = b"0123456789abcdefghijKLMNO";

fn bytes(number: u32) -> &'static [u8] {
    let range = CUT.range(number);
    &CONTENT[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

fn sent(number: u32) -> DonePart {
    let etag = Some(ETag::new(&format!("e{number}")));
    DonePart { number, size: len(CUT, number), etag, sha256: Sha256::of(bytes(number)) }
}

fn told(number: u32) -> PartInfo {
    PartInfo { number, size: len(CUT, number), etag: sent(number).etag }
}

fn mark(parts: u32) -> HashMark {
    let mut hasher = Sha256Hasher::default();
    (1..=parts).for_each(|number| hasher.update(bytes(number)));
    HashMark { parts, state: hasher.state() }
}

fn kept(standing: &Standing) -> Vec<u32> {
    standing.kept.keys().copied().collect()
}

#[test]
fn what_is_told_as_it_was_sent_is_kept() {
    let standing =
        standing(CUT, DigestForm::Whole, Some(&mark(2)), &[1, 2, 3].map(sent), &[1, 2, 3].map(told));
    assert_eq!((kept(&standing), standing.hashed), (vec![1, 2, 3], 2));
    let (mut hasher, counted) = (standing.hasher.clone(), went_on(&standing, CUT, DigestForm::Whole));
    hasher.update(bytes(3));
    assert_eq!(hasher.finish(), Sha256::of(CONTENT));
    assert_eq!((counted.parts, counted.bytes, counted.read_again, counted.from_state), (3, 25, 5, true));
}

#[test]
fn what_is_told_otherwise_is_not_kept() {
    let sent_all = [1, 2, 3].map(sent);
    for (what, wrong) in [
        ("another ETag", PartInfo { etag: Some(ETag::new("x")), ..told(2) }),
        ("no ETag", PartInfo { etag: None, ..told(2) }),
        ("another size", PartInfo { size: 9, ..told(2) }),
        ("another number", PartInfo { number: 7, ..told(2) }),
    ] {
        let standing =
            standing(CUT, DigestForm::Whole, Some(&mark(3)), &sent_all, &[told(1), wrong, told(3)]);
        assert_eq!(kept(&standing), [1, 3], "{what}");
        assert_eq!(
            (standing.hashed, standing.digests.len()),
            (3, 3),
            "{what}: its digest is known all the same"
        );
    }
    let nameless = [DonePart { etag: None, ..sent(1) }];
    let unnamed = [PartInfo { etag: None, ..told(1) }];
    assert_eq!(
        kept(&standing(CUT, DigestForm::Whole, None, &nameless, &unnamed)),
        [0; 0],
        "no ETag proves nothing"
    );
    assert_eq!(
        kept(&standing(CUT, DigestForm::Whole, None, &[], &[1, 2, 3].map(told))),
        [0; 0],
        "not sent by this ledger"
    );
    let other_sizes = [DonePart { size: 8, ..sent(1) }, DonePart { number: 4, size: 0, ..sent(3) }];
    let seen = standing(CUT, DigestForm::Whole, None, &other_sizes, &[PartInfo { size: 8, ..told(1) }]);
    assert!(seen.kept.is_empty() && seen.digests.is_empty(), "cut otherwise");
}

#[test]
fn a_kept_state_that_proves_nothing_is_left_out() {
    let all = [1, 2, 3].map(sent);
    let mut damaged = mark(2);
    damaged.state[20] ^= 1;
    for (what, mark, sent) in [
        ("damaged", damaged, &all[..]),
        ("of other parts than it says", HashMark { parts: 3, ..mark(2) }, &all[..]),
        ("of more parts than there are", HashMark { parts: 4, ..mark(3) }, &all[..]),
        ("of a part that isn't recorded", mark(2), &all[..1]),
    ] {
        let standing = standing(CUT, DigestForm::Whole, Some(&mark), sent, &[1, 2, 3].map(told));
        assert_eq!((standing.hashed, standing.hasher.taken()), (0, 0), "{what}");
    }
    assert_eq!(
        standing(CUT, DigestForm::Whole, Some(&mark(3)), &all, &[]).hashed,
        3,
        "whether the server has them or not"
    );
}

#[test]
fn a_composite_needs_no_state_and_reads_no_kept_part_again() {
    let form = CUT.form();
    let standing = standing(CUT, form, Some(&mark(1)), &[1, 2].map(sent), &[1, 2].map(told));
    let counted = went_on(&standing, CUT, form);
    assert_eq!((kept(&standing), standing.hashed), (vec![1, 2], 3));
    assert_eq!((counted.parts, counted.bytes, counted.read_again, counted.from_state), (2, 20, 0, false));
    assert_eq!(standing.digests[&2], Sha256::of(bytes(2)));
}

#[test]
fn a_composite_of_other_parts_is_computed_from_the_first_byte() {
    let form = DigestForm::Composite { part_size: 7 };
    let standing = standing(CUT, form, Some(&mark(2)), &[1, 2].map(sent), &[1, 2].map(told));
    assert_eq!((kept(&standing), standing.hashed), (vec![1, 2], 0));
    assert_eq!(went_on(&standing, CUT, form).read_again, 20);
}

#[test]
fn other_options_are_told_apart() {
    let etag = |text: &str| WriteMode::IfMatch(ETag::new(text));
    let base = WriteOptions::default;
    let typed = |text: &str| {
        let mut attributes = Attributes::default();
        attributes.headers.content_type = Some(text.into());
        WriteOptions { attributes, ..base() }
    };
    let all = [
        started_with(&base(), None),
        started_with(&base(), Some("key")),
        started_with(&typed("text/plain"), None),
        started_with(&typed("text/html"), None),
        started_with(&WriteOptions { mode: WriteMode::Create, ..base() }, None),
        started_with(&WriteOptions { mode: etag("a"), ..base() }, None),
        started_with(&WriteOptions { mode: etag("b"), ..base() }, None),
        started_with(&WriteOptions { tier: Some("key".into()), ..base() }, None),
        started_with(&WriteOptions { modified: Some(Timestamp::UNIX_EPOCH), ..base() }, None),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(started_with(&typed("text/plain"), None), all[2]);
}
