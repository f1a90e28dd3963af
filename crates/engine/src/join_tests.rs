use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::mpsc;

use super::input::AHEAD;
use super::*;
use crate::test_rows::row;

/// The join of one range that holds all names.
fn join(
    source: ListStream,
    source_prefix: String,
    destination: ListStream,
    destination_prefix: String,
    rows: impl Stream<Item = Result<Row>> + Send + 'static,
) -> impl Stream<Item = Result<Joined>> + Send {
    let inputs = Inputs { source, source_prefix, destination, destination_prefix, rows: rows.boxed() };
    told(Join::new(inputs, Span::default()))
}

fn told(join: Join) -> impl Stream<Item = Result<Joined>> + Send {
    let batches = stream::unfold(Box::new(join), |mut join| async move {
        let batch = future::poll_fn(|cx| join.poll_batch(cx)).await;
        (!batch.is_empty()).then_some((stream::iter(batch), join))
    });
    batches.flatten()
}

fn info(key: impl Into<Arc<str>>) -> ObjectInfo {
    ObjectInfo::new(Key::new(key).unwrap(), 1)
}

fn objects<S: AsRef<str>>(prefix: &str, names: &[S]) -> ListStream {
    let items: Vec<_> =
        names.iter().map(|name| Ok(ListItem::Object(info(format!("{prefix}{}", name.as_ref()))))).collect();
    stream::iter(items).boxed()
}

fn items(items: Vec<Result<ListItem>>) -> ListStream {
    stream::iter(items).boxed()
}

fn recorded<S: AsRef<str>>(names: &[S]) -> impl Stream<Item = Result<Row>> + Send + 'static {
    stream::iter(names.iter().map(|name| Ok(row(name.as_ref()))).collect::<Vec<_>>())
}

const NONE: &[&str] = &[];

/// A joined name, and which of the three have it.
fn shape(joined: Joined) -> (String, [bool; 3]) {
    match joined {
        Joined::Bad { side, key } => (format!("{side:?} {}", key.display()), [false; 3]),
        Joined::Candidate(c) => {
            (c.name.to_string(), [c.source.is_some(), c.destination.is_some(), c.row.is_some()])
        }
    }
}

#[tokio::test]
async fn by_relative_name() {
    let joined = join(
        objects("in/", &["", "a", "b", "é"]),
        "in/".into(),
        objects("", &["a", "c"]),
        String::new(),
        recorded(&["", "b", "c", "d"]),
    );
    let out: Vec<_> = joined.map_ok(shape).try_collect().await.unwrap();
    let expected = [
        ("", [true, false, true]),
        ("a", [true, true, false]),
        ("b", [true, false, true]),
        ("c", [false, true, true]),
        ("d", [false, false, true]),
        ("é", [true, false, false]),
    ];
    assert_eq!(out, expected.map(|(name, there)| (name.to_owned(), there)));
}

#[tokio::test]
async fn random_sets_agree_with_a_model() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = BTreeMap::<String, [bool; 3]>::new();
        for _ in 0..random.random_range(0..2_000) {
            let there: [bool; 3] = random.random();
            if there != [false; 3] {
                model.insert(random.random_range(0..5_000).to_string(), there);
            }
        }
        let of = |which: usize| -> Vec<&String> {
            model.iter().filter(|(_, there)| there[which]).map(|(name, _)| name).collect()
        };
        let joined =
            join(objects("s", &of(0)), "s".into(), objects("dd/", &of(1)), "dd/".into(), recorded(&of(2)));
        let out: Vec<_> = joined.map_ok(shape).try_collect().await.unwrap();
        assert_eq!(out, model.into_iter().collect::<Vec<_>>(), "seed {seed}");
    }
}

#[tokio::test]
async fn bad_keys_are_told_and_versions_skipped() {
    let bad = || Ok(ListItem::BadKey(RawKey::new(*b"\xff")));
    let joined = join(
        items(vec![Ok(ListItem::Object(info("a"))), bad(), Ok(ListItem::Version(info("a")))]),
        String::new(),
        items(vec![bad()]),
        String::new(),
        recorded(NONE),
    );
    let mut out: Vec<_> = joined.map_ok(|joined| shape(joined).0).try_collect().await.unwrap();
    out.sort_unstable();
    assert_eq!(out, ["Destination \\xff", "Source \\xff", "a"]);
}

/// Joins those with the other inputs empty; gives the names before the error, and the error.
async fn failure(source: Vec<Result<ListItem>>, prefix: &str, rows: &[&str]) -> (usize, Error) {
    let joined = join(items(source), prefix.into(), objects("", NONE), String::new(), recorded(rows));
    let mut out: Vec<_> = joined.collect().await;
    let error = out.pop().unwrap().unwrap_err();
    assert!(out.iter().all(Result::is_ok), "nothing follows an error");
    (out.len(), error)
}

#[tokio::test]
async fn what_is_wrong_ends_it() {
    let object = |key: &str| Ok(ListItem::Object(info(key)));
    let late = || Err(Error::new(ErrorKind::Timeout, "late"));
    let (before, error) = failure(vec![object("a"), late(), object("b")], "", &[]).await;
    assert_eq!((before, error.kind()), (1, ErrorKind::Timeout));
    let (before, error) = failure(vec![object("data/a"), object("datb")], "data/", &[]).await;
    assert_eq!((before, error.kind()), (1, ErrorKind::ListingBroken), "{error}");
    for wrong in [vec![object("b"), object("a")], vec![object("b"), object("b")]] {
        let (before, error) = failure(wrong, "", &[]).await;
        assert_eq!((before, error.kind()), (1, ErrorKind::Internal), "{error}");
    }
    let (_, error) = failure(vec![Ok(ListItem::Prefix(Key::new("p/").unwrap()))], "", &[]).await;
    assert_eq!(error.kind(), ErrorKind::Internal);
    let (before, error) = failure(vec![], "", &["b", "a"]).await;
    assert_eq!((before, error.kind()), (1, ErrorKind::Internal), "{error}");
}

#[tokio::test]
async fn errors_of_the_other_inputs_end_it_too() {
    let late = || Error::new(ErrorKind::Timeout, "late");
    let some = || objects("", &["a", "b"]);
    let joined = join(some(), String::new(), items(vec![Err(late())]), String::new(), recorded(NONE));
    assert_eq!(joined.try_collect::<Vec<_>>().await.unwrap_err().kind(), ErrorKind::Timeout);
    let rows = stream::iter([Ok(row("a")), Err(late())]);
    let joined = join(some(), String::new(), some(), String::new(), rows);
    assert_eq!(joined.try_collect::<Vec<_>>().await.unwrap_err().kind(), ErrorKind::Timeout);
}

/// A listing that breaks down must not look like one that has ended.
#[tokio::test]
async fn a_panic_is_no_end() {
    let broken = objects("", &["a"]).chain(stream::once(async { panic!("as the test wants it") })).boxed();
    let joined = join(objects("", NONE), String::new(), broken, String::new(), recorded(NONE));
    let error = joined.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("the destination's listing was cut off"), "{error}");
}

#[tokio::test]
async fn reads_ahead_within_bounds_and_stops_when_dropped() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let count = Arc::clone(&pulled);
    let endless = stream::iter(0..1_000_000).map(move |n| {
        let _held_by_the_listing = &alive;
        count.fetch_add(1, Ordering::Relaxed);
        Ok(ListItem::Object(info(format!("{n:07}"))))
    });
    let joined = join(endless.boxed(), String::new(), objects("", NONE), String::new(), recorded(NONE));
    let mut joined = Box::pin(joined);
    assert!(joined.next().await.unwrap().is_ok());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let ahead = pulled.load(Ordering::Relaxed);
    assert!((BATCH..=BATCH * (AHEAD + 3)).contains(&ahead), "{ahead} items read ahead");
    drop(joined);
    assert_eq!(ended.recv().await, None, "the task and its listing are gone");
}

/// What is at hand is handed on before an input that keeps others waiting.
#[tokio::test]
async fn waits_only_for_what_it_needs() {
    let stalls = objects("", &["a", "b"]).chain(stream::pending()).boxed();
    let joined = join(stalls, String::new(), objects("", &["a", "b"]), String::new(), recorded(NONE));
    let names: Vec<_> = joined.take(2).map_ok(|joined| shape(joined).0).try_collect().await.unwrap();
    assert_eq!(names, ["a", "b"]);
}

fn all(names: &[&str]) -> Inputs {
    Inputs {
        source: objects("", names),
        source_prefix: String::new(),
        destination: objects("", NONE),
        destination_prefix: String::new(),
        rows: recorded(NONE).boxed(),
    }
}

fn span(after: Option<&str>, through: Option<&str>) -> Span {
    Span { after: after.map(Arc::from), through: through.map(Arc::from) }
}

async fn names(join: Join) -> Vec<String> {
    told(join).map_ok(|joined| shape(joined).0).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_range_ends_where_it_is_cut_and_tells_what_is_left() {
    let mut join = Join::new(all(&["b", "c", "d"]), span(Some("a"), Some("x")));
    for outside in ["a", "x", "y"] {
        assert_eq!(join.cut(&outside.into()), None, "{outside}");
    }
    assert_eq!(join.cut(&"m".into()), Some(span(Some("m"), Some("x"))));
    assert_eq!(join.cut(&"c".into()), Some(span(Some("c"), Some("m"))));
    assert_eq!(names(join).await, ["b", "c"], "the end belongs to the range");
}

#[tokio::test]
async fn nothing_is_cut_off_that_was_told() {
    let mut join = Join::new(all(&["b", "c"]), Span::default());
    let batch = future::poll_fn(|cx| join.poll_batch(cx)).await;
    assert_eq!(batch.len(), 2);
    assert_eq!(join.cut(&"b".into()), None);
    assert_eq!(join.cut(&"c".into()), None);
    let none = future::poll_fn(|cx| join.poll_batch(cx)).await;
    assert!(none.is_empty());
    assert_eq!(join.ended(), Over { source: true, destination: true, rows: true });
    assert_eq!(join.cut(&"d".into()), None, "it is over");
}

/// An input that was left at the range's end has more behind it.
#[tokio::test]
async fn what_was_left_is_not_taken_for_ended() {
    let many: Vec<String> = (0..10_000).map(|n| format!("{n:05}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut join = Join::new(all(&many), span(None, Some("00299")));
    let mut told = 0;
    loop {
        let batch = future::poll_fn(|cx| join.poll_batch(cx)).await;
        told += batch.len();
        if batch.is_empty() {
            break;
        }
    }
    assert_eq!((told, join.ended().source, join.ended().rows), (300, false, true));
}

#[tokio::test]
async fn a_name_before_the_range_is_out_of_order() {
    let out: Vec<_> = told(Join::new(all(&["a", "b"]), span(Some("a"), None))).collect().await;
    assert_eq!(out[0].as_ref().unwrap_err().kind(), ErrorKind::Internal);
}
