//! What a command line that can't be run is answered with.

use std::ffi::OsString;

use cabotage_core::display_text;
use clap::ValueEnum as _;
use clap::error::ErrorKind;

use crate::exit_code::Exit;
use crate::options::LogFormat;
use crate::output::Output;
use crate::screen::Screen;

/// The `--log-format` of a command line that can't be read as a whole: the last one that is a format.
pub(crate) fn log_format(arguments: impl Iterator<Item = OsString>) -> LogFormat {
    let mut format = LogFormat::Text;
    let mut value_comes = false;
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let value = argument.strip_prefix("--log-format=").or(value_comes.then_some(&*argument));
        format = value.and_then(|value| LogFormat::from_str(value, false).ok()).unwrap_or(format);
        value_comes = argument == "--log-format";
        if argument == "--" {
            break;
        }
    }
    format
}

/// Help and version go to standard output; anything else is one line on standard error, in the format asked for.
pub(crate) fn answer(error: &clap::Error, format: LogFormat, screen: &Screen) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let mut output = Output::new();
            // A reader that is gone has read enough.
            let _ = output.line(text.trim_end()).and_then(|()| output.finish());
            Exit::Success
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            match format {
                LogFormat::Text => screen.line(text.trim_end()),
                LogFormat::Json => log("no command was given; see --help"),
            }
            Exit::Usage
        }
        _ => {
            match format {
                LogFormat::Text => screen.line(&format!("error: {}", one_line(&text))),
                LogFormat::Json => log(&one_line(&text)),
            }
            Exit::Usage
        }
    }
}

fn log(text: &str) {
    tracing::error!(kind = cabotage_core::ErrorKind::InvalidConfig.name(), "{text}");
}

/// The message and its tips, up to the usage, which `--help` shows better; control characters of what was typed are
/// escaped.
fn one_line(text: &str) -> String {
    let lines: Vec<String> = text
        .trim_start_matches("error: ")
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
            "unexpected argument '--x\\u{1b}[31m' found; tip: a similar argument exists: '--xy'; see --help"
        );
    }

    #[test]
    fn the_format_is_found_on_any_command_line() {
        for (arguments, json) in [
            ("cabotage nonsense", false),
            ("cabotage --log-format json nonsense", true),
            ("cabotage nonsense --log-format=json", true),
            ("cabotage --log-format=json --log-format text", false),
            ("cabotage --log-format xml", false),
            ("cabotage ls -- --log-format=json", false),
        ] {
            let found = log_format(arguments.split(' ').map(OsString::from));
            assert_eq!(found == LogFormat::Json, json, "{arguments}");
        }
    }
}
