//! A run that ends by the clock.

mod testenv;

use testenv::{TestEnv, tree};

#[test]
fn time_that_is_up_has_its_own_exit_code() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let args = ["migrate", "data", "out", "--report", "r.json"];
    let ended = env.run(&[&args[..], &["--stop-after", "0s"]].concat());
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(ended.stdout.starts_with("Ended at the time given"), "{ended:?}");
    assert!(ended.stderr.contains("the time given is up"), "{ended:?}");
    let report = std::fs::read_to_string(env.path("r.json")).unwrap();
    assert!(report.contains("\"time-up\""), "{report}");
    let again = env.run(&[&args[..], &["--stop-after", "1d"]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(tree(&env.path("data")), tree(&env.path("out")));
}

#[test]
fn a_time_that_is_none_is_refused() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    for (flag, value) in [("--stop-at", "6"), ("--stop-at", "2020-01-31T06:00:00Z"), ("--stop-after", "8")] {
        let refused = env.run(&["migrate", "data", "out", flag, value]);
        assert_eq!(refused.code, 2, "{value}: {refused:?}");
        assert!(!env.path("out").exists(), "{value}");
    }
}
