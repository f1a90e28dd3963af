//! What was typed to start a run.

use serde::{Deserialize, Serialize};

/// The command that started a run, for running it again. No flag takes a secret, so it holds none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The arguments after the program's name.
    pub arguments: Vec<String>,
    /// The working directory, to which paths among them are relative.
    pub folder: String,
}

impl Invocation {
    /// That of a run, from its recorded settings; none where they don't tell.
    #[must_use]
    pub fn of_settings(settings: &str) -> Option<Self> {
        let mut settings: serde_json::Value = serde_json::from_str(settings).ok()?;
        serde_json::from_value(settings.get_mut("typed")?.take()).ok()
    }
}

/// The settings without what was typed, to compare what they mean.
pub(crate) fn tuning(settings: &str) -> Option<serde_json::Value> {
    let mut settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    let fields = settings.as_object_mut()?;
    fields.remove("typed");
    fields.remove("retry_of");
    fields.remove("attempt_of");
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_settings_and_is_no_tuning() {
        let typed = Invocation { arguments: vec!["migrate".into(), "a b".into()], folder: "/x".into() };
        let settings = serde_json::json!({ "concurrency": 1, "typed": typed }).to_string();
        assert_eq!(Invocation::of_settings(&settings), Some(typed));
        for other in ["", "{}", "[]", r#"{"typed":null}"#] {
            assert_eq!(Invocation::of_settings(other), None, "{other}");
        }
        assert_eq!(tuning(&settings), tuning(r#"{"concurrency":1,"retry_of":4,"attempt_of":"a"}"#));
        assert_ne!(tuning(&settings), tuning(r#"{"concurrency":2}"#));
        assert_eq!(tuning("words"), None);
    }
}
