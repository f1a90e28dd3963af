//! `cabotage ls`.

use cabotage::{Location, Opened, Role, Target};
use cabotage_core::{
    Detail, ListItem, ListScope, ObjectInfo, Operation, RawKey, StorageExt as _, Timestamp, display_key,
    display_text,
};
use clap::Args;
use futures::TryStreamExt as _;
use serde_json::{Map, Value, json};

use crate::exit_code::Exit;
use crate::options::Common;
use crate::output::{Failure, Output};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// What to list
    location: String,
    /// Everything beneath it, instead of one level
    #[arg(short, long)]
    recursive: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &LsArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let location = Location::parse(&args.location)?;
    let opened = common.open(&location, &common.stores()?, Role::Source, Target::Folder, None).await?;
    let mut output = Output::new();
    let mut empty = true;
    let delimiter = (!args.recursive).then(|| "/".to_owned());
    let scope = ListScope { prefix: opened.prefix.clone(), delimiter, ..ListScope::default() };
    let label = opened.label.clone();
    let mut items =
        opened.store.list(scope).map_err(move |error| error.during(Operation::List).about(&label));
    while let Some(item) = items.try_next().await? {
        empty = false;
        show(&item, args.json, &mut output)?;
    }
    if empty && !show_object(&opened, args.json, &mut output).await? && !common.quiet {
        screen.line(&format!("note: there is nothing in {}", opened.label));
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// The object of exactly that name, where nothing is beneath it.
async fn show_object(opened: &Opened, as_json: bool, output: &mut Output) -> Result<bool, Failure> {
    let Some(key) = &opened.key else { return Ok(false) };
    let Some(info) = opened.store.find(key, Detail::Basic).await? else { return Ok(false) };
    show(&ListItem::Object(info), as_json, output)?;
    Ok(true)
}

fn show(item: &ListItem, as_json: bool, output: &mut Output) -> Result<(), Failure> {
    if as_json {
        return output.json(&as_value(item));
    }
    output.line(match item {
        ListItem::Object(info) | ListItem::Version(info) => object_line(info),
        ListItem::Prefix(prefix) => row("", "", "folder", &display_key(prefix.as_str())),
        ListItem::BadKey(raw) => row("", "", "bad name", &raw.display()),
    })
}

fn object_line(info: &ObjectInfo) -> String {
    let tier = info.tier.as_ref().map(|tier| display_text(&tier.name)).unwrap_or_default();
    let time = info.modified.map(time).unwrap_or_default();
    row(&info.size.to_string(), &time, &tier, &display_key(info.key.as_str()))
}

fn row(size: &str, time: &str, tier: &str, name: &str) -> String {
    format!("{size:>14}  {time:<20}  {tier:<12}  {name}")
}

/// UTC to the second: `2026-11-24T10:00:00Z`.
pub(crate) fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn as_value(item: &ListItem) -> Value {
    match item {
        ListItem::Object(info) => object(info).into(),
        ListItem::Version(info) => {
            let mut map = object(info);
            map.insert("older".into(), true.into());
            map.into()
        }
        ListItem::Prefix(prefix) => json!({ "prefix": prefix.as_str() }),
        ListItem::BadKey(raw) => json!({ "bad_key": raw.display(), "bytes": bytes(raw) }),
    }
}

fn bytes(raw: &RawKey) -> Vec<u8> {
    raw.as_bytes().to_vec()
}

/// What is known of an object; what isn't is left out.
pub(crate) fn object(info: &ObjectInfo) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    put("key", Some(info.key.as_str().into()));
    put("size", Some(info.size.into()));
    put("modified", info.modified.map(|at| at.to_string().into()));
    put("etag", info.etag.as_ref().map(|etag| etag.bare().into()));
    put("version", info.version.as_deref().map(Value::from));
    put("tier", info.tier.as_ref().map(|tier| tier.name.as_str().into()));
    put("form", serde_json::to_value(info.form).ok());
    map
}

#[cfg(test)]
mod tests {
    use cabotage_core::Key;

    use super::*;

    #[test]
    fn a_hostile_name_is_escaped_in_text_and_whole_in_json() {
        let key = "a\u{1b}[31m\n\u{202e}";
        let item = ListItem::Object(ObjectInfo::new(Key::new(key).unwrap(), 5));
        let ListItem::Object(info) = &item else { panic!("object") };
        assert!(object_line(info).ends_with("a\\u{1b}[31m\\n\\u{202e}"));
        let text = cabotage_engine::json_line(&as_value(&item)).unwrap();
        assert!(text.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["key"], key);
        let bad = as_value(&ListItem::BadKey(RawKey::new(*b"a\xff")));
        assert_eq!(bad, json!({ "bad_key": "a\\xff", "bytes": [97, 255] }));
    }

    #[test]
    fn times_are_utc_to_the_second() {
        assert_eq!(time("2026-11-24T10:00:00.123+02:00".parse().unwrap()), "2026-11-24T08:00:00Z");
    }
}
