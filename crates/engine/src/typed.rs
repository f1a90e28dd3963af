//! The command as it was typed, to be shown and pasted.

use std::fmt;

use cabotage_core::display_text;

/// The arguments of a command, shown as a shell takes them, the program under its own name.
///
/// Escaped for a terminal: what a shell can't take from a terminal isn't pasted either. No flag takes a secret, so it
/// holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedCommand(Vec<String>);

impl TypedCommand {
    /// That of a program with those arguments, the program's name not among them.
    pub fn new(arguments: impl IntoIterator<Item = String>) -> Self {
        Self(arguments.into_iter().collect())
    }

    /// The same without a flag that takes no value.
    fn without(&self, flag: &str) -> Self {
        Self(self.0.iter().filter(|argument| *argument != flag).cloned().collect())
    }

    /// The command for the run that follows: what `--change-job` was given for is done.
    pub(crate) fn next(&self) -> Self {
        self.without("--change-job")
    }

    /// The command that does what this one only rehearsed.
    pub(crate) fn in_earnest(&self) -> Self {
        self.without("--dry-run")
    }
}

impl fmt::Display for TypedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cabotage")?;
        self.0.iter().try_for_each(|argument| write!(f, " {}", quote(argument)))
    }
}

/// That command, or words for it where it isn't known.
pub(crate) fn or_same(command: Option<&TypedCommand>) -> String {
    command.map_or_else(|| "the same command".to_owned(), ToString::to_string)
}

fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    display_text(&format!("'{}'", argument.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(arguments: &[&str]) -> TypedCommand {
        TypedCommand::new(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn arguments_come_back_from_a_shell() {
        assert_eq!(typed(&["migrate", "a b", "s3://x/y"]).to_string(), "cabotage migrate 'a b' s3://x/y");
        assert_eq!(typed(&["it's", "", "*"]).to_string(), r"cabotage 'it'\''s' '' '*'");
        assert!(!typed(&["\u{1b}[31m"]).to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_flag_is_left_out_only_where_it_is_an_argument() {
        let command = typed(&["migrate", "a --dry-run b", "--dry-run", "--change-job"]);
        assert_eq!(command.next().to_string(), "cabotage migrate 'a --dry-run b' --dry-run");
        assert_eq!(command.in_earnest().to_string(), "cabotage migrate 'a --dry-run b' --change-job");
        assert_eq!(or_same(None), "the same command");
    }
}
