use std::sync::atomic::{AtomicU64, Ordering};

use cabotage_core::{ListItem, ListOrder, StorageExt as _};
use cabotage_memory::MemoryStore;
use futures::TryStreamExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Calls, Effect, Fault, Faults, KeyMatch, Rule};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Count {
    down: AtomicU64,
    up: AtomicU64,
}

impl OutageWatch for Count {
    fn down(&self, _: &Error) {
        self.down.fetch_add(1, Ordering::SeqCst);
    }

    fn up(&self, _: Duration) {
        self.up.fetch_add(1, Ordering::SeqCst);
    }

    fn over(&self, kind: ErrorKind, last: &str) -> Error {
        Error::new(kind, format!("over: {last}"))
    }
}

struct Bench {
    memory: MemoryStore,
    faults: Faults,
    gate: Gate,
    watch: Arc<Count>,
    ended: CancellationToken,
    store: Arc<Outlast>,
}

/// A store with objects, seen to answer, that is outlasted for up to six hours.
async fn bench(rules: Vec<Rule>, order: ListOrder, names: &[&str]) -> Bench {
    let memory = MemoryStore::new("m");
    let capabilities = Capabilities { list_order: order, ..memory.capabilities().clone() };
    let memory = memory.with_capabilities(capabilities);
    for name in names {
        memory.put(&Key::new(*name).unwrap(), "x".into()).await.unwrap();
    }
    let (faults, watch, ended) = (Faults::new(rules), Arc::new(Count::default()), CancellationToken::new());
    let gate = Gate::new(6 * HOUR, ended.clone(), Arc::clone(&watch) as Arc<dyn OutageWatch>);
    let inner = Arc::new(Fault::new(Arc::new(memory.clone()), faults.clone()));
    let store = Arc::new(Outlast::new(inner, gate.clone(), ""));
    Bench { memory, faults, gate, watch, ended, store }
}

async fn plain(rules: Vec<Rule>) -> Bench {
    let bench = bench(rules, ListOrder::Bytes, &["a", "b", "c", "d"]).await;
    bench.store.head(&Key::new("a").unwrap(), Detail::Basic).await.unwrap();
    bench
}

impl Bench {
    /// Down for so long, from now on.
    fn outage(&self, kind: ErrorKind, time: Duration) {
        let faults = self.faults.clone();
        faults.set_down(Some(kind));
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            faults.set_down(None);
        });
    }

    async fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.store.head(&Key::new(key).unwrap(), Detail::Basic).await
    }

    fn events(&self) -> (u64, u64) {
        (self.watch.down.load(Ordering::SeqCst), self.watch.up.load(Ordering::SeqCst))
    }
}

#[tokio::test(start_paused = true)]
async fn calls_outlast_an_outage_and_one_at_a_time_asks() {
    for kind in [ErrorKind::Unreachable, ErrorKind::AccountDenied] {
        let bench = plain(vec![]).await;
        bench.outage(kind, 3 * HOUR);
        let heads = (0..10).map(|_| bench.head("a"));
        let done = futures::future::join_all(heads).await;
        assert!(done.iter().all(Result::is_ok), "{kind:?}");
        assert_eq!(bench.events(), (1, 1), "{kind:?}");
        let outages = bench.gate.outages();
        assert_eq!(outages.count, 1);
        assert!(outages.time >= 3 * HOUR && outages.time < 3 * HOUR + LONGEST, "{outages:?}");
        let asked = bench.faults.calls(Operation::List);
        assert!((180..400).contains(&asked), "{kind:?}: asked {asked} times in three hours");
        assert_eq!(
            bench.faults.calls(Operation::Head),
            1 + 1 + 10,
            "the first found out, and no other was sent"
        );
    }
}

const LONGEST: Duration = Duration::from_secs(61);

#[tokio::test(start_paused = true)]
async fn what_lasts_too_long_is_over_for_all() {
    let bench = plain(vec![]).await;
    bench.outage(ErrorKind::AccountDenied, 7 * HOUR);
    let start = Instant::now();
    let (a, b) = tokio::join!(bench.head("a"), bench.head("b"));
    for error in [a.unwrap_err(), b.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::AccountDenied);
        assert!(error.message().starts_with("over: "), "{error}");
    }
    assert_eq!(start.elapsed().as_secs(), 6 * 3600);
    let calls = bench.faults.log().len();
    assert!(bench.head("a").await.is_err());
    assert_eq!(bench.faults.log().len(), calls, "nothing is sent any more");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answered_is_not_waited_for() {
    let bench = bench(vec![], ListOrder::Bytes, &["a"]).await;
    bench.outage(ErrorKind::Unreachable, HOUR);
    let start = Instant::now();
    assert_eq!(bench.head("a").await.unwrap_err().kind(), ErrorKind::Unreachable);
    let listed: Result<Vec<_>> = bench.store.list(ListScope::default()).try_collect().await;
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_run() {
    let bench = plain(vec![]).await;
    bench.outage(ErrorKind::Unreachable, HOUR);
    let ended = bench.ended.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(90)).await;
        ended.cancel();
    });
    let start = Instant::now();
    let (a, b) = tokio::join!(bench.head("a"), bench.head("b"));
    assert_eq!((a.unwrap_err().kind(), b.unwrap_err().kind()), (ErrorKind::Cancelled, ErrorKind::Cancelled));
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_objects_own_is_passed_on() {
    let rule = |operation, key: &str, kind| {
        Rule::new(operation, Effect::Fail(kind)).keys(KeyMatch::Exactly(key.into()))
    };
    let bench = plain(vec![
        rule(Operation::Head, "b", ErrorKind::Timeout),
        rule(Operation::Head, "c", ErrorKind::PermissionDenied),
    ])
    .await;
    for kind in [ErrorKind::Timeout, ErrorKind::PermissionDenied] {
        let key = if kind == ErrorKind::Timeout { "b" } else { "c" };
        assert_eq!(bench.head(key).await.unwrap_err().kind(), kind);
    }
    assert_eq!(bench.faults.calls(Operation::List), 2, "each time it was asked whether it answers");
    assert_eq!(bench.events(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_an_endpoint_that_is_down_closes_the_gate() {
    let bench = plain(vec![]).await;
    bench.outage(ErrorKind::Timeout, HOUR);
    bench.head("b").await.unwrap();
    assert_eq!(bench.events(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn many_failures_close_the_gate_though_small_questions_are_answered() {
    // Writes fail for the first 30 calls; listings never.
    let failing = (1..=30)
        .map(|n| Rule::new(Operation::Write, Effect::Fail(ErrorKind::Unavailable)).calls(Calls::OfAll(n)));
    let bench = plain(failing.collect()).await;
    let write = |number: u32| {
        let store = Arc::clone(&bench.store);
        async move {
            let key = Key::new(format!("new{number}")).unwrap();
            store.write(&key, Payload::from_bytes("x"), WriteOptions::default()).await
        }
    };
    let written = futures::future::join_all((0..20).map(write)).await;
    let failed = written.iter().filter(|result| result.is_err()).count();
    assert!(failed < 10, "{failed}: from the tenth on they waited until writes were taken again");
    assert_eq!(bench.events(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_alone_fails_is_not_waited_for_for_hours() {
    let bench = plain(vec![Rule::new(Operation::Write, Effect::Fail(ErrorKind::Unavailable))]).await;
    let start = Instant::now();
    for _ in 0..12 {
        let key = Key::new("n").unwrap();
        let written = bench.store.write(&key, Payload::from_bytes("x"), WriteOptions::default());
        assert_eq!(written.await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(bench.events().0 > 0 && start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_the_bodys_source_is_no_sign_of_this_endpoint() {
    let bench = plain(vec![]).await;
    let open: cabotage_core::PayloadSource = Arc::new(|| {
        Box::pin(async {
            Err(Error::new(ErrorKind::Unreachable, "the source is away").during(Operation::Read))
        })
    });
    let body = Payload::Replayable { len: 1, open };
    let error = bench.store.write(&Key::new("n").unwrap(), body, WriteOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), bench.events()), (ErrorKind::Unreachable, (0, 0)), "{error}");
}

/// In UTF-16 the last two change places.
const NAMES: [&str; 6] = ["a", "b/1", "b/2", "c", "\u{ff5e}", "\u{1f600}"];

fn name(item: ListItem) -> String {
    match item {
        ListItem::Object(info) => info.key.as_str().to_owned(),
        ListItem::Prefix(key) => format!("{}...", key.as_str()),
        ListItem::Version(_) | ListItem::BadKey(_) => panic!("{item:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_where_it_broke_off() {
    for order in [ListOrder::Bytes, ListOrder::Utf16] {
        for delimiter in [None, Some("/".to_owned())] {
            for cut in 0..6 {
                let bench = bench(vec![], order, &NAMES).await;
                bench.head("a").await.unwrap();
                let scope = ListScope { delimiter: delimiter.clone(), ..ListScope::default() };
                let whole: Vec<ListItem> = bench.memory.list(scope.clone()).try_collect().await.unwrap();
                let mut listing = bench.store.list(scope);
                let mut got = Vec::new();
                while let Some(item) = listing.try_next().await.unwrap() {
                    got.push(item);
                    if got.len() == cut {
                        bench.outage(ErrorKind::Unreachable, 2 * HOUR);
                    }
                }
                let names = |items: Vec<ListItem>| items.into_iter().map(name).collect::<Vec<_>>();
                let (got, whole) = (names(got), names(whole));
                assert_eq!(got, whole, "{order:?} {delimiter:?} cut after {cut}");
                assert_eq!(bench.events().0, u64::from((1..whole.len()).contains(&cut)));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_order_that_breaks_off_is_told() {
    let bench = bench(vec![], ListOrder::None, &NAMES).await;
    bench.head("a").await.unwrap();
    let mut listing = bench.store.list(ListScope::default());
    listing.try_next().await.unwrap();
    bench.outage(ErrorKind::Unreachable, HOUR);
    assert_eq!(listing.try_next().await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert!(listing.next().await.is_none(), "after an error nothing follows");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_again_and_again_is_told() {
    let cut = Rule::new(Operation::List, Effect::CutBody(0));
    let bench = plain(vec![cut]).await;
    let listed: Result<Vec<_>> = bench.store.list(ListScope::default()).try_collect().await;
    assert!(listed.is_err());
}

#[tokio::test(start_paused = true)]
async fn parts_and_bulk_deletes_outlast_too() {
    let bench = plain(vec![]).await;
    let key = Key::new("parts").unwrap();
    let upload = bench.store.start_upload(&key, WriteOptions::default()).await.unwrap();
    bench.outage(ErrorKind::Unreachable, HOUR);
    let slot = cabotage_core::PartSlot { number: 1, offset: 0 };
    let part = upload.part(slot, Payload::from_bytes("12")).await.unwrap();
    bench.outage(ErrorKind::Unreachable, HOUR);
    upload.complete(&[part]).await.unwrap();
    bench.outage(ErrorKind::Unreachable, HOUR);
    let gone = bench.store.delete_many(vec![key.clone(), Key::new("a").unwrap()]).await;
    assert!(gone.iter().all(|(_, result)| result.is_ok()), "{gone:?}");
    assert!(bench.memory.find(&key, Detail::Basic).await.unwrap().is_none());
    assert_eq!(bench.events(), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_start_of_an_upload_whose_reply_is_lost_is_not_sent_again() {
    let lost = Rule::new(Operation::Upload, Effect::FailAfter(ErrorKind::Timeout)).calls(Calls::OfAll(1));
    let silent = Rule::new(Operation::List, Effect::Fail(ErrorKind::Unavailable)).calls(Calls::OfAll(1));
    let bench = plain(vec![lost, silent]).await;
    let key = Key::new("parts").unwrap();
    let started = bench.store.start_upload(&key, WriteOptions::default()).await;
    assert_eq!(started.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(bench.events().0, 1, "it was told after the endpoint answered again");
    let open: Vec<UploadInfo> = bench.memory.list_uploads("").try_collect().await.unwrap();
    assert_eq!(open.len(), 1);
    bench.outage(ErrorKind::Unreachable, HOUR);
    bench.store.start_upload(&key, WriteOptions::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_withdrawn_from_all_is_an_outage_and_one_that_was_never_there_is_not() {
    let denied =
        |operation, calls| Rule::new(operation, Effect::Fail(ErrorKind::PermissionDenied)).calls(calls);
    let rules = || vec![denied(Operation::Head, Calls::From(2)), denied(Operation::List, Calls::From(2))];
    let bench = plain(rules()).await;
    let listed: Vec<ListItem> = bench.store.list(ListScope::default()).try_collect().await.unwrap();
    assert_eq!(listed.len(), 4);
    let ended = bench.ended.clone();
    tokio::spawn(async move {
        tokio::time::sleep(HOUR).await;
        ended.cancel();
    });
    let error = bench.head("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "it waited: {error}");
    assert_eq!(bench.events(), (1, 0));

    let never_listed =
        plain(vec![denied(Operation::Head, Calls::From(2)), denied(Operation::List, Calls::From(1))]).await;
    assert_eq!(never_listed.head("b").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(never_listed.events(), (0, 0));
}
