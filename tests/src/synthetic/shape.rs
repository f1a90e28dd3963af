//! How names are made: from a number, so that greater numbers give names that are greater by their bytes.

use std::fmt::Write as _;
use std::str::FromStr;

/// What a namespace looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All in one folder.
    Flat,
    /// Nine folders deep, names of about 110 bytes.
    Deep,
    /// Half of all in the first folder, half of the rest in the second, and so on.
    Skewed,
    /// Names with everything that a name may hold: dot segments, double slashes, percent signs, control characters, letters
    /// above U+FFFF, folders of 600 bytes.
    Hostile,
}

/// Folders of hostile names, and what they end with: in the order of their bytes; none begins with another.
const FOLDERS: [&str; 16] = [
    "\u{1}\u{7f}/",
    " blanks /",
    "!/%2F%2e%2e/",
    "#?&=+/",
    "../",
    "./",
    "//",
    "C:\\con/",
    "LONG/",
    "e\u{301}/",
    "~{/",
    "\u{e9}/",
    "\u{202e}rtl/",
    "\u{ff5e}/",
    "\u{1f600}/",
    "\u{10ffff}/",
];
const TAILS: [&str; 16] = [
    "\t",
    "\n",
    " ",
    "\"",
    "%00",
    "'",
    "+",
    "..",
    "/",
    ";",
    "<x>",
    "\\",
    "\u{7f}",
    "\u{fffd}",
    "\u{1f4a9}",
    "\u{10fffd}",
];
/// What hostile namespaces' sizes are multiples of.
const HOSTILE_STEP: u64 = (FOLDERS.len() * TAILS.len()) as u64;

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Flat, Self::Deep, Self::Skewed, Self::Hostile];

    /// As it is named on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Deep => "deep",
            Self::Skewed => "skewed",
            Self::Hostile => "hostile",
        }
    }

    /// The number of objects, rounded up to what the shape can have.
    pub(super) fn rounded(self, objects: u64) -> u64 {
        if self == Self::Hostile { objects.next_multiple_of(HOSTILE_STEP) } else { objects }
    }

    /// The name of object `i` of `objects`.
    pub(super) fn object_name(self, i: u64, objects: u64) -> String {
        match self {
            Self::Flat => format!("scans/object-{i:010}.dcm"),
            Self::Deep => deep(i),
            Self::Skewed => skewed(i, objects),
            Self::Hostile => hostile(i, objects),
        }
    }

    /// The numbers in the order of the names' UTF-16 code units.
    pub(super) fn in_utf16_order(self, objects: u64) -> Box<dyn Iterator<Item = u64> + Send> {
        if self != Self::Hostile {
            return Box::new(0..objects);
        }
        let per_folder = objects / FOLDERS.len() as u64;
        let tails = TAILS.len() as u64;
        Box::new(by_utf16(&FOLDERS).into_iter().flat_map(move |folder| {
            let order = by_utf16(&TAILS);
            (0..per_folder / tails).flat_map(move |middle| {
                let first = folder * per_folder + middle * tails;
                order.clone().into_iter().map(move |tail| first + tail)
            })
        }))
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|shape| shape.name() == text);
        found.ok_or_else(|| format!("there is no shape {text}; there are flat, deep, skewed and hostile"))
    }
}

/// Digits of mixed radices: a national archive by region, hospital, year, month, day, patient, study and series.
fn deep(i: u64) -> String {
    const LEVELS: [(&str, u64, usize); 8] = [
        ("hospital", 16, 4),
        ("year", 10, 4),
        ("month", 12, 2),
        ("day", 28, 2),
        ("patient", 20, 6),
        ("study", 3, 2),
        ("series", 4, 2),
        ("instance", 50, 6),
    ];
    let mut digits = [0; LEVELS.len()];
    let mut rest = i;
    for (digit, (_, radix, _)) in digits.iter_mut().zip(LEVELS).rev() {
        *digit = rest % radix;
        rest /= radix;
    }
    let mut name = format!("region-{rest:04}");
    for ((level, _, width), digit) in LEVELS.into_iter().zip(digits) {
        let _ = write!(name, "/{level}-{digit:0width$}");
    }
    name + ".dcm"
}

fn skewed(i: u64, objects: u64) -> String {
    let folder = (objects / (objects - i)).ilog2();
    format!("share-{folder:02}/object-{i:010}.bin")
}

fn hostile(i: u64, objects: u64) -> String {
    let per_folder = objects / FOLDERS.len() as u64;
    let (folder, within) = ((i / per_folder) as usize, i % per_folder);
    let (middle, tail) = (within / TAILS.len() as u64, (within % TAILS.len() as u64) as usize);
    let long = if FOLDERS[folder] == "LONG/" { "long-".repeat(120) } else { String::new() };
    format!("{}{long}{middle:08}{}", FOLDERS[folder], TAILS[tail])
}

fn by_utf16(symbols: &[&str]) -> Vec<u64> {
    let mut order: Vec<u64> = (0..symbols.len() as u64).collect();
    order.sort_by(|a, b| symbols[*a as usize].encode_utf16().cmp(symbols[*b as usize].encode_utf16()));
    order
}
