//! Where a run may write: never into what is moved.

#![allow(clippy::unwrap_used)]

mod testenv;

use testenv::TestEnv;

fn names(env: &TestEnv, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(env.path(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_of_the_run_in_the_source_or_the_destination_are_refused() {
    let env = TestEnv::new();
    env.write("src/a", "one");
    for flags in [
        ["--manifest", "src/a"],
        ["--report", "src/report"],
        ["--state", "src/state"],
        ["--manifest", "dst/m"],
        ["--archived-list", "src/list"],
    ] {
        let ran = env.run(&["migrate", "src", "dst", flags[0], flags[1]]);
        assert_eq!(ran.code, 2, "{flags:?}: {ran:?}");
        assert!(ran.stderr.contains(flags[0]) && ran.stderr.lines().count() == 1, "{ran:?}");
        assert_eq!(names(&env, "src"), ["a"], "{flags:?}");
        assert_eq!(std::fs::read(env.path("src/a")).unwrap(), b"one", "{flags:?}");
        assert!(!env.path("dst").exists(), "{flags:?}");
    }
}

#[test]
fn a_refused_destination_leaves_no_folder_behind() {
    let env = TestEnv::new();
    env.write("src/a", "one");
    assert_eq!(env.run(&["migrate", "src", "src/new"]).code, 2);
    assert_eq!(names(&env, "src"), ["a"]);
}

#[test]
fn the_report_ends_with_the_command_to_paste() {
    let env = TestEnv::new();
    env.write("a b/x", "one");
    let dry = env.run(&["migrate", "a b", "dst", "--dry-run"]);
    assert!(dry.stdout.contains("to move: cabotage migrate 'a b' dst\n"), "{dry:?}");
    let ran = env.run(&["migrate", "a b", "dst"]);
    assert!(ran.stdout.ends_with("cabotage migrate 'a b' dst\n"), "{ran:?}");
}
