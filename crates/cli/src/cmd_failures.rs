//! `cabotage failures`.

use cabotage_core::{Error, ErrorKind, Result, display_key, display_text};
use cabotage_engine::{LedgerReader, Trouble};
use clap::Args;
use serde_json::{Value, json};

use crate::cmd_ls::time;
use crate::exit_code::Exit;
use crate::ledgers::{Ledgers, RunName, StateArg};
use crate::options::Common;
use crate::output::{Failure, Output, bytes, count};
use crate::screen::Screen;

/// Troubles read at once.
const PAGE: usize = 1_000;

#[derive(Args, Debug)]
pub(crate) struct FailuresArgs {
    /// The run, as `cabotage runs` names it; a ledger's name alone: all objects that are not done
    run: RunName,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    state: StateArg,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Names alone, each ended by NUL, for --keys-from FILE -0
    #[arg(long, conflicts_with = "json")]
    names: bool,
}

/// Which of the objects that are not done.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only this kind of failure (timeout, permission-denied, …) or class (failed, refused, conflict, …); can be given several times
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
}

impl Filter {
    fn takes(&self, trouble: &Trouble) -> bool {
        let is = |kind: &String| *kind == trouble.kind || kind == trouble.class.as_str();
        self.kind.is_empty() || self.kind.iter().any(is)
    }

    /// Hands over each trouble of that run, or of all, that the filter takes, by name; how many.
    ///
    /// A thousand are in memory at once.
    ///
    /// # Errors
    /// Those of the ledger and of the taker.
    pub(crate) fn each(
        &self,
        reader: &LedgerReader,
        run: Option<i64>,
        mut take: impl FnMut(&Trouble) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let (mut after, mut taken) = (None::<String>, 0);
        loop {
            let page = reader.troubles_after(after.as_deref(), PAGE)?;
            for trouble in &page {
                if run.is_none_or(|run| run == trouble.run) && self.takes(trouble) {
                    take(trouble)?;
                    taken += 1;
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last.name),
                None => return Ok(taken),
            }
        }
    }
}

pub(crate) fn run(args: &FailuresArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let ledgers = Ledgers::open(&args.state, common, screen)?;
    let (ledger, _) = ledgers.find(&args.run)?;
    let mut output = Output::new();
    let taken = args.filter.each(&ledger.reader, args.run.number(), |trouble| {
        if args.json {
            output.json(&as_value(trouble))
        } else if args.names {
            raw_name(trouble, &mut output)
        } else {
            output.line(line(trouble))
        }
    })?;
    output.finish()?;
    if taken == 0 && !common.quiet {
        screen.line("note: no object whose last attempt was in that run is left undone");
    }
    Ok(Exit::Success)
}

/// # Errors
/// `InvalidConfig` when the name holds the separator.
fn raw_name(trouble: &Trouble, output: &mut Output) -> Result<(), Failure> {
    output.raw(terminated(&trouble.name)?.as_bytes())
}

/// The name with the NUL after it.
///
/// # Errors
/// `Unsupported` when the name holds a NUL itself.
pub(crate) fn terminated(name: &str) -> Result<String> {
    if name.contains('\0') {
        let text = format!("the name '{name}' holds a NUL: a list of names can't hold it");
        return Err(
            Error::new(ErrorKind::Unsupported, text).help("leave it out with --kind, or run `migrate` again")
        );
    }
    Ok(format!("{name}\0"))
}

/// `conflict  exists  name  (12 B, 1 attempt, 2026-…): what happened`.
fn line(trouble: &Trouble) -> String {
    let Trouble { class, kind, name, size, attempts, at, message, losses, .. } = trouble;
    let kind = if kind.is_empty() { "-" } else { kind };
    let losses: Vec<_> = losses.iter().map(|loss| loss.as_str()).collect();
    let losses = if losses.is_empty() { String::new() } else { format!(", would lose {}", losses.join(" ")) };
    let times = if *attempts == 1 {
        "1 attempt".to_owned()
    } else {
        format!("{} attempts", count((*attempts).into()))
    };
    format!(
        "{:<10} {:<20} {}  ({}, {times}, {}{losses}): {message}",
        class.as_str(),
        display_text(kind),
        display_key(name),
        bytes(*size),
        time(*at),
        message = one_line(message),
    )
}

/// Texts in the ledger are escaped already; a file that somebody else wrote may not be.
fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if display_text(c.encode_utf8(&mut [0; 4])).starts_with(c) { c } else { '\u{fffd}' })
        .collect()
}

pub(crate) fn as_value(trouble: &Trouble) -> Value {
    json!({
        "key": trouble.name,
        "class": trouble.class.as_str(),
        "kind": if trouble.kind.is_empty() { Value::Null } else { trouble.kind.as_str().into() },
        "message": trouble.message,
        "losses": trouble.losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>(),
        "size": trouble.size,
        "source_etag": trouble.source_etag.as_ref().map(cabotage_core::ETag::bare),
        "attempts": trouble.attempts,
        "run": trouble.run,
        "at": trouble.at.to_string(),
    })
}
