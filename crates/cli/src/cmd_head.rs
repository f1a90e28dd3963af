//! `cabotage head`.

use cabotage::{Location, Opened, Place, Role, Target};
use cabotage_core::{Attributes, Detail, Error, ErrorKind, Key, ObjectInfo, display_key, display_text};
use clap::Args;
use serde_json::Value;

use crate::cmd_ls;
use crate::exit_code::Exit;
use crate::options::{Common, SseCKey};
use crate::output::{Failure, Output};

#[derive(Args, Debug)]
pub(crate) struct HeadArgs {
    /// The object
    location: String,
    #[command(flatten)]
    key: SseCKey,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &HeadArgs, common: &Common) -> Result<Exit, Failure> {
    let (opened, key) = open_object(&args.location, &args.key, common).await?;
    let info = opened.store.head(&key, Detail::WithTags).await?;
    let mut output = Output::new();
    if args.json {
        output.json(&as_value(&info))?;
    } else {
        for line in lines(&info) {
            output.line(line)?;
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// Opens a location that names an object.
pub(crate) async fn open_object(
    location: &str,
    key: &SseCKey,
    common: &Common,
) -> Result<(Opened, Key), Failure> {
    let location = Location::parse(location)?;
    let no_object = || {
        Error::new(ErrorKind::NotFound, "the location names no object")
            .about(location.to_string())
            .help("write the object's whole name after the bucket; 'cabotage ls' lists the names")
    };
    if !matches!(location.place(), Place::Local { .. } | Place::Named { .. }) {
        location.key().ok_or_else(no_object)?;
    }
    let opened = common
        .open(&location, &common.stores()?, Role::Source, Target::Object, key.sse_c_key_file.as_deref())
        .await?;
    let key = opened.key.clone().ok_or_else(no_object)?;
    Ok((opened, key))
}

fn lines(info: &ObjectInfo) -> Vec<String> {
    let mut lines = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{:<22}{value}", format!("{name}:")));
        }
    };
    put("key", Some(display_key(info.key.as_str())));
    put("size", Some(info.size.to_string()));
    put("modified", info.modified.map(cmd_ls::time));
    put("etag", info.etag.as_ref().map(ToString::to_string));
    put("version", info.version.as_deref().map(display_text));
    put("tier", info.tier.as_ref().map(|tier| display_text(&tier.name)));
    let attributes = info.attributes.clone().unwrap_or_default();
    for (name, value) in attributes.headers.entries() {
        put(name, value.map(display_text));
    }
    for (name, value) in &attributes.metadata {
        put(&format!("metadata {}", display_text(name)), Some(display_text(value)));
    }
    match &attributes.tags {
        None => {
            put("tags", Some("not known: the right to read them is missing, or the store has none".into()));
        }
        Some(tags) if tags.is_empty() => put("tags", Some("none".into())),
        Some(tags) => {
            for (name, value) in tags {
                put(&format!("tag {}", display_text(name)), Some(display_text(value)));
            }
        }
    }
    lines
}

fn as_value(info: &ObjectInfo) -> Value {
    let mut map = cmd_ls::object(info);
    let Attributes { headers, metadata, tags } = info.attributes.clone().unwrap_or_default();
    for (name, value) in [
        ("headers", serde_json::to_value(headers)),
        ("metadata", serde_json::to_value(metadata)),
        ("tags", serde_json::to_value(tags)),
    ] {
        map.insert(name.to_owned(), value.unwrap_or(Value::Null));
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_shown_escaped() {
        let mut info = ObjectInfo::new(Key::new("k").unwrap(), 1);
        info.attributes = Some(Attributes {
            metadata: [("na\u{1b}me".to_owned(), "va\nlue".to_owned())].into(),
            tags: Some([("t".to_owned(), "\u{202e}".to_owned())].into()),
            ..Attributes::default()
        });
        let text = lines(&info).join("|");
        assert!(text.contains("metadata na\\u{1b}me:  va\\nlue"), "{text}");
        assert!(text.contains("\\u{202e}"), "{text}");
        assert_eq!(as_value(&info)["tags"]["t"], "\u{202e}");
        info.attributes = None;
        assert!(lines(&info).join("|").contains("not known"));
        assert_eq!(as_value(&info)["tags"], Value::Null);
    }
}
