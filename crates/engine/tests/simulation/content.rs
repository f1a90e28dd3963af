//! Names, contents and attributes.

use std::sync::LazyLock;

use bytes::Bytes;
use cabotage_core::{Attributes, ContentHeaders};
use rand::{RngCore as _, SeedableRng as _};

use crate::dice::Dice;

const POOL: usize = 12 << 20;

/// Random bytes that all contents are cut from: a content costs no memory and no time of its own.
static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let mut bytes = vec![0; POOL];
    rand::rngs::StdRng::seed_from_u64(1).fill_bytes(&mut bytes);
    bytes.into()
});

const HOSTILE: &[&str] = &[
    "a b",
    " a",
    "a ",
    "a+b",
    "100%",
    "a%2Fb",
    "a?b=c",
    "a#b",
    "a//b",
    "/a",
    "a/",
    "../k",
    "a/./b",
    "..",
    "a\\b",
    "a\nb",
    "\u{1b}[31m",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{1F600}",
    "\u{FF5E}",
    "\u{E000}z",
    "\u{202e}txt",
    "\u{0}",
    "\"quoted\"",
    "a'b",
];

/// Up to that many different names, relative to the prefixes; perhaps the empty one, a folder's marker.
pub fn names(dice: &mut Dice, count: u64) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|number| name(dice, number)).collect();
    names.sort();
    names.dedup();
    names
}

fn name(dice: &mut Dice, number: u64) -> String {
    match dice.below(20) {
        0..=5 => (*dice.pick(HOSTILE)).to_owned(),
        6 => format!("{}/{}", dice.pick(HOSTILE), dice.pick(HOSTILE)),
        7 => "n".repeat(200 + usize::try_from(number).unwrap()),
        8 if dice.chance(0.2) => String::new(),
        _ => format!("{}/{number:02}", dice.pick(&["a", "b", "2024/01", "b/c"])),
    }
}

/// A size in bytes.
pub fn size(dice: &mut Dice, large: bool) -> u64 {
    match dice.below(10) {
        _ if large => dice.within(2 << 20..7 << 20),
        0 => dice.below(3),
        1..=4 => dice.below(2_000),
        5 => dice.within(250_000..300_000),
        _ => dice.below(100_000),
    }
}

/// A content of that size.
pub fn content(dice: &mut Dice, size: u64) -> Bytes {
    let size = usize::try_from(size).unwrap();
    let start = usize::try_from(dice.below((POOL - size) as u64)).unwrap();
    BYTES.slice(start..start + size)
}

/// Headers, metadata and tags; none for most.
pub fn attributes(dice: &mut Dice) -> Attributes {
    if dice.chance(0.5) {
        return Attributes { tags: Some(Default::default()), ..Attributes::default() };
    }
    let mut headers = ContentHeaders::default();
    if dice.chance(0.5) {
        headers.content_type = Some((*dice.pick(&["text/plain", "application/dicom"])).to_owned());
    }
    if dice.chance(0.2) {
        headers.cache_control = Some("no-store".into());
    }
    let pairs = |dice: &mut Dice, names: &[&str]| {
        let count = dice.below(3);
        (0..count)
            .map(|_| ((*dice.pick(names)).to_owned(), format!("v{}", dice.below(5))))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let metadata = pairs(dice, &["owner", "kind", "Owner", "study_id"]);
    let tags = pairs(dice, &["site", "phase"]).into_iter().collect();
    Attributes { headers, metadata, tags: Some(tags) }
}

/// The same bytes but for one; empty ones stay.
pub fn flipped(dice: &mut Dice, bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() {
        let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1;
    }
    bytes.into()
}
