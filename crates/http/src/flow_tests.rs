use std::pin::pin;
use std::task::Poll;

use super::*;

const OK: StatusCode = StatusCode::OK;
const SLOW_DOWN: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn try_one(flow: &Flow) -> Option<Turn> {
    flow.try_turn(Need::Server, None)
}

/// As many as there is room for, at most so many.
fn fill(flow: &Flow, most: usize) -> Vec<Turn> {
    std::iter::from_fn(|| try_one(flow)).take(most).collect()
}

fn answer(turn: Turn, status: StatusCode) {
    let mut turn = turn;
    turn.answered(status);
}

fn in_flight(flow: &Flow) -> (u32, u32) {
    let state = flow.state();
    (state.server, state.others)
}

fn limit(flow: &Flow) -> Option<u32> {
    flow.traffic().limit
}

#[test]
fn nothing_is_bounded_until_the_server_asks() {
    let flow = Flow::default();
    let turns = fill(&flow, 1_000);
    assert_eq!(turns.len(), 1_000);
    for turn in turns {
        answer(turn, OK);
    }
    assert_eq!((limit(&flow), flow.traffic().lowest_limit), (None, None));
}

#[test]
fn halved_once_for_all_that_was_in_flight() {
    for status in [429, 503] {
        let flow = Flow::default();
        let first = fill(&flow, 32);
        for turn in first {
            answer(turn, StatusCode::from_u16(status).unwrap());
        }
        assert_eq!((limit(&flow), flow.traffic().throttled), (Some(16), 32));
        let second = fill(&flow, 100);
        assert_eq!(second.len(), 16);
        for turn in second {
            answer(turn, SLOW_DOWN);
        }
        assert_eq!(limit(&flow), Some(8));
    }
}

#[test]
fn other_statuses_ask_for_nothing() {
    for status in [200, 206, 304, 403, 404, 409, 412, 500, 502, 504] {
        let flow = Flow::default();
        answer(try_one(&flow).unwrap(), StatusCode::from_u16(status).unwrap());
        assert_eq!((limit(&flow), flow.traffic().throttled), (None, 0), "{status}");
    }
}

#[test]
fn grows_by_one_a_round_and_is_free_again_at_the_peak() {
    let flow = Flow::default();
    for turn in fill(&flow, 8) {
        answer(turn, SLOW_DOWN);
    }
    let mut limits = vec![limit(&flow)];
    for _ in 0..4 {
        for turn in fill(&flow, 100) {
            answer(turn, OK);
        }
        limits.push(limit(&flow));
    }
    assert_eq!(limits, [Some(4), Some(5), Some(6), Some(7), None]);
    assert_eq!(flow.traffic().lowest_limit, Some(4), "what it went down to is kept");
}

#[test]
fn what_was_under_way_when_the_server_asked_does_not_let_it_grow() {
    let flow = Flow::default();
    let mut turns = fill(&flow, 8);
    answer(turns.pop().unwrap(), SLOW_DOWN);
    for turn in turns {
        answer(turn, OK);
    }
    assert_eq!(limit(&flow), Some(4));
}

#[test]
fn never_less_than_one() {
    let flow = Flow::default();
    drop(fill(&flow, 2));
    for _ in 0..5 {
        answer(try_one(&flow).unwrap(), SLOW_DOWN);
    }
    assert_eq!(limit(&flow), Some(1));
    let one = try_one(&flow);
    assert!(one.is_some() && try_one(&flow).is_none());
}

/// A flow that lets one request be in flight.
fn narrow() -> Flow {
    let flow = Flow::default();
    for turn in fill(&flow, 3) {
        answer(turn, SLOW_DOWN);
    }
    assert_eq!(limit(&flow), Some(1));
    flow
}

#[test]
fn who_reads_a_body_can_send_one_more_request_but_no_two() {
    let flow = narrow();
    let bodies: Vec<_> = (0..3).map(|_| try_one(&flow).unwrap().reading()).collect();
    let one = try_one(&flow).unwrap();
    assert!(try_one(&flow).is_none());
    drop(one);
    let body = flow.try_turn(Need::Others, None).unwrap();
    assert!(try_one(&flow).is_some(), "the body may come from this very server");
    drop((bodies, body));
    assert_eq!(in_flight(&flow), (0, 0));
}

#[test]
fn bodies_that_are_read_count() {
    let flow = Flow::default();
    for turn in fill(&flow, 8) {
        answer(turn, SLOW_DOWN);
    }
    let bodies: Vec<_> = (0..3).map(|_| try_one(&flow).unwrap().reading()).collect();
    assert_eq!(fill(&flow, 100).len(), 1, "of four, three are bodies");
    drop(bodies);
    assert_eq!(fill(&flow, 100).len(), 4);
}

#[test]
fn a_turn_rests_only_if_the_server_asked() {
    for (status, rests) in [(SLOW_DOWN, true), (StatusCode::INTERNAL_SERVER_ERROR, false)] {
        let flow = Flow::default();
        let mut turn = try_one(&flow).unwrap();
        turn.answered(status);
        let resting = turn.resting();
        assert_eq!((resting.is_some(), in_flight(&flow)), (rests, (u32::from(rests), 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_a_turn_when_one_ends() {
    let flow = narrow();
    let first = try_one(&flow).unwrap();
    let mut waiting = pin!(flow.turn(Need::Server));
    assert!(matches!(futures::poll!(waiting.as_mut()), Poll::Pending));
    drop(first);
    drop(waiting.await);
}

/// However turns end, and whoever gives up waiting, all get theirs, and no more are in flight than may be.
#[tokio::test(start_paused = true)]
async fn all_get_their_turn() {
    let flow = Flow::default();
    for turn in fill(&flow, 8) {
        answer(turn, SLOW_DOWN);
    }
    let one = |number: u64| {
        let flow = flow.clone();
        async move {
            let patience = std::time::Duration::from_millis(if number % 7 == 3 { 5 } else { 1_000_000 });
            let Ok(mut turn) = tokio::time::timeout(patience, flow.turn(Need::Server)).await else {
                return 0;
            };
            let limit = limit(&flow).unwrap_or(u32::MAX);
            let (server, others) = in_flight(&flow);
            assert!(server + others <= limit || server == 1, "{server} and {others} of {limit}");
            tokio::time::sleep(std::time::Duration::from_millis(1 + number % 3)).await;
            turn.answered(if number == 40 { SLOW_DOWN } else { OK });
            if number.is_multiple_of(2) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                drop(turn.reading());
            }
            1
        }
    };
    let tasks: Vec<_> = (0..200).map(|number| tokio::spawn(one(number))).collect();
    let mut served = 0;
    for task in tasks {
        served += task.await.unwrap();
    }
    assert!(served >= 170, "{served}");
    assert_eq!(in_flight(&flow), (0, 0));
}
