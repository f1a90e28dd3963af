//! The storage conformance suite on every store there is: one case per store and trial.
//!
//! `cargo test -p acceptance --test conformance -- memory::keys` runs a part of it.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "the harness is a test")]

mod deviations;
mod stores;
mod summary;

use std::process::ExitCode;
use std::sync::Arc;

use cabotage_conformance::{HttpClient, HttpReply, HttpRequest};
use futures::FutureExt as _;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use deviations::deviation;
use stores::{Found, Subject};
use summary::{Entry, Summary};

/// Cases wait for servers most of the time.
const CASES_AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let runtime = Arc::new(Runtime::new().expect("a runtime starts"));
    let summary = Arc::new(Summary::default());
    let mut cases = Vec::new();
    for found in runtime.block_on(stores::find()) {
        match found {
            Found::Present(subject) => cases.extend(cases_of(&Arc::new(subject), &runtime, &summary)),
            Found::Missing { name, reason } => cases.push(missing(name, &reason, &summary)),
        }
    }
    let narrowed = arguments.list || arguments.filter.is_some() || !arguments.skip.is_empty();
    let conclusion = libtest_mimic::run(&arguments, cases);
    summary.print();
    if !narrowed && summary.ran() == 0 {
        eprintln!("no case ran: that is a failure");
        return ExitCode::from(101);
    }
    conclusion.exit_code()
}

fn cases_of(subject: &Arc<Subject>, runtime: &Arc<Runtime>, summary: &Arc<Summary>) -> Vec<Trial> {
    let case = |trial: cabotage_conformance::Trial| {
        let (subject, runtime, summary) = (Arc::clone(subject), Arc::clone(runtime), Arc::clone(summary));
        let name = format!("{}::{}", subject.name, trial.full_name());
        Trial::test(name, move || {
            let result = runtime.block_on(trial.run_with(Arc::clone(&subject.store), Some(http_client())));
            let entry = judge(&subject, &trial.full_name(), result);
            summary.add(&subject.title(), entry.clone());
            if let Entry::Failed(text) = entry { Err(Failed::from(text)) } else { Ok(()) }
        })
    };
    let wanted = |group: &str| subject.groups.is_none_or(|groups| groups.contains(&group));
    cabotage_conformance::suite().into_iter().filter(|trial| wanted(trial.group)).map(case).collect()
}

/// Uses presigned URLs as somebody else's program would.
fn http_client() -> HttpClient {
    Arc::new(|request: HttpRequest| {
        let sent = tokio::task::spawn_blocking(move || {
            acceptance::send_to_url(request.method, &request.url, &request.headers, &request.body)
        });
        async move {
            let reply = sent.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            Ok(HttpReply { status: reply.status, body: reply.body.into() })
        }
        .boxed()
    })
}

fn judge(
    subject: &Subject,
    trial: &str,
    result: Result<cabotage_conformance::Outcome, cabotage_conformance::Failure>,
) -> Entry {
    use cabotage_conformance::Outcome;
    let listed = deviation(&subject.name, &subject.version, trial);
    match (result, listed) {
        (Ok(Outcome::Skipped(reason)), _) => Entry::Skipped { trial: trial.to_owned(), reason },
        (Ok(Outcome::Passed), None) => Entry::Passed,
        (Ok(Outcome::Passed), Some(_)) => Entry::Unexpected(trial.to_owned()),
        (Err(failure), None) => Entry::Failed(failure.to_string()),
        (Err(failure), Some(reason)) => {
            Entry::Deviates { trial: trial.to_owned(), reason, found: failure.to_string() }
        }
    }
}

/// A server that isn't there: one case that the summary names as ignored, or one that fails.
fn missing(name: &'static str, reason: &str, summary: &Arc<Summary>) -> Trial {
    let required = acceptance::required().contains(name);
    if !required {
        summary.add(name, Entry::Missing(reason.to_owned()));
    }
    let text = format!("CABOTAGE_REQUIRE names {name}, and {reason}");
    Trial::test(format!("{name}::is_there"), move || Err(Failed::from(text))).with_ignored_flag(!required)
}
