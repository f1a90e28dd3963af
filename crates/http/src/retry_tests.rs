use super::*;

fn failure(again: Again) -> Failure {
    Failure { error: Error::new(ErrorKind::Unavailable, "x"), again, wait: None }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn what_the_server_asks_for() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (value, seconds) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("86400", Some(60)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("Mon, 06 Nov 1995 08:00:00 GMT", Some(60)),
        ("soon", None),
        ("-1", None),
    ] {
        let wait = retry_after(&headers(&[("retry-after", value), date]));
        assert_eq!(wait, seconds.map(Duration::from_secs), "{value}");
    }
    assert_eq!(retry_after(&headers(&[])), None);
}

#[test]
fn waits_are_jittered_within_bounds_and_end() {
    let policy =
        RetryPolicy { attempts: 5, base: Duration::from_millis(100), cap: Duration::from_millis(250) };
    for (attempt, longest) in [(1, 100), (2, 200), (3, 250), (4, 250)] {
        for _ in 0..50 {
            let pause = wait(&policy, &failure(Again::Yes), attempt).unwrap();
            assert!(pause <= Duration::from_millis(longest), "{attempt}: {pause:?}");
        }
    }
    assert_eq!(wait(&policy, &failure(Again::Yes), 5), None);
    assert!(wait(&policy, &failure(Again::Few), 2).is_some());
    assert_eq!(wait(&policy, &failure(Again::Few), 3), None);
    assert_eq!(wait(&policy, &failure(Again::Never), 1), None);
    let asked = Failure { wait: Some(Duration::from_secs(9)), ..failure(Again::Yes) };
    assert_eq!(wait(&policy, &asked, 1), Some(Duration::from_secs(9)));
    let many = RetryPolicy { attempts: u32::MAX, ..policy };
    assert!(wait(&many, &failure(Again::Yes), 4_000_000).unwrap() <= policy.cap);
}

#[test]
fn kinds() {
    use ErrorKind as K;
    for (kind, again) in [
        (K::Throttled, Again::Yes),
        (K::Unavailable, Again::Yes),
        (K::Timeout, Again::Yes),
        (K::Protocol, Again::Yes),
        (K::DigestMismatch, Again::Never),
        (K::CredentialsExpired, Again::Refresh),
        (K::Unreachable, Again::Few),
        (K::PreconditionFailed, Again::Never),
        (K::NotFound, Again::Never),
        (K::AccountDenied, Again::Never),
        (K::SourceChanged, Again::Never),
    ] {
        assert_eq!(Failure::reply(Error::new(kind, "x"), &HeaderMap::new()).again, again, "{kind:?}");
    }
}

#[test]
fn the_budget_runs_out_and_recovers() {
    let budget = Budget::new();
    let spent = (0..10_000).take_while(|_| budget.take()).count();
    assert_eq!(spent, 500);
    for _ in 0..10 {
        assert!(!budget.take());
        budget.earn();
    }
    assert!(budget.take());
    assert!(!budget.take());
}
