//! Where to cut a range whose rest nobody knows.
//!
//! Half way by bytes is no good choice: names share long beginnings, and nearly all that bytes allow is empty. What is
//! known is a name at the range's beginning, the name that was told last, and where the range ends. From them follows a
//! beginning that all the rest shares, and how deep the names were seen to differ. Between the two, half of the depth is
//! tried: "is there anything behind all that begins like this?". If not, the range now ends there, its rest shares that
//! longer beginning, and the next try goes deeper; a few tries find the character by which the names differ. From then on that
//! character's kind (a digit, a letter) tells the middle.
//!
//! Names here are cut between characters, and only at characters below U+E000, so that a cut separates the same names in a
//! listing that goes by UTF-16.

use cabotage_core::ListOrder;

/// The name at which to cut what lies between `told` and `through`; it belongs to the first part. `witness` is a name that
/// lies before. `None` where no cut is known.
pub(super) fn cut(witness: &str, told: &str, through: Option<&str>) -> Option<String> {
    let Shared { len, below } = shared(told, through);
    let (beginning, rest) = told.split_at(len);
    let here = rest.chars().next()?;
    let seen = common(witness, told);
    let cut = match below {
        Some(end) => match middle(here, end) {
            Some(middle) => format!("{beginning}{middle}"),
            None => format!("{beginning}{end}"),
        },
        None if seen <= len => match middle(here, last_of_kind(here)) {
            Some(middle) => format!("{beginning}{middle}"),
            None => behind(&told[..len + here.len_utf8()])?,
        },
        None => behind(half(told, len, seen))?,
    };
    let between = cut.as_str() > told && through.is_none_or(|through| cut.as_str() < through);
    (between && ListOrder::Utf16.goes_on_as_bytes_after(&cut)).then_some(cut)
}

/// How much is left to choose from: bytes that all names of the rest share. Fewer are wider.
pub(super) fn depth(told: &str, through: Option<&str>) -> usize {
    shared(told, through).len
}

struct Shared {
    /// Bytes of `told` that the whole rest begins with.
    len: usize,
    /// The greatest character that may follow; `None`: any.
    below: Option<char>,
}

fn shared(told: &str, through: Option<&str>) -> Shared {
    let Some(through) = through else { return Shared { len: 0, below: None } };
    let len = common(told, through);
    let mut ends = through[len..].chars();
    let (Some(here), Some(end)) = (told[len..].chars().next(), ends.next()) else {
        return Shared { len, below: None };
    };
    // Nothing but the end itself begins as the end does.
    if ends.as_str().is_empty() && following(here) == Some(end) {
        return Shared { len: len + here.len_utf8(), below: None };
    }
    Shared { len, below: Some(end) }
}

/// Bytes of the characters with which both begin.
fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// The beginning of `told` that is half way, in characters and rounded up, between those two lengths.
fn half(told: &str, from: usize, to: usize) -> &str {
    let between = told[from..to].chars().count();
    let taken: usize = told[from..].chars().take(between.div_ceil(2)).map(char::len_utf8).sum();
    &told[..from + taken]
}

/// The smallest name that comes after all that begin so, as far as its last character has one that follows.
fn behind(beginning: &str) -> Option<String> {
    let last = beginning.chars().next_back()?;
    let stem = &beginning[..beginning.len() - last.len_utf8()];
    Some(format!("{stem}{}", following(last)?))
}

/// The next character that stores take in a name: backslashes and control characters are left out.
fn following(c: char) -> Option<char> {
    let next = std::iter::successors(char::from_u32(u32::from(c) + 1), |c| char::from_u32(u32::from(*c) + 1));
    next.into_iter().find(|c| *c != '\\' && !c.is_control())
}

fn middle(low: char, high: char) -> Option<char> {
    let (low, high) = (u32::from(low), u32::from(high));
    let middle = low + high.checked_sub(low)?.div_ceil(2);
    char::from_u32(middle).filter(|_| middle > low && middle < high)
}

fn last_of_kind(c: char) -> char {
    match c {
        '0'..='9' => '9',
        'A'..='Z' => 'Z',
        'a'..='z' => 'z',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_cut() {
        for (witness, told, through, expected) in [
            // Half of the depth to which names were seen to differ, then deeper where nothing was behind.
            ("obj-0000000", "obj-0003000", None, Some("obj.")),
            ("obj-0000000", "obj-0003000", Some("obj."), Some("obj-01")),
            // Beyond that, what is known to differ is a digit.
            ("obj-0003000", "obj-0103000", Some("obj."), Some("obj-1")),
            ("obj-0003000", "obj-0103000", Some("obj-1"), Some("obj-05")),
            ("obj-0003000", "obj-0103000", Some("obj-05"), Some("obj-03")),
            ("obj-0003000", "obj-0103000", Some("obj-02"), Some("obj-015")),
            ("m", "n", None, Some("t")),
            ("8", "9", None, Some(":")),
            ("a-", "a/x", None, Some("b")),
            ("[", "[", None, Some("]")),
            ("~", "~", None, Some("\u{a0}")),
            ("a-", "a/x", Some("a0b"), Some("a0")),
            // No name lies between, or none that both orders agree on.
            ("", "", None, None),
            ("a", "a", Some("a\0"), None),
            ("a", "ab", Some("ab"), None),
            ("\u{10fffe}", "\u{10ffff}", None, None),
            ("\u{fffd}", "\u{fffe}", None, None),
            ("é", "é", Some("éa"), None),
        ] {
            assert_eq!(cut(witness, told, through).as_deref(), expected, "{witness} {told} {through:?}");
        }
    }

    #[test]
    fn what_the_rest_shares() {
        assert_eq!(depth("abc", None), 0);
        assert_eq!(depth("abc", Some("ac")), 2, "all begin with ab");
        assert_eq!(depth("abc", Some("ad")), 1);
        assert_eq!(depth("éa", Some("éc")), 2);
    }
}
