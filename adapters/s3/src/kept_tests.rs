//! Customer's keys, versions and locks: against a scripted server, and a real one where it is named.

use cabotage_core::*;
use cabotage_http::testing::{Answer, ReplyQueue};
use http::Method;

use crate::{CustomerKey, S3Config, S3Store, live_tests, scripted_tests};

const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";
const OWN: &str = "x-amz-server-side-encryption-customer-key";
const SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-key";

fn customer_key(text: &str) -> CustomerKey {
    CustomerKey::from_base64(&Secret::new(text)).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn replace() -> WriteOptions {
    WriteOptions::default()
}

async fn served(answers: impl IntoIterator<Item = Answer>, with_key: bool) -> (ReplyQueue, S3Store) {
    let server = ReplyQueue::start().await.unwrap();
    for answer in answers {
        server.push(answer);
    }
    let customer_key = with_key.then(|| customer_key(TEXT));
    let config = S3Config { customer_key, ..scripted_tests::config(&server, Some("aws")) };
    (server, S3Store::open(config).await.unwrap())
}

fn ok(body: &str) -> Answer {
    Answer::new(200).header("ETag", "\"e\"").body(body.to_owned())
}

fn failure(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status).body(format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

#[tokio::test]
async fn the_key_goes_with_all_that_touches_contents_and_is_signed() {
    let copied = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";
    let started = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let (server, store) =
        served([ok(""), ok(""), ok("body"), Answer::new(404), ok(copied), ok(started), ok("")], true).await;
    let k = key("k");
    store.write(&k, Payload::from_bytes("body"), replace()).await.unwrap();
    store.head(&k, Detail::Basic).await.unwrap();
    store.read(&k, ReadOptions::default()).await.unwrap();
    let create = WriteOptions { mode: WriteMode::Create, ..replace() };
    store.copy_within(&k, None, &key("to"), create).await.unwrap();
    let upload = store.start_upload(&k, replace()).await.unwrap();
    upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("part")).await.unwrap();
    let received = server.received();
    assert_eq!(received.len(), 7);
    for sent in &received {
        assert_eq!(sent.header(OWN), TEXT, "{}", sent.target);
        assert_eq!(sent.header(&format!("{OWN}-md5")), "tP/LI3N87DFaSk0aoqYgzg==");
        assert!(sent.header("authorization").contains(&format!("{OWN};{OWN}-md5")), "{}", sent.target);
    }
    assert_eq!(received[4].header(SOURCE), TEXT);
    assert!(received.iter().filter(|sent| sent.headers.contains_key(SOURCE)).count() == 1);
    let refused = store.presign(&k, PresignMethod::Get, std::time::Duration::from_secs(9)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(!format!("{store:?} {store}").contains(TEXT));
}

#[tokio::test]
async fn a_wrong_key_is_told_and_ends_a_run_unless_it_worked_before() {
    let head = |status| Answer::new(status);
    let listing = || ok("<ListBucketResult></ListBucketResult>");
    // Each failed HEAD is followed by a small listing, which tells whether it is the bucket or the credentials.
    let wrong = || [head(403), listing(), head(400), listing()];
    let echo = Answer::new(200).header("x-amz-server-side-encryption-customer-algorithm", "AES256");
    let mut answers: Vec<Answer> = wrong().into();
    answers.push(echo);
    answers.extend(wrong());
    answers.extend([head(400), listing(), ok("")]);
    answers.extend([head(403), listing(), head(403), listing()]);
    let (_server, store) = served(answers, true).await;
    let id = customer_key(TEXT).id();
    for (kind, says) in [
        (Some(ErrorKind::InvalidConfig), format!("another SSE-C key than {id}")),
        (None, String::new()),
        (Some(ErrorKind::PermissionDenied), format!("another SSE-C key than {id}")),
        (Some(ErrorKind::Unsupported), "not encrypted with an SSE-C key".into()),
        (Some(ErrorKind::PermissionDenied), "the server denies this".into()),
    ] {
        let error = store.head(&key("k"), Detail::Basic).await.err();
        assert_eq!(error.as_ref().map(Error::kind), kind);
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(&says) && !text.contains('\n'), "{text}");
    }
}

#[tokio::test]
async fn a_body_goes_with_its_md5_once_that_is_demanded() {
    let demand = || {
        failure(
            400,
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object",
        )
    };
    let (server, store) = served([demand(), ok(""), ok(""), ok("")], false).await;
    let text = "The quick brown fox jumps over the lazy dog";
    for _ in 0..2 {
        store.write(&key("k"), Payload::from_bytes(text), replace()).await.unwrap();
    }
    let open = || {
        let chunk = Ok(bytes::Bytes::from_static(b"The quick brown fox jumps over the lazy dog"));
        let stream: ByteStream = Box::pin(futures::stream::iter([chunk]));
        let opened: futures::future::BoxFuture<'static, Result<ByteStream>> =
            Box::pin(std::future::ready(Ok(stream)));
        opened
    };
    let payload = Payload::Replayable { len: text.len() as u64, open: std::sync::Arc::new(open) };
    store.write(&key("k"), payload, replace()).await.unwrap();
    let received = server.received();
    let sent: Vec<_> = received.iter().map(|sent| sent.headers.get("content-md5")).collect();
    let md5: http::HeaderValue = "nhB9nTcrtoJr2B01QqQZ1g==".parse().unwrap();
    assert_eq!(sent, [None, Some(&md5), Some(&md5), Some(&md5)]);
    let (server, store) = served([demand(), demand()], false).await;
    let error = store.write(&key("k"), Payload::from_bytes("x"), replace()).await.unwrap_err();
    assert_eq!(
        (error.kind(), server.received().len()),
        (ErrorKind::Unsupported, 2),
        "asked once, not for ever"
    );
}

#[tokio::test]
async fn a_part_goes_with_its_md5_once_that_is_demanded() {
    let answers = [failure(400, "MissingContentMD5", ""), ok("")];
    let (server, store) = served(answers, false).await;
    let upload = store.resume_upload(&key("k"), &UploadId("u".into()), replace()).await.unwrap();
    upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("")).await.unwrap();
    assert_eq!(server.received()[1].header("content-md5"), "1B2M2Y8AsgTpgAmY7PhCfg==");
}

#[tokio::test]
async fn what_a_bucket_tells_of_its_lock() {
    let lock = |rule: &str| {
        ok(&format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        ))
    };
    let rule = |span: &str| {
        format!("<Rule><DefaultRetention><Mode>COMPLIANCE</Mode>{span}</DefaultRetention></Rule>")
    };
    let on = |text: Option<&str>| ObjectLock::On { default_retention: text.map(str::to_owned) };
    for (answer, expected) in [
        (lock(""), on(None)),
        (lock(&rule("<Days>30</Days>")), on(Some("COMPLIANCE, 30 days"))),
        (lock(&rule("<Years>1</Years>")), on(Some("COMPLIANCE, 1 year"))),
        (ok("<ObjectLockConfiguration/>"), ObjectLock::Off),
        (failure(404, "ObjectLockConfigurationNotFoundError", ""), ObjectLock::Off),
        (failure(403, "AccessDenied", ""), ObjectLock::Unknown),
        (failure(501, "NotImplemented", ""), ObjectLock::Unknown),
    ] {
        let (server, store) = served([answer, ok("")], false).await;
        assert_eq!(store.object_lock().await.unwrap(), expected);
        store.write(&key("k"), Payload::from_bytes("x"), replace()).await.unwrap();
        let with_md5 = server.received()[1].headers.contains_key("content-md5");
        assert_eq!(with_md5, matches!(expected, ObjectLock::On { .. }), "{expected:?}");
    }
    let (_server, store) = served([failure(404, "NoSuchBucket", "")], false).await;
    assert_eq!(store.object_lock().await.unwrap_err().kind(), ErrorKind::BucketNotFound);
}

async fn keyed(of: &S3Store, text: Option<&str>) -> S3Store {
    let config = live_tests::config(&of.client().bucket, Some("ceph")).unwrap();
    S3Store::open(S3Config { customer_key: text.map(customer_key), ..config }).await.unwrap()
}

#[tokio::test]
async fn under_a_key_nothing_is_read_without_it() {
    let Some(plain) = live_tests::fresh("ssec", Some("ceph")).await else { return };
    let (store, other) = (keyed(&plain, Some(TEXT)).await, keyed(&plain, Some(OTHER)).await);
    let small = key("small");
    store.write(&small, Payload::from_bytes("kept"), replace()).await.unwrap();
    assert_eq!(store.read_all(&small, 10).await.unwrap(), "kept");
    assert_eq!(store.customer_key(&small).await.unwrap(), Support::Enforced);
    assert_eq!(plain.customer_key(&small).await.unwrap(), Support::Unknown);
    let large = key("large");
    let upload = store.start_upload(&large, replace()).await.unwrap();
    let bodies = [vec![7; 5 << 20], b"end".to_vec()];
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(bodies) {
        let slot = PartSlot { number, offset: u64::from(number - 1) * (5 << 20) };
        parts.push(upload.part(slot, Payload::from_bytes(body)).await.unwrap());
    }
    upload.complete(&parts).await.unwrap();
    let range = ReadOptions::pinned(Some(ReadRange::Suffix(4)), None);
    let tail = store.read(&large, range.clone()).await.unwrap();
    let tail: Vec<bytes::Bytes> = futures::TryStreamExt::try_collect(tail.stream).await.unwrap();
    assert_eq!(tail.concat(), b"\x07end");
    for key in [&small, &large] {
        let error = plain.head(key, Detail::Basic).await.unwrap_err();
        assert!(error.to_string().contains("SSE-C"), "{error}");
        assert!(plain.read(key, range.clone()).await.unwrap_err().to_string().contains("SSE-C"));
        for error in [
            other.head(key, Detail::Basic).await.unwrap_err(),
            other.read(key, range.clone()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains(&customer_key(OTHER).id()), "{error}");
        }
    }
    let open = key("open");
    plain.write(&open, Payload::from_bytes("open"), replace()).await.unwrap();
    assert_eq!(store.customer_key(&open).await.unwrap(), Support::Ignored, "what is not encrypted is seen");
    assert_eq!(store.wrong_digest(&key("digest")).await.unwrap(), Support::Enforced);
}

/// A bucket with versions, and a lock that holds a new object for a day.
async fn locked() -> Option<S3Store> {
    let config = live_tests::config(&live_tests::fresh_name("lock"), Some("ceph"))?;
    let store = S3Store::open(config).await.unwrap();
    let client = store.client();
    let make = client
        .bucket(Operation::Open, Method::PUT)
        .text_header("x-amz-bucket-object-lock-enabled", "true")
        .unwrap();
    client.send(make).await.unwrap();
    Some(store)
}

async fn versions(store: &S3Store, name: &str) -> usize {
    let scope = ListScope { versions: true, ..ListScope::prefix(name) };
    let items: Vec<ListItem> = futures::TryStreamExt::try_collect(store.list(scope)).await.unwrap();
    items.len()
}

#[tokio::test]
async fn a_version_is_removed_for_good_and_a_locked_one_stays() {
    let Some(store) = locked().await else { return };
    assert_eq!(store.versioning().await.unwrap(), Versioning::On);
    assert_eq!(store.object_lock().await.unwrap(), ObjectLock::On { default_retention: None });
    let doomed = |version: &Written| DeleteOptions { version: version.version.clone(), ..Default::default() };
    let free = key("free");
    let old = store.write(&free, Payload::from_bytes("old"), replace()).await.unwrap();
    let new = store.write(&free, Payload::from_bytes("new"), replace()).await.unwrap();
    assert!(old.version.is_some() && old.version != new.version);
    store.delete(&free, doomed(&new)).await.unwrap();
    assert_eq!(store.read_all(&free, 10).await.unwrap(), "old");
    store.delete(&free, DeleteOptions::default()).await.unwrap();
    assert_eq!(versions(&store, "free").await, 1, "without a version it is hidden");
    store.delete(&free, doomed(&old)).await.unwrap();
    assert_eq!(versions(&store, "free").await, 0);
    let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let call = store.client().bucket(Operation::Open, Method::PUT).flag("object-lock");
    store.client().send(crate::wire::with_checked_text(call, rule.into()).unwrap()).await.unwrap();
    let told = store.object_lock().await.unwrap();
    assert_eq!(told, ObjectLock::On { default_retention: Some("GOVERNANCE, 1 day".into()) });
    let kept = store.write(&key("kept"), Payload::from_bytes("x"), replace()).await.unwrap();
    let error = store.delete(&key("kept"), doomed(&kept)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}
