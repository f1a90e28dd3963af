//! Which objects a run takes.

use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Result};
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Filters by relative name, and an optional list of names.
///
/// A glob without `/` matches the last segment (`*.dcm`), one with `/` the whole name relative to the source's prefix
/// (`2024/**`). `*` and `?` don't cross a `/`, `**` does. With includes, an object must match one; an exclude wins.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Option<Globs>,
    exclude: Option<Globs>,
    patterns: (Vec<String>, Vec<String>),
    /// Only these names, one a line (or NUL-separated).
    pub keys_from: Option<KeysFile>,
}

/// A file of names relative to the source's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether names end in NUL instead of a newline.
    pub null_separated: bool,
}

#[derive(Clone, Debug)]
struct Globs {
    whole: GlobSet,
    last_segment: GlobSet,
}

impl Selection {
    /// Compiles the globs.
    ///
    /// # Errors
    /// `InvalidConfig` naming the glob.
    pub fn new(include: &[String], exclude: &[String], keys_from: Option<KeysFile>) -> Result<Self> {
        Ok(Self {
            include: Globs::new("--include", include)?,
            exclude: Globs::new("--exclude", exclude)?,
            patterns: (include.to_vec(), exclude.to_vec()),
            keys_from,
        })
    }

    /// The globs as they were given: includes and excludes.
    pub(crate) fn patterns(&self) -> (&[String], &[String]) {
        (&self.patterns.0, &self.patterns.1)
    }

    /// Whether the object of that relative name is taken.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|globs| globs.matches(name))
            && !self.exclude.as_ref().is_some_and(|globs| globs.matches(name))
    }
}

impl Globs {
    fn new(flag: &str, patterns: &[String]) -> Result<Option<Self>> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let (mut whole, mut last_segment) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let set = if pattern.contains('/') { &mut whole } else { &mut last_segment };
            set.add(compile(flag, pattern)?);
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|error| {
                Error::new(ErrorKind::InvalidConfig, format!("{flag}: the globs can't be combined: {error}"))
            })
        };
        Ok(Some(Self { whole: build(whole)?, last_segment: build(last_segment)? }))
    }

    fn matches(&self, name: &str) -> bool {
        let last = name.rsplit('/').next().unwrap_or(name);
        self.whole.is_match(name) || self.last_segment.is_match(last)
    }
}

fn compile(flag: &str, pattern: &str) -> Result<Glob> {
    GlobBuilder::new(pattern.trim_start_matches('/'))
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, format!("{flag} '{pattern}' is no glob: {}", error.kind()))
                .help("'*' and '?' stay within a segment, '**' crosses '/', '[...]' and '{a,b}' choose")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let own = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        Selection::new(&own(include), &own(exclude), None).unwrap()
    }

    #[test]
    fn table() {
        for (include, exclude, name, taken) in [
            (&[][..], &[][..], "any/thing", true),
            (&["*.dcm"], &[], "a/b/c.dcm", true),
            (&["*.dcm"], &[], "a/b.dcm/c", false),
            (&["2024/**"], &[], "2024/a/b", true),
            (&["2024/*"], &[], "2024/a/b", false),
            (&["2024/**"], &[], "x/2024/a", false),
            (&["**/x/*"], &[], "a/b/x/c", true),
            (&["*.dcm"], &["a/**"], "a/b.dcm", false),
            (&[], &["*.tmp"], "a/b.tmp", false),
            (&[], &["*.tmp"], "a//b", true),
        ] {
            assert_eq!(selection(include, exclude).takes(name), taken, "{include:?} {exclude:?} {name}");
        }
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = Selection::new(&["[a".into()], &[], None).unwrap_err();
        assert!(error.to_string().contains("--include '[a'"), "{error}");
    }
}
