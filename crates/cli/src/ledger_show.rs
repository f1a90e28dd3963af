//! `cabotage ledger show`.

use cabotage_core::{ETag, Error, ErrorKind, Result, Sha256, Timestamp, display_key, display_text};
use cabotage_engine::{DonePart, Intent, LedgerReader, OpenUpload, Row, ToldSha256, Trouble};
use clap::Args;
use serde_json::{Value, json};

use crate::cmd_failures;
use crate::exit_code::Exit;
use crate::ledgers::{Ledgers, RunName, StateArg};
use crate::options::Common;
use crate::output::{Failure, Output};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The ledger, or one of its runs, as `cabotage runs` names it
    run: RunName,
    /// The object's name, relative to the source
    key: String,
    #[command(flatten)]
    state: StateArg,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// All that a ledger has of an object.
struct Known {
    row: Option<Row>,
    intent: Option<Intent>,
    upload: Option<(OpenUpload, Vec<DonePart>)>,
    trouble: Option<Trouble>,
}

pub(crate) fn run(args: &ShowArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let ledgers = Ledgers::open(&args.state, common, screen)?;
    let (ledger, _) = ledgers.find(&args.run)?;
    let known = Known::of(&ledger.reader, &args.key)?;
    if known.is_nothing() {
        let text = format!("the ledger {} has nothing of '{}'", ledger.name, args.key);
        return Err(Error::new(ErrorKind::NotFound, text)
            .help("names are relative to the source of the job")
            .into());
    }
    let value = known.as_value(&args.key);
    let mut output = Output::new();
    if args.json {
        output.json(&value)?;
    } else {
        output.line(row("key", &display_key(&args.key)))?;
        for section in ["object", "intent", "upload", "trouble"] {
            tell(section, &value[section], &mut output)?;
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

impl Known {
    fn of(reader: &LedgerReader, name: &str) -> Result<Self> {
        let upload = reader.uploads()?.into_iter().find(|upload| upload.name == name);
        Ok(Self {
            row: reader.row(name)?,
            intent: reader.intents()?.into_iter().find(|intent| intent.name == name),
            upload: upload.map(|upload| Ok::<_, Error>((upload, reader.parts(name)?))).transpose()?,
            trouble: reader.trouble(name)?,
        })
    }

    fn is_nothing(&self) -> bool {
        self.row.is_none() && self.intent.is_none() && self.upload.is_none() && self.trouble.is_none()
    }

    fn as_value(&self, key: &str) -> Value {
        json!({
            "key": key,
            "object": self.row.as_ref().map(of_row),
            "intent": self.intent.as_ref().map(of_intent),
            "upload": self.upload.as_ref().map(|(upload, parts)| of_upload(upload, parts)),
            "trouble": self.trouble.as_ref().map(cmd_failures::as_value),
        })
    }
}

fn of_row(row: &Row) -> Value {
    let sha256 = ToldSha256::of(row.sha256);
    json!({
        "verdict": row.verdict.as_str(),
        "size": row.size,
        "sha256": sha256.sha256,
        "composite_sha256": sha256.composite_sha256,
        "part_size": sha256.part_size,
        "source_etag": etag(row.source_etag.as_ref()),
        "source_modified": row.source_modified.map(text),
        "destination_etag": etag(row.destination_etag.as_ref()),
        "destination_version": row.destination_version,
        "attributes": hex(row.attributes.as_ref()),
        "destination_attributes": hex(row.destination_attributes.as_ref()),
        "losses": row.losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>(),
        "in_sidecar": row.in_sidecar,
        "run": row.run,
        "attempts": row.attempts,
        "started": text(row.started),
        "finished": text(row.finished),
    })
}

fn of_intent(intent: &Intent) -> Value {
    let sha256 = ToldSha256::of(intent.sha256);
    json!({
        "size": intent.size,
        "sha256": sha256.sha256,
        "composite_sha256": sha256.composite_sha256,
        "part_size": sha256.part_size,
        "source_etag": etag(intent.source_etag.as_ref()),
        "multipart": intent.multipart,
        "started": text(intent.started),
    })
}

fn of_upload(upload: &OpenUpload, parts: &[DonePart]) -> Value {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| {
            json!({
                "number": part.number,
                "size": part.size,
                "etag": etag(part.etag.as_ref()),
                "sha256": part.sha256.to_hex(),
            })
        })
        .collect();
    json!({
        "upload": upload.id.0,
        "source_etag": etag(upload.source_etag.as_ref()),
        "size": upload.size,
        "part_size": upload.part_size,
        "started": text(upload.started),
        "hashed_parts": upload.hashed.as_ref().map(|mark| mark.parts),
        "parts": parts,
    })
}

fn hex(digest: Option<&Sha256>) -> Option<String> {
    digest.map(Sha256::to_hex)
}

fn etag(etag: Option<&ETag>) -> Option<&str> {
    etag.map(ETag::bare)
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

fn row(name: &str, value: &str) -> String {
    format!("{:<24}{value}", format!("{name}:"))
}

/// The fields of a section, as the JSON has them; what isn't known is left out.
fn tell(section: &str, fields: &Value, output: &mut Output) -> Result<(), Failure> {
    for (name, value) in fields.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            _ if name == "key" => continue,
            Value::String(text) => display_text(text),
            Value::Array(items) if items.is_empty() => continue,
            Value::Array(items) => items.iter().map(item).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        output.line(row(&format!("{section} {}", name.replace('_', " ")), &text))?;
    }
    Ok(())
}

fn item(value: &Value) -> String {
    match (value, value.get("number"), value.get("size")) {
        (Value::String(text), ..) => display_text(text),
        (_, Some(number), Some(size)) => format!("{number} ({size} B)"),
        _ => value.to_string(),
    }
}
