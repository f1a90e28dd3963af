//! The command as it was typed, to be shown and pasted.

use cabotage_core::display_text;

/// The arguments as a shell takes them, the program under its own name. Escaped for a terminal: what a shell can't take
/// from a terminal isn't pasted either.
pub(crate) fn command(arguments: impl Iterator<Item = String>) -> String {
    let quoted = arguments.skip(1).map(|argument| quote(&argument));
    std::iter::once("cabotage".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
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

    #[test]
    fn arguments_come_back_from_a_shell() {
        let typed = |arguments: &[&str]| command(arguments.iter().map(|a| (*a).to_owned()));
        assert_eq!(
            typed(&["/usr/bin/cabotage", "migrate", "a b", "s3://x/y"]),
            "cabotage migrate 'a b' s3://x/y"
        );
        assert_eq!(typed(&["c", "it's", "", "*"]), r"cabotage 'it'\''s' '' '*'");
        assert!(!typed(&["c", "\u{1b}[31m"]).contains('\u{1b}'));
    }
}
