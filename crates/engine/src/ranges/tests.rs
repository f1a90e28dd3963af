use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cabotage_core::{Error, ErrorKind, Key, ListItem, ListOrder, ListStream, ObjectInfo};
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::Row;
use crate::order::{SpillOptions, in_byte_order};
use crate::test_rows::row;

/// What awkward names are made of: neighbours of the slash, and characters that bytes and UTF-16 order differently.
const PIECES: &[&str] = &[
    "a",
    "b",
    "-",
    "/",
    "0",
    "9",
    ":",
    "z",
    "~",
    " ",
    "\0",
    "\t",
    "\u{7f}",
    "é",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{1f600}",
    "\u{10ffff}",
    "folder/",
    "obj-000",
];

fn hostile(random: &mut StdRng) -> String {
    let pieces = random.random_range(1..6);
    (0..pieces).map(|_| *PIECES.choose(random).unwrap()).collect()
}

/// Names as buckets have them.
fn ordinary(random: &mut StdRng) -> String {
    match random.random_range(0..3) {
        0 => format!("object-{:07}", random.random_range(0..20_000)),
        1 => format!(
            "sub-{:03}/ses-{}/anat/{:04}.nii",
            random.random_range(0..40),
            random.random_range(1..3),
            random.random_range(0..99)
        ),
        _ => format!("{:016x}", random.random::<u64>()),
    }
}

/// As a seed: a listing that never stalls.
const STEADY: u64 = u64::MAX / 2;

/// A store's names in its order; lists them from any on, and stalls now and then.
struct Named {
    names: Arc<Vec<String>>,
    order: ListOrder,
    seed: u64,
    opened: AtomicUsize,
}

fn by(order: ListOrder) -> impl Fn(&String, &String) -> std::cmp::Ordering {
    move |a, b| match order {
        ListOrder::Utf16 => a.encode_utf16().cmp(b.encode_utf16()),
        _ => a.cmp(b),
    }
}

impl Named {
    fn new(names: impl IntoIterator<Item = String>, order: ListOrder, seed: u64) -> Arc<Self> {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_by(by(order));
        Arc::new(Self { names: Arc::new(names), order, seed, opened: AtomicUsize::new(0) })
    }

    /// The names behind that one, paced.
    fn after<T: Send + 'static>(
        &self,
        after: Option<&str>,
        item: impl Fn(&str) -> T + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let after = after.map(str::to_owned);
        let is_before =
            |name: &String| after.as_ref().is_some_and(|after| by(self.order)(name, after).is_le());
        let first = self.names.partition_point(is_before);
        let mut random = StdRng::seed_from_u64(self.seed + first as u64);
        let stalls = if self.seed == STEADY { 0.0 } else { 0.05 };
        let names = Arc::clone(&self.names);
        stream::iter(first..names.len()).then(move |place| {
            let item = item(&names[place]);
            let pause = random.random_bool(stalls).then_some(random.random_range(1..4));
            async move {
                for _ in 0..pause.unwrap_or(0) {
                    tokio::task::yield_now().await;
                }
                Ok(item)
            }
        })
    }

    fn list(&self, prefix: &'static str, after: Option<&str>) -> ListStream {
        let object = move |name: &str| {
            ListItem::Object(ObjectInfo::new(Key::new(format!("{prefix}{name}")).unwrap(), 1))
        };
        in_byte_order(
            self.after(after, object).boxed(),
            self.order,
            prefix.to_owned(),
            SpillOptions::default(),
        )
    }

    fn rows(&self, after: Option<&str>) -> BoxStream<'static, Result<Row>> {
        self.after(after, row).boxed()
    }
}

impl<F: Fn(Option<&str>) -> Inputs + Send> Sources for F {
    fn open(&self, after: Option<&str>) -> Inputs {
        self(after)
    }

    fn takes(&self, _: &str) -> bool {
        true
    }
}

fn opening(
    source: &Arc<Named>,
    destination: &Arc<Named>,
    rows: &Arc<Named>,
) -> impl Fn(Option<&str>) -> Inputs + Send + 'static {
    let (source, destination, rows) = (Arc::clone(source), Arc::clone(destination), Arc::clone(rows));
    move |after| Inputs {
        source: source.list("in/", after),
        source_prefix: "in/".into(),
        destination: destination.list("", after),
        destination_prefix: String::new(),
        rows: rows.rows(after),
    }
}

fn shape(joined: Joined) -> (String, [bool; 3]) {
    match joined {
        Joined::Bad { key, .. } => (key.display(), [false; 3]),
        Joined::Candidate(c) => {
            (c.name.to_string(), [c.source.is_some(), c.destination.is_some(), c.row.is_some()])
        }
    }
}

fn in_ranges(sources: impl Sources + 'static, division: Division) -> BoxStream<'static, Result<Joined>> {
    in_span(sources, division, Span::default())
}

const EAGER: Division = Division { most: MOST, page: 1 };

/// Whatever is cut and whenever: the ranges tell what one join tells, each name once.
#[tokio::test]
async fn the_ranges_are_the_whole() {
    let mut cuts = 0;
    for seed in 0..100 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = BTreeMap::<String, [bool; 3]>::new();
        let sparse: [f64; 3] = [random.random(), random.random(), random.random()];
        for _ in 0..random.random_range(0..1_500) {
            let name = if seed % 2 == 0 { hostile(&mut random) } else { ordinary(&mut random) };
            let there = sparse.map(|share| random.random_bool(share));
            // An empty name is a key only under a prefix.
            if there != [false; 3] && (!there[1] || !name.is_empty()) {
                model.insert(name, there);
            }
        }
        let of = |which: usize| -> Vec<String> {
            model.iter().filter(|(_, there)| there[which]).map(|(name, _)| name.clone()).collect()
        };
        let order = if random.random() { ListOrder::Utf16 } else { ListOrder::Bytes };
        let source = Named::new(of(0), order, seed);
        let destination = Named::new(of(1), ListOrder::Bytes, seed + 1);
        let rows = Named::new(of(2), ListOrder::Bytes, seed + 2);
        let joined = in_ranges(opening(&source, &destination, &rows), EAGER);
        let mut out: Vec<_> = joined.map_ok(shape).try_collect().await.unwrap();
        out.sort();
        assert_eq!(out, model.into_iter().collect::<Vec<_>>(), "seed {seed}");
        cuts += source.opened.load(Ordering::Relaxed) - 1;
    }
    assert!(cuts > 1_000, "{cuts} cuts: what was to be tried wasn't");
}

/// Within a range names come in order, and the reader always has at most so many ranges.
#[tokio::test]
async fn each_range_is_in_order_and_they_are_few() {
    let mut random = StdRng::seed_from_u64(7);
    let names: BTreeSet<String> = (0..5_000).map(|_| ordinary(&mut random)).collect();
    let (source, none) = (Named::new(names, ListOrder::Bytes, 1), Named::new([], ListOrder::Bytes, 1));
    let mut ranges = Ranges::within(opening(&source, &none, &none), EAGER, Span::default());
    let mut last = BTreeMap::<u64, String>::new();
    let mut most = 0;
    loop {
        let batch = future::poll_fn(|cx| ranges.poll_batch(cx)).await;
        if batch.is_empty() {
            break;
        }
        most = most.max(ranges.ranges.len());
        // Whose batch that was tells its last name.
        let told: Vec<String> = batch.into_iter().map(|joined| shape(joined.unwrap()).0).collect();
        let end = told.last().unwrap();
        let whose = ranges.ranges.iter().find(|range| range.join.position().is_some_and(|p| **p == **end));
        let before = last.insert(whose.unwrap().id, end.clone());
        let mut all = before.into_iter().chain(told);
        let first = all.next().unwrap();
        all.fold(first, |a, b| {
            assert!(a < b, "{a} before {b}");
            b
        });
    }
    assert_eq!(most, MOST);
}

/// Pages are asked for at the same time: the eighth of each listing waits until four of them are asked for, so that one
/// range alone would wait for ever.
#[tokio::test]
async fn pages_are_asked_for_at_the_same_time() {
    let names: Vec<String> = (0..200_000).map(|n| format!("object-{n:07}")).collect();
    let door = Arc::new(Door { waiting: Mutex::new(0), opened: tokio::sync::Notify::new() });
    let (by_door, count) = (Arc::clone(&door), names.len());
    let open = move |after: Option<&str>| {
        let after = after.map(str::to_owned);
        let left: Vec<_> =
            names.iter().filter(|name| after.as_ref().is_none_or(|a| *name > a)).cloned().collect();
        let pages: Vec<Vec<String>> = left.chunks(1_000).map(<[String]>::to_vec).collect();
        let door = Arc::clone(&by_door);
        let source = stream::iter(pages.into_iter().enumerate()).then(move |(number, page)| {
            let door = Arc::clone(&door);
            async move {
                if number == 7 {
                    door.pass().await;
                }
                stream::iter(page).map(|name| Ok(ListItem::Object(ObjectInfo::new(Key::new(name)?, 1))))
            }
        });
        Inputs {
            source: source.flatten().boxed(),
            source_prefix: String::new(),
            destination: stream::empty().boxed(),
            destination_prefix: String::new(),
            rows: stream::empty().boxed(),
        }
    };
    let joined = in_ranges(open, Division { most: MOST, page: 1_000 });
    let all = tokio::time::timeout(std::time::Duration::from_secs(60), joined.try_collect::<Vec<_>>());
    let all = all.await.expect("nobody came to the door while another waited").unwrap();
    assert_eq!(all.len(), count);
}

/// Lets nobody pass before so many have come.
struct Door {
    waiting: Mutex<usize>,
    opened: tokio::sync::Notify,
}

impl Door {
    const AT_ONCE: usize = 4;

    async fn pass(&self) {
        let opened = self.opened.notified();
        let mut opened = std::pin::pin!(opened);
        opened.as_mut().enable();
        let come = {
            let mut waiting = self.waiting.lock().unwrap();
            *waiting += 1;
            *waiting
        };
        match come {
            Self::AT_ONCE => self.opened.notify_waiters(),
            n if n < Self::AT_ONCE => opened.await,
            _ => {}
        }
    }
}

/// A reader that has enough to do is not brought more.
#[tokio::test]
async fn nothing_is_cut_while_the_reader_is_busy() {
    let names = (0..20_000).map(|n| format!("object-{n:07}"));
    let (source, none) =
        (Named::new(names, ListOrder::Bytes, STEADY), Named::new([], ListOrder::Bytes, STEADY));
    let mut joined = in_ranges(opening(&source, &none, &none), Division { most: MOST, page: 1_000 });
    let mut told = 0;
    while joined.try_next().await.unwrap().is_some() {
        told += 1;
        // Meanwhile all that can be read ahead is.
        if told % 100 == 0 {
            for _ in 0..3_000 {
                tokio::task::yield_now().await;
            }
        }
    }
    assert_eq!(told, 20_000);
    assert_eq!(source.opened.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn few_names_are_one_range() {
    let names = (0..2_999).map(|n| format!("object-{n:07}"));
    let (source, none) = (Named::new(names, ListOrder::Bytes, 1), Named::new([], ListOrder::Bytes, 1));
    let joined = in_ranges(opening(&source, &none, &none), Division { most: MOST, page: 1_000 });
    assert_eq!(joined.try_collect::<Vec<_>>().await.unwrap().len(), 2_999);
    assert_eq!(source.opened.load(Ordering::Relaxed), 1);
}

/// An end with nothing in it is not asked again for each range.
#[tokio::test]
async fn an_empty_end_is_asked_once() {
    let names = (0..50_000).map(|n| format!("object-{n:07}"));
    let (source, none) = (Named::new(names, ListOrder::Bytes, 1), Named::new([], ListOrder::Bytes, 1));
    let polled = Arc::new(AtomicUsize::new(0));
    let (open, count) = (opening(&source, &none, &none), Arc::clone(&polled));
    let open = move |after: Option<&str>| {
        let count = Arc::clone(&count);
        let asked = stream::once(async move { count.fetch_add(1, Ordering::Relaxed) });
        let destination = asked.filter_map(|_| future::ready(None::<Result<ListItem>>)).boxed();
        Inputs { destination, ..open(after) }
    };
    let joined = in_ranges(open, EAGER);
    assert_eq!(joined.try_collect::<Vec<_>>().await.unwrap().len(), 50_000);
    assert!(source.opened.load(Ordering::Relaxed) > 8);
    assert_eq!(polled.load(Ordering::Relaxed), 1);
}

/// A failure in one range ends them all.
#[tokio::test]
async fn after_a_failure_nothing_follows() {
    let names = (0..50_000).map(|n| format!("object-{n:07}"));
    let (source, none) = (Named::new(names, ListOrder::Bytes, 1), Named::new([], ListOrder::Bytes, 1));
    let open = opening(&source, &none, &none);
    let open = move |after: Option<&str>| {
        let inputs = open(after);
        if after.is_none() {
            return inputs;
        }
        let late = stream::once(async { Err(Error::new(ErrorKind::Timeout, "late")) });
        Inputs { source: inputs.source.take(50).chain(late).boxed(), ..inputs }
    };
    let out: Vec<_> = in_ranges(open, EAGER).collect().await;
    let (last, before) = out.split_last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(before.iter().all(Result::is_ok));
}

/// Two ranges may be told the same name that is no key.
#[tokio::test]
async fn a_name_that_is_no_key_comes_once() {
    let names = (0..20_000).map(|n| format!("object-{n:07}"));
    let (source, none) = (Named::new(names, ListOrder::Bytes, 1), Named::new([], ListOrder::Bytes, 1));
    let open = opening(&source, &none, &none);
    let open = move |after: Option<&str>| {
        let bad = stream::once(async { Ok(ListItem::BadKey(RawKey::new(*b"\xff"))) });
        let inputs = open(after);
        Inputs { source: bad.chain(inputs.source).boxed(), ..inputs }
    };
    let out: Vec<_> = in_ranges(open, EAGER).try_collect().await.unwrap();
    assert_eq!(out.iter().filter(|joined| matches!(joined, Joined::Bad { .. })).count(), 1);
    assert_eq!(out.len(), 20_001);
}
