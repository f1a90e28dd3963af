//! `cabotage cat`.

use std::io::IsTerminal as _;

use cabotage_core::{Error, ErrorKind, ReadOptions};
use clap::Args;
use futures::TryStreamExt as _;

use crate::cmd_head::open_object;
use crate::exit_code::Exit;
use crate::options::{Common, SseCKey};
use crate::output::{Failure, Output};

#[derive(Args, Debug)]
pub(crate) struct CatArgs {
    /// The object
    location: String,
    #[command(flatten)]
    key: SseCKey,
}

/// Bytes go out as they are; to a terminal only as long as they can't act on it.
pub(crate) async fn run(args: &CatArgs, common: &Common) -> Result<Exit, Failure> {
    let (opened, key) = open_object(&args.location, &args.key, common).await?;
    let mut body = opened.store.read(&key, ReadOptions::default()).await?;
    let mut output = Output::new();
    let terminal = std::io::stdout().is_terminal();
    while let Some(chunk) = body.stream.try_next().await? {
        if terminal && !is_plain(&chunk) {
            output.finish()?;
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the object holds characters that act on a terminal",
            )
            .on(&key)
            .help("send the output to a file or a program")
            .into());
        }
        output.raw(&chunk)?;
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// No control characters but line feed, carriage return and tab; of bytes beyond ASCII, none that an 8-bit terminal
/// takes for one.
fn is_plain(bytes: &[u8]) -> bool {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    bytes.utf8_chunks().all(|chunk| {
        !chunk.valid().chars().any(control) && !chunk.invalid().iter().any(|byte| (0x80..0xa0).contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal() {
        for (bytes, plain) in [
            (&b"text\r\n\t"[..], true),
            ("\u{e9}\u{1f600}".as_bytes(), true),
            (b"\xff", true),
            (b"\x1b[31m", false),
            (b"\x9b31m", false),
            ("\u{9b}31m".as_bytes(), false),
            (b"\0", false),
        ] {
            assert_eq!(is_plain(bytes), plain, "{bytes:?}");
        }
    }
}
