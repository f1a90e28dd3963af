//! Keys and paths: see the table of the crate.

use cabotage_core::Key;

/// The folder below the root that is the adapter's own.
pub(crate) const OWN: &str = ".cabotage";
/// Longest name of a file in bytes (Linux).
const NAME_MAX: usize = 255;
/// Longest piece of a name that is cut up.
const PIECE: usize = 240;

/// What the end of a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Plain,
    /// The segment goes on in the folder of that name.
    More,
    /// A folder beside a file of the plain name.
    Dir,
    /// A file beside a folder of the plain name.
    File,
}

impl Mark {
    const MARKED: [Self; 3] = [Self::More, Self::Dir, Self::File];

    fn text(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::More => "~{+}",
            Self::Dir => "~{dir}",
            Self::File => "~{file}",
        }
    }
}

/// The names that a segment can have on disk: several where it is cut up, each but the last a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forms {
    pub plain: Vec<String>,
    /// For when the plain one is occupied by what is not of its kind.
    pub other: Vec<String>,
}

/// Where a key belongs.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub folders: Vec<Forms>,
    pub file: Forms,
}

impl Names {
    pub fn of(key: &Key) -> Self {
        let mut folders: Vec<Forms> = Vec::new();
        let mut rest = key.as_str();
        while let Some((segment, after)) = rest.split_once('/') {
            folders.push(Forms::folder(segment, folders.is_empty()));
            rest = after;
        }
        let file = Forms {
            plain: names(rest, folders.is_empty(), Mark::Plain),
            other: names(rest, folders.is_empty(), Mark::File),
        };
        Self { folders, file }
    }
}

impl Forms {
    /// Of a folder; `top` when it is right below the root.
    pub fn folder(segment: &str, top: bool) -> Self {
        Self { plain: names(segment, top, Mark::Plain), other: names(segment, top, Mark::Dir) }
    }
}

/// The names on disk of a segment that ends in that mark.
pub(crate) fn names(segment: &str, top: bool, mark: Mark) -> Vec<String> {
    let whole = escape(segment, top);
    if whole.len() + mark.text().len() <= NAME_MAX {
        return vec![whole + mark.text()];
    }
    let mut out = Vec::new();
    let mut rest = segment;
    while escape(rest, false).len() > PIECE {
        let (piece, after) = rest.split_at(cut(rest));
        out.push(escape(piece, false) + Mark::More.text());
        rest = after;
    }
    out.push(escape(rest, false) + mark.text());
    out
}

/// Where to cut so that as much as possible fits into a piece.
fn cut(text: &str) -> usize {
    let fits = |end: &usize| text.is_char_boundary(*end) && escape(&text[..*end], false).len() <= PIECE;
    (1..=PIECE.min(text.len())).rev().find(fits).unwrap_or(text.len())
}

/// One name, without its mark.
fn escape(text: &str, top: bool) -> String {
    match text {
        "" => "~{}".to_owned(),
        "." => "~{2e}".to_owned(),
        ".." => "~{2e}.".to_owned(),
        own if top && own.eq_ignore_ascii_case(OWN) => format!("~{{2e}}{}", &own[1..]),
        text => text.replace("~{", "~{7e}{").replace('\0', "~{00}"),
    }
}

/// What a name on disk says: text and mark. `None` when it is malformed; that it is the form which [`names`] gives is
/// for the caller to check.
pub(crate) fn parse(name: &str) -> Option<(String, Mark)> {
    let mark = Mark::MARKED.into_iter().find(|mark| name.ends_with(mark.text())).unwrap_or(Mark::Plain);
    let body = &name[..name.len() - mark.text().len()];
    if body == "~{}" {
        return Some((String::new(), mark));
    }
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("~{") {
        out.push_str(before);
        let (code, after) = after.split_once('}')?;
        out.push(match code {
            "00" => '\0',
            "2e" => '.',
            "7e" => '~',
            _ => return None,
        });
        rest = after;
    }
    out.push_str(rest);
    (!body.is_empty()).then_some((out, mark))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
