//! Large objects go on from the parts that are there, in another process. What is sent is counted on the wire.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acceptance::{Azurite, read_tree};

use crate::crash::wait_for;
use crate::migration::{Home, Migration};
use crate::parts::large_file;

crate::cases! {
    finished_parts_are_not_sent_again needs ["rgw"],
    finished_parts_are_not_sent_again_after_two_signals needs ["rgw"],
    finished_parts_under_a_customers_key_are_not_sent_again needs ["rgw"],
    finished_blocks_are_not_sent_again needs ["azurite"],
    blocks_that_another_writer_discarded_are_sent_again needs ["azurite"],
    finished_parts_on_disk_are_not_written_again needs [],
    an_upload_whose_object_is_gone_is_aborted needs ["rgw"],
}

/// Passes everything on to a server, slowly, and counts the requests whose head holds a text.
struct Relay {
    address: SocketAddr,
    counted: Arc<AtomicUsize>,
}

/// So that an upload of some ten MiB takes seconds.
const CHUNK: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(3);

impl Relay {
    fn to(server: &str, text: &'static str) -> Self {
        let server = server.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, counted) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&counted);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (Ok(server), count) = (TcpStream::connect(&server), Arc::clone(&count)) else { return };
                let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(client, server, text, Some((&count, PAUSE))));
                std::thread::spawn(move || pass(back, to, text, None));
            }
        });
        Self { address, counted }
    }

    fn counted(&self) -> usize {
        self.counted.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, text: &str, counting: Option<(&AtomicUsize, Duration)>) {
    let (mut chunk, mut last) = (vec![0; CHUNK], Vec::new());
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if let Some((count, pause)) = counting {
            last.extend_from_slice(&chunk[..read]);
            let found = last.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
            count.fetch_add(found, Ordering::SeqCst);
            last.drain(..last.len().saturating_sub(text.len() - 1));
            std::thread::sleep(pause);
        }
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

const LARGE: u64 = 40 << 20;
const FLAGS: &[&str] = &["--part-threshold", "5MiB", "--memory", "16MiB", "--concurrency", "1"];
/// Parts that the server has when the run is ended.
const HELD: usize = 3;

fn number(migration: &Migration, name: &str) -> usize {
    let found = migration.report["uploads"][name].as_u64();
    found.unwrap_or_else(|| panic!("no {name}: {:#}", migration.report)) as usize
}

/// Ends a run when the server holds some parts, by those signals, and runs it again: `parts` in all.
fn goes_on(
    home: &Home,
    to: &str,
    flags: &[&str],
    signals: &[&str],
    mut held: impl FnMut() -> usize,
) -> Migration {
    let mut first = home.start(&home.text("in"), to, flags);
    wait_for(&mut first, || held() >= HELD);
    for signal in signals {
        first.signal(signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    let first = home.finished(first.wait());
    let code = if signals.contains(&"KILL") { None } else { Some(130) };
    assert_eq!(first.run.code, code, "{}", first.run);
    if code.is_some() {
        assert_eq!(number(&first, "left_open"), 1, "{:#}", first.report);
    }
    home.migrate(&home.text("in"), to, flags).expect(0)
}

/// The second run says how many parts it kept and read nothing of them.
fn kept(second: &Migration) -> usize {
    assert_eq!(second.count("conflicts"), 0, "{}", second.run);
    assert_eq!((number(second, "went_on"), number(second, "begun_anew")), (1, 0), "{:#}", second.report);
    let parts = number(second, "parts_kept");
    assert!(parts + 1 >= HELD, "{parts} parts were kept of {HELD}: {:#}", second.report);
    assert_eq!(number(second, "digests_from_state"), 1, "{:#}", second.report);
    second.run.says("were there already and were not sent again");
    parts
}

fn s3_goes_on(signals: &[&str], keyed: bool) {
    let rgw = acceptance::rgw().unwrap();
    let relay = Relay::to(&rgw.raw.endpoint, "?partNumber=");
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", &format!("http://{}", relay.address));
    let bucket = rgw.bucket("resume");
    large_file(&home.path("in/large"), LARGE);
    let tree = read_tree(&home.path("in"));
    let key_file = home.text("key");
    std::fs::write(&key_file, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let mut flags = FLAGS.to_vec();
    if keyed {
        flags.extend(["--destination-sse-c-key-file", key_file.as_str(), "--verify", "read-back"]);
    }
    let to = format!("s3://{bucket}");
    // With one part at a time, the one after the last counted is under way.
    let second = goes_on(&home, &to, &flags, signals, || relay.counted().saturating_sub(1));
    let kept = kept(&second);
    let (all, parts) = (relay.counted(), (LARGE / (5 << 20)) as usize);
    assert!(all <= parts + 1, "{all} parts went over the wire, of {parts}: {:#}", second.report);
    assert!(kept >= HELD, "{kept} of the parts that the server had were kept: {:#}", second.report);
    assert_eq!(rgw.raw.open_uploads(&bucket), 0, "an upload is left open: {}", second.run);
    assert_eq!(second.digests(), tree);
    if !keyed {
        assert_eq!(acceptance::sha256(&rgw.raw.get(&bucket, "large").unwrap()), tree["large"]);
    }
    rgw.raw.remove_bucket(&bucket);
}

fn finished_parts_are_not_sent_again() {
    s3_goes_on(&["KILL"], false);
}

fn finished_parts_are_not_sent_again_after_two_signals() {
    s3_goes_on(&["INT", "INT"], false);
}

fn finished_parts_under_a_customers_key_are_not_sent_again() {
    s3_goes_on(&["KILL"], true);
}

fn through_relay(azurite: &Azurite) -> (Relay, Home) {
    let relay = Relay::to(&azurite.raw.endpoint, "comp=block&");
    let server = azurite.raw.endpoint.trim_start_matches("http://").split('/').next().unwrap();
    let through = azurite.connection_string.replace(server, &relay.address.to_string());
    let home = Home::with_azurite(azurite).variable("AZURE_STORAGE_CONNECTION_STRING", &through);
    (relay, home)
}

/// A commit by another discards the blocks that wait under the blob's name.
fn blocks_that_another_writer_discarded_are_sent_again() {
    let azurite = acceptance::azurite().unwrap();
    let (relay, home) = through_relay(&azurite);
    let container = azurite.container("discard");
    let (path, to) = (format!("/{container}/large"), format!("az://{container}"));
    large_file(&home.path("in/large"), LARGE / 2);
    let tree = read_tree(&home.path("in"));
    let mut first = home.start(&home.text("in"), &to, FLAGS);
    wait_for(&mut first, || relay.counted() > HELD);
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "the run ended before it was killed");
    std::thread::sleep(Duration::from_millis(300));
    // As long as the names of the blocks that wait, as the service demands.
    let block = "b".repeat(52);
    let list = format!("<BlockList><Latest>{block}</Latest></BlockList>");
    let query = [("comp", "block"), ("blockid", block.as_str())];
    let _ = azurite.raw.request("PUT", &path, &query, &[], b"by another").expect(201);
    let _ = azurite.raw.request("PUT", &path, &[("comp", "blocklist")], &[], list.as_bytes()).expect(201);
    let _ = azurite.raw.request("DELETE", &path, &[], &[], b"").expect(202);
    let sent = relay.counted();
    let second = home.migrate(&home.text("in"), &to, FLAGS).expect(0);
    // A block that was on its way when the run was killed may come in last: then the upload is there, with nothing of use.
    assert_eq!(number(&second, "went_on"), 0, "{:#}", second.report);
    assert_eq!(relay.counted() - sent, (LARGE / 2 / (2 << 20)) as usize);
    assert_eq!(acceptance::sha256(&azurite.raw.get(&container, "large").unwrap()), tree["large"]);
    azurite.raw.remove_container(&container);
}

fn finished_blocks_are_not_sent_again() {
    let azurite = acceptance::azurite().unwrap();
    let (relay, home) = through_relay(&azurite);
    let container = azurite.container("resume");
    large_file(&home.path("in/large"), LARGE);
    let tree = read_tree(&home.path("in"));
    let second =
        goes_on(&home, &format!("az://{container}"), FLAGS, &["KILL"], || relay.counted().saturating_sub(1));
    let (kept, all, blocks) = (kept(&second), relay.counted(), (LARGE / (2 << 20)) as usize);
    assert!(all <= blocks + 1, "{all} blocks went over the wire, of {blocks}: {:#}", second.report);
    assert!(kept >= HELD, "{kept} of the blocks that the server had were kept: {:#}", second.report);
    assert_eq!(acceptance::sha256(&azurite.raw.get(&container, "large").unwrap()), tree["large"]);
    let query = [("comp", "blocklist"), ("blocklisttype", "uncommitted")];
    let left = azurite.raw.request("GET", &format!("/{container}/large"), &query, &[], b"").expect(200);
    assert!(left.elements("Name").is_empty(), "blocks are left: {}", left.text());
    azurite.raw.remove_container(&container);
}

/// The record of parts beside the staged file says which are there.
fn finished_parts_on_disk_are_not_written_again() {
    let home = Home::new();
    large_file(&home.path("in/large"), 4 * LARGE);
    let tree = read_tree(&home.path("in"));
    let uploads = home.path("out/.cabotage/uploads");
    let held = || {
        let Ok(entries) = std::fs::read_dir(&uploads) else { return 0 };
        let records =
            entries.filter_map(Result::ok).filter(|e| e.path().extension().is_some_and(|e| e == "parts"));
        records
            .map(|record| {
                std::fs::read_to_string(record.path()).unwrap_or_default().matches("sha256").count()
            })
            .sum()
    };
    let second = goes_on(&home, &home.text("out"), FLAGS, &["KILL"], held);
    kept(&second);
    assert!(!home.path("out/.cabotage").exists(), "something of an upload is left");
    assert_eq!(read_tree(&home.path("out")), tree);
}

/// What a run that died has begun and no later run needs doesn't stay.
fn an_upload_whose_object_is_gone_is_aborted() {
    let rgw = acceptance::rgw().unwrap();
    let relay = Relay::to(&rgw.raw.endpoint, "?partNumber=");
    let home = Home::with_s3(&rgw).variable("AWS_ENDPOINT_URL_S3", &format!("http://{}", relay.address));
    let bucket = rgw.bucket("gone");
    let to = format!("s3://{bucket}");
    large_file(&home.path("in/large"), LARGE);
    let mut first = home.start(&home.text("in"), &to, FLAGS);
    wait_for(&mut first, || relay.counted() > 1);
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "the run ended before it was killed");
    std::fs::remove_file(home.path("in/large")).unwrap();
    let second = home.migrate(&home.text("in"), &to, FLAGS).expect(0);
    assert_eq!(number(&second, "aborted"), 1, "{:#}", second.report);
    assert_eq!(rgw.raw.open_uploads(&bucket), 0, "an upload is left open: {}", second.run);
    rgw.raw.remove_bucket(&bucket);
}
