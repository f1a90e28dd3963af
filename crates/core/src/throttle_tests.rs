use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// So many that always want more, as fast as they may, for a minute: how much they get.
fn saturate(width: usize, mut take: impl FnMut(Instant) -> (u64, Option<Instant>)) -> u64 {
    let start = Instant::now();
    let mut next = vec![start; width];
    let mut sum = 0;
    while let Some(now) = next.iter_mut().min() {
        if *now >= start + MINUTE {
            break;
        }
        let (amount, at) = take(*now);
        let at = at.unwrap_or(*now);
        if at < start + MINUTE {
            sum += amount;
        }
        // Each step takes a little time of its own.
        *now = at + Duration::from_micros(10);
    }
    sum
}

#[track_caller]
fn close(got: u64, wanted: u64) {
    assert!(got.abs_diff(wanted) * 20 <= wanted, "{got} instead of {wanted}");
}

#[test]
fn a_minute_holds_what_was_asked_for() {
    for (rate, piece, width) in [
        (200 << 20, 64 << 10, 32),
        (1 << 20, 64 << 10, 1),
        (Rates::BYTES_MIN, 1024, 32),
        (10_000_000, 512 << 10, 4),
    ] {
        let throttle = Throttle::new(Rates { bytes: Some(rate), ..Rates::default() });
        close(saturate(width, |now| (piece, throttle.bytes(piece, now))), rate * 60);
    }
    for (rate, width) in [(1, 1), (7, 32), (300, 32), (5_000, 64)] {
        let throttle = Throttle::new(Rates { requests: Some(rate), ..Rates::default() });
        close(saturate(width, |now| (1, throttle.request(RequestKind::Read, now))), u64::from(rate) * 60);
    }
}

#[test]
fn reads_and_writes_have_rates_of_their_own() {
    let throttle = Throttle::new(Rates { reads: Some(90), writes: Some(30), ..Rates::default() });
    let reads = saturate(4, |now| (1, throttle.request(RequestKind::Read, now)));
    close(reads, 90 * 60);
    let throttle = Throttle::new(throttle.rates());
    close(saturate(4, |now| (1, throttle.request(RequestKind::Write, now))), 30 * 60);
    let both = Throttle::new(Rates { requests: Some(50), writes: Some(1_000), ..Rates::default() });
    close(saturate(4, |now| (1, both.request(RequestKind::Write, now))), 50 * 60);
}

#[test]
fn what_was_not_used_is_not_saved_up() {
    let throttle = Throttle::new(Rates { requests: Some(100), bytes: Some(1 << 30), ..Rates::default() });
    let start = Instant::now();
    assert_eq!(throttle.request(RequestKind::Read, start), None);
    let later = start + MINUTE;
    let at_once = (0..1_000).take_while(|_| throttle.request(RequestKind::Read, later).is_none()).count();
    assert!((20..=30).contains(&at_once), "{at_once}");
    let moved = (0..1_000).take_while(|_| throttle.bytes(64 << 10, later).is_none()).count();
    assert!(moved * (64 << 10) <= 5 << 20, "{moved}");
}

#[test]
fn the_time_waited_counts_once_for_all_who_wait() {
    let throttle = Throttle::new(Rates { requests: Some(10), ..Rates::default() });
    let start = Instant::now();
    for number in 0..31 {
        let at = throttle.request(RequestKind::Write, start);
        assert_eq!(at, (number > 0).then(|| start + Duration::from_millis(100 * number)), "{number}");
    }
    assert_eq!(throttle.waited(start), Duration::ZERO);
    assert_eq!(throttle.waited(start + Duration::from_secs(1)), Duration::from_secs(1));
    assert_eq!(throttle.waited(start + MINUTE), Duration::from_secs(3));
}

#[test]
fn nothing_is_held_back_without_a_rate() {
    let throttle = Throttle::default();
    let now = Instant::now();
    assert_eq!((throttle.request(RequestKind::Read, now), throttle.bytes(u64::MAX, now)), (None, None));
    assert_eq!((throttle.piece(1 << 20), throttle.waited(now)), (1 << 20, Duration::ZERO));
    let requests = Throttle::new(Rates { requests: Some(1), ..Rates::default() });
    assert_eq!((requests.bytes(1 << 40, now), requests.piece(9_999)), (None, 9_999));
}

#[test]
fn no_number_breaks_it() {
    let throttle = Throttle::new(Rates { bytes: Some(1), ..Rates::default() });
    let now = Instant::now();
    for _ in 0..3 {
        let _ = throttle.bytes(u64::MAX, now);
    }
    assert_eq!(throttle.piece(64 << 10), 1024);
}

#[test]
fn shown() {
    let rates = Rates { bytes: Some(200 << 20), requests: Some(300), ..Rates::default() };
    assert_eq!(rates.to_string(), "200 MiB/s, 300 requests/s");
    let rates = Rates { reads: Some(900), writes: Some(300), bytes: Some(12_500_000), ..Rates::default() };
    assert_eq!(rates.to_string(), "12500 kB/s, 900 reads/s, 300 writes/s");
    assert_eq!(Rates::default().to_string(), "");
    assert_eq!(
        serde_json::to_string(&Rates { requests: Some(5), ..Rates::default() }).unwrap(),
        r#"{"requests":5}"#
    );
}
