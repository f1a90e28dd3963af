//! What a command line that can't be run is answered with.

use cabotage_core::display_text;
use clap::error::ErrorKind;

use crate::exit_code::Exit;
use crate::output::Output;
use crate::screen::Screen;

/// Help and version go to standard output; anything else is one line on standard error.
pub(crate) fn answer(error: &clap::Error, screen: &Screen) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let mut output = Output::new();
            // A reader that is gone has read enough.
            let _ = output.line(text.trim_end()).and_then(|()| output.finish());
            Exit::Success
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            screen.line(text.trim_end());
            Exit::Usage
        }
        _ => {
            screen.line(&one_line(&text));
            Exit::Usage
        }
    }
}

/// The message and its tips, up to the usage, which `--help` shows better; control characters of what was typed are
/// escaped.
fn one_line(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .map(|line| display_text(line.trim()))
        .filter(|line| !line.is_empty())
        .collect();
    format!("{}; see --help", lines.join("; ").replace(":; ", ": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        let text = "error: unexpected argument '--x\u{1b}[31m' found\n\n  tip: a similar argument exists: '--xy'\n\n\
                    Usage: cabotage ls\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(text),
            "error: unexpected argument '--x\\u{1b}[31m' found; tip: a similar argument exists: '--xy'; see --help"
        );
    }
}
