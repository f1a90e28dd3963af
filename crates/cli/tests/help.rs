//! Help texts are what their golden files say; `CABOTAGE_UPDATE_GOLDEN=1` writes them anew.

mod testenv;

use std::path::PathBuf;

use testenv::TestEnv;

#[test]
fn help_texts() {
    let env = TestEnv::new();
    for (name, args) in [
        ("help", &["--help"][..]),
        ("migrate", &["migrate", "--help"]),
        ("cutover", &["cutover", "--help"]),
        ("verify", &["verify", "--help"]),
        ("runs", &["runs", "--help"]),
        ("status", &["status", "--help"]),
        ("failures", &["failures", "--help"]),
        ("retry", &["retry", "--help"]),
        ("uploads", &["uploads", "--help"]),
        ("uploads-list", &["uploads", "list", "--help"]),
        ("uploads-abort", &["uploads", "abort", "--help"]),
        ("ls", &["ls", "--help"]),
        ("head", &["head", "--help"]),
        ("cat", &["cat", "--help"]),
        ("check-access", &["check-access", "--help"]),
        ("ledger", &["ledger", "--help"]),
        ("ledger-rebuild", &["ledger", "rebuild", "--help"]),
        ("ledger-show", &["ledger", "show", "--help"]),
        ("ledger-backup", &["ledger", "backup", "--help"]),
        ("ledger-merge", &["ledger", "merge", "--help"]),
        ("shards-plan", &["shards", "plan", "--help"]),
        ("job", &["job", "--help"]),
        ("job-submit", &["job", "submit", "--help"]),
        ("job-status", &["job", "status", "--help"]),
        ("job-logs", &["job", "logs", "--help"]),
        ("job-cancel", &["job", "cancel", "--help"]),
        ("job-remove", &["job", "remove", "--help"]),
        ("config-show", &["config", "show", "--help"]),
    ] {
        let ran = env.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        if std::env::var_os("CABOTAGE_UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &ran.stdout).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(ran.stdout, expected, "{} differs", golden.display());
    }
}

/// `help VERB` is what most tools know; it is `VERB --help`.
#[test]
fn help_as_a_verb() {
    let env = TestEnv::new();
    for (asked, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "migrate"], &["migrate", "--help"]),
        (&["help", "ledger", "show"], &["ledger", "show", "--help"]),
    ] {
        let ran = env.run(asked);
        assert_eq!((ran.code, ran.stdout), (0, env.run(same).stdout), "{asked:?}");
    }
}

#[test]
fn version_and_nothing_at_all() {
    let env = TestEnv::new();
    let version = env.run(&["--version"]);
    assert_eq!((version.code, version.stdout), (0, format!("cabotage {}\n", env!("CARGO_PKG_VERSION"))));
    let nothing = env.run(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""));
    assert!(nothing.stderr.contains("Usage: cabotage"), "{}", nothing.stderr);
}
