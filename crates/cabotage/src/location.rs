//! Where objects are: a URL, a path, or a named store.

use std::fmt;
use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Key, Result, display_key};

/// A place in a store, as the user wrote it.
///
/// Everything after the bucket is literal: nothing is percent-decoded, no slash is merged, no dot resolved, so every
/// key can be written. As a folder (`migrate`, `ls`) `s3://b/data` and `s3://b/data/` both mean the keys that begin
/// with `data/`; as an object (`head`, `cat`) the text is the key. A `file:///…` URL is literal too: `%20` in it is
/// three characters, not a space (browsers and RFC 8089 would decode it).
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    place: Place,
    rest: String,
}

/// Which kind of store a location names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `az://container/…`
    Azure {
        /// The container.
        container: String,
    },
    /// `s3://bucket/…`
    S3 {
        /// The bucket.
        bucket: String,
    },
    /// A path or `file:///path`; nothing is left after it.
    Local {
        /// The path, relative to the working directory unless absolute.
        path: PathBuf,
    },
    /// `memory://name/…`: empty at the start, for tests.
    Memory {
        /// Its name.
        name: String,
    },
    /// `name:bucket/…` of a store in the configuration file.
    Named {
        /// The store's name.
        store: String,
        /// The bucket, container, or folder beneath the store's root.
        bucket: String,
    },
}

/// The schemes there are, for messages.
const KNOWN: &str = "az://container/prefix, s3://bucket/prefix, file:///path, a path, and name:bucket/prefix for a \
                     store of the configuration file";

impl Location {
    /// Reads a location. Whether a named store exists is found out on opening.
    ///
    /// # Errors
    /// `InvalidConfig` for an unknown scheme, a missing bucket, a user name or password in a URL, and for a relative
    /// path with a colon in its first segment, which could be meant as a named store: write it as `./a:b`. The text of
    /// a refused URL is not repeated beyond its scheme, since it may hold a secret.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(invalid("a location can't be empty").help(format!("write {KNOWN}")));
        }
        match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => Self::from_url(scheme, rest),
            _ => Self::from_path_or_name(text),
        }
    }

    fn from_url(scheme: &str, rest: &str) -> Result<Self> {
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            return Self::from_file_url(rest);
        }
        let (head, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if head.contains('@') {
            return Err(invalid(format!("a {scheme}:// location holds a user name or password")).help(
                "give credentials by the environment or a named store, and write only the bucket here",
            ));
        }
        let head = head.to_owned();
        let place = match scheme.as_str() {
            "az" => Place::Azure { container: bucket_name("container", head)? },
            "s3" => Place::S3 { bucket: bucket_name("bucket", head)? },
            "memory" => Place::Memory { name: bucket_name("name", head)? },
            _ => return Err(unknown_scheme(&scheme)),
        };
        Ok(Self { place, rest: rest.to_owned() })
    }

    fn from_file_url(rest: &str) -> Result<Self> {
        let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
        if !path.starts_with('/') {
            return Err(invalid("a file:// location names another host or a relative path")
                .help("write file:///absolute/path, or the path alone"));
        }
        Ok(Self::local(path))
    }

    fn from_path_or_name(text: &str) -> Result<Self> {
        let first = text.split('/').next().unwrap_or(text);
        let Some((store, _)) = first.split_once(':') else { return Ok(Self::local(text)) };
        if !is_store_name(store) {
            return Err(invalid(format!("'{store}' before the colon is no name of a store")).help(
                "store names are letters, digits, '-' and '_'; for a path with a colon write ./ before it",
            ));
        }
        let (bucket, rest) = match text[store.len() + 1..].split_once('/') {
            Some((bucket, rest)) => (bucket, rest),
            None => (&text[store.len() + 1..], ""),
        };
        let place = Place::Named { store: store.to_owned(), bucket: bucket.to_owned() };
        Ok(Self { place, rest: rest.to_owned() })
    }

    fn local(path: &str) -> Self {
        Self { place: Place::Local { path: path.into() }, rest: String::new() }
    }

    /// Which store.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What comes after the bucket and its slash, literally; empty for a path.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// The location as a folder: empty, or ending in `/`.
    #[must_use]
    pub fn prefix(&self) -> String {
        match self.rest.as_str() {
            "" => String::new(),
            rest if rest.ends_with('/') => rest.to_owned(),
            rest => format!("{rest}/"),
        }
    }

    /// The location as an object's name; none when nothing follows the bucket.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        Key::new(self.rest.as_str()).ok()
    }
}

impl fmt::Display for Location {
    /// As the user wrote it, escaped for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, rest) = match &self.place {
            Place::Azure { container } => (format!("az://{container}"), &self.rest),
            Place::S3 { bucket } => (format!("s3://{bucket}"), &self.rest),
            Place::Memory { name } => (format!("memory://{name}"), &self.rest),
            Place::Named { store, bucket } => (format!("{store}:{bucket}"), &self.rest),
            Place::Local { path } => return f.write_str(&display_key(&path.to_string_lossy())),
        };
        f.write_str(&display_key(&head))?;
        if rest.is_empty() { Ok(()) } else { write!(f, "/{}", display_key(rest)) }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// A name that goes into a request's path or host: letters, digits, `.`, `-`, `_`, and a leading `$` (Azure's `$web`).
pub(crate) fn bucket_name(what: &str, name: String) -> Result<String> {
    if name.is_empty() {
        return Err(invalid(format!("the location names no {what}")).help(format!("write {KNOWN}")));
    }
    let bare = name.strip_prefix('$').unwrap_or(&name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bare.is_empty() || !bare.chars().all(allowed) || bare.chars().all(|c| c == '.') {
        return Err(invalid(format!("'{name}' can't be the name of a {what}"))
            .help("such names are letters, digits, '-', '_' and '.'"));
    }
    Ok(name)
}

fn unknown_scheme(scheme: &str) -> Error {
    let error = invalid(format!("there is no scheme '{scheme}://'"));
    if scheme == "http" || scheme == "https" {
        return error.help(
            "a location is az://container/prefix or s3://bucket/prefix; the server's URL goes into \
             AZURE_STORAGE_CONNECTION_STRING, AWS_ENDPOINT_URL_S3 or a named store",
        );
    }
    error.help(format!("the locations are {KNOWN}"))
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Whether a text can be the name of a store.
pub(crate) fn is_store_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn invalid(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
