//! The binary, as a user runs it, on real folders and real servers.
//!
//! A case whose server is missing is ignored, and the summary says so; `CABOTAGE_REQUIRE` makes it a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "counts of a test's objects")]

mod again;
mod attributes;
mod azure;
mod bad_input;
mod clock;
mod configured;
mod crash;
mod credentials;
mod disk_full;
mod faults;
mod hierarchical;
mod hostile;
mod kept;
mod limits;
mod losses;
mod lying;
mod migration;
mod mount;
mod object_store;
mod outage;
mod pairs;
mod parts;
mod passes;
mod ranges;
mod reading;
mod resume;
mod round_trip;
mod sidecars;
mod signals;
mod tagless;
mod tasks;
mod telemetry;
mod throttle;
mod verify;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};

/// A case: its name, the servers that it needs, what it does. It fails by panicking.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn(),
}

/// The cases of a module, by the names of their functions.
macro_rules! cases {
    ($($name:ident needs [$($server:literal),*]),+ $(,)?) => {
        pub(crate) fn cases() -> Vec<$crate::Case> {
            vec![$($crate::Case {
                name: concat!(module_path!(), "::", stringify!($name)),
                needs: &[$($server),*],
                run: $name,
            }),+]
        }
    };
}
pub(crate) use cases;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(3);
    let present: BTreeSet<&str> = [
        ("azurite", acceptance::azurite().is_some()),
        ("rgw", acceptance::rgw().is_some()),
        ("rgw-admin", acceptance::rgw_admin().is_some()),
        ("minio", acceptance::minio().is_some()),
        ("mount", can_mount()),
        ("cc", clock::shim().is_some()),
    ]
    .into_iter()
    .filter_map(|(name, here)| here.then_some(name))
    .collect();
    let all = [
        round_trip::cases(),
        limits::cases(),
        sidecars::cases(),
        parts::cases(),
        hostile::cases(),
        again::cases(),
        passes::cases(),
        ranges::cases(),
        attributes::cases(),
        losses::cases(),
        kept::cases(),
        lying::cases(),
        pairs::cases(),
        azure::cases(),
        hierarchical::cases(),
        crash::cases(),
        signals::cases(),
        tasks::cases(),
        faults::cases(),
        disk_full::cases(),
        clock::cases(),
        telemetry::cases(),
        throttle::cases(),
        credentials::cases(),
        outage::cases(),
        resume::cases(),
        bad_input::cases(),
        configured::cases(),
        reading::cases(),
        object_store::cases(),
        verify::cases(),
    ];
    let cases: Vec<Case> = all.into_iter().flatten().collect();
    let left_out: Vec<String> = cases.iter().filter_map(|case| left_out(case, &present)).collect();
    let trials = cases.into_iter().map(|case| trial(case, &present)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let narrowed = arguments.list || arguments.filter.is_some() || !arguments.skip.is_empty();
    for line in left_out.iter().filter(|_| !narrowed) {
        println!("{line}");
    }
    if !narrowed && conclusion.num_passed + conclusion.num_failed == 0 {
        println!("no case ran: that is a failure");
        return ExitCode::from(101);
    }
    conclusion.exit_code()
}

fn missing(case: &Case, present: &BTreeSet<&str>) -> Vec<&'static str> {
    case.needs.iter().copied().filter(|name| !present.contains(name)).collect()
}

fn left_out(case: &Case, present: &BTreeSet<&str>) -> Option<String> {
    let missing = missing(case, present);
    (!missing.is_empty()).then(|| format!("skipped: {} needs {}", short(case.name), missing.join(" and ")))
}

fn short(name: &'static str) -> &'static str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}

fn trial(case: Case, present: &BTreeSet<&str>) -> Trial {
    let missing = missing(&case, present);
    let required = acceptance::required();
    let name = short(case.name);
    if missing.is_empty() {
        return Trial::test(name, move || {
            (case.run)();
            Ok(())
        });
    }
    let demanded = missing.iter().any(|server| required.contains(*server));
    let text = format!("CABOTAGE_REQUIRE names a server that is missing: {}", missing.join(" and "));
    Trial::test(name, move || Err(text.into())).with_ignored_flag(!demanded)
}

/// Whether this process may mount a small file system.
fn can_mount() -> bool {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let quietly =
        |command: &mut Command| command.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    quietly(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder.path()))
        && quietly(Command::new("umount").arg(folder.path()))
}
