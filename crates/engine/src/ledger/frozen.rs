//! What makes two runs the same job.

use cabotage_core::{LossName, Sha256};
use serde::{Deserialize, Serialize};

/// One end of a job. Nothing secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnd {
    /// The store, without the address of its server.
    pub identity: String,
    /// Keys begin with this.
    pub prefix: String,
    /// The address of its server; not part of what the job is.
    pub endpoint: String,
    /// One-way id of the SSE-C key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// The rules of a job, as its first run that writes freezes them. Credentials, addresses, proxies, tuning and what is only
/// asked of one run are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenJob {
    /// Where the objects are.
    pub source: JobEnd,
    /// Where they go.
    pub destination: JobEnd,
    /// Globs of `--include`, sorted.
    pub include: Vec<String>,
    /// Globs of `--exclude`, sorted.
    pub exclude: Vec<String>,
    /// Losses let pass beside those that always are, sorted.
    pub accept_losses: Vec<LossName>,
    /// The rule for what goes into side files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<String>,
    /// Whether times of the last write are kept in metadata.
    pub keep_mtime: bool,
}

/// What the user allows to be changed in a frozen job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobChanges {
    /// Go on under other rules.
    pub change_job: bool,
    /// Go on at another address of a store.
    pub endpoint_moved: bool,
}

impl FrozenJob {
    /// SHA-256 over all but the endpoints: the same for runs of the same job.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        let mut rules = self.clone();
        rules.source.endpoint.clear();
        rules.destination.endpoint.clear();
        Sha256::of(rules.to_json().as_bytes())
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What differs in the rules, each as `--include was *.dcm, is now none`.
    pub(crate) fn differences(&self, now: &Self) -> Vec<String> {
        let losses = |job: &Self| job.accept_losses.iter().map(LossName::to_string).collect::<Vec<_>>();
        let fields: [(&str, Vec<String>, Vec<String>); 10] = [
            ("source", one(&self.source.identity), one(&now.source.identity)),
            ("source prefix", one(&self.source.prefix), one(&now.source.prefix)),
            ("source SSE-C key", all(&self.source.key_id), all(&now.source.key_id)),
            ("destination", one(&self.destination.identity), one(&now.destination.identity)),
            ("destination prefix", one(&self.destination.prefix), one(&now.destination.prefix)),
            ("destination SSE-C key", all(&self.destination.key_id), all(&now.destination.key_id)),
            ("--include", self.include.clone(), now.include.clone()),
            ("--exclude", self.exclude.clone(), now.exclude.clone()),
            ("--accept-loss", losses(self), losses(now)),
            ("sidecar", all(&self.sidecar), all(&now.sidecar)),
        ];
        let mut differences: Vec<_> = fields
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(what, before, after)| format!("{what} was {}, is now {}", told(&before), told(&after)))
            .collect();
        if self.keep_mtime != now.keep_mtime {
            let given = |given: bool| if given { "given" } else { "not given" };
            differences.push(format!(
                "--keep-mtime was {}, is now {}",
                given(self.keep_mtime),
                given(now.keep_mtime)
            ));
        }
        differences
    }

    /// Which addresses differ.
    pub(crate) fn moved(&self, now: &Self) -> Vec<String> {
        [
            ("the source", &self.source.endpoint, &now.source.endpoint),
            ("the destination", &self.destination.endpoint, &now.destination.endpoint),
        ]
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(side, before, after)| format!("{side} was at {before}, is now at {after}"))
        .collect()
    }
}

fn one(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn all(text: &Option<String>) -> Vec<String> {
    text.iter().cloned().collect()
}

fn told(values: &[String]) -> String {
    if values.is_empty() { "none".to_owned() } else { values.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> FrozenJob {
        FrozenJob {
            source: JobEnd { identity: "s3/a".into(), endpoint: "x:443".into(), ..JobEnd::default() },
            include: vec!["*.dcm".into()],
            ..FrozenJob::default()
        }
    }

    #[test]
    fn each_rule_counts_and_no_address_does() {
        let job = job();
        let end = |change: fn(&mut JobEnd)| {
            let (mut a, mut b) = (job.clone(), job.clone());
            change(&mut a.source);
            change(&mut b.destination);
            [a, b]
        };
        let mut others = Vec::from(end(|end| end.identity = "s3/other".into()));
        others.extend(end(|end| end.prefix = "other/".into()));
        others.extend(end(|end| end.key_id = Some("id".into())));
        others.push(FrozenJob { include: vec![], ..job.clone() });
        others.push(FrozenJob { exclude: vec!["x".into()], ..job.clone() });
        others.push(FrozenJob { accept_losses: vec![LossName::TagDropped], ..job.clone() });
        others.push(FrozenJob { sidecar: Some("x".into()), ..job.clone() });
        others.push(FrozenJob { keep_mtime: true, ..job.clone() });
        for other in others {
            assert_ne!(job.fingerprint(), other.fingerprint(), "{other:?}");
            assert_eq!(job.differences(&other).len(), 1, "{other:?}");
            assert!(job.moved(&other).is_empty(), "{other:?}");
        }
        for moved in end(|end| end.endpoint = "y:443".into()) {
            assert_eq!(job.fingerprint(), moved.fingerprint());
            assert_eq!((job.differences(&moved).len(), job.moved(&moved).len()), (0, 1));
        }
    }

    #[test]
    fn told_in_words() {
        let other = FrozenJob { include: vec![], keep_mtime: true, ..job() };
        let told = ["--include was *.dcm, is now none", "--keep-mtime was not given, is now given"];
        assert_eq!(job().differences(&other), told);
    }

    #[test]
    fn comes_back_from_json_also_without_what_is_new() {
        assert_eq!(serde_json::from_str::<FrozenJob>(&job().to_json()).unwrap(), job());
        assert!(!job().to_json().contains("sidecar"), "what isn't set leaves the fingerprint as it is");
    }
}
