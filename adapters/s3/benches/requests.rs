//! What each request costs before the wire: a signature, and a page of a listing read (with its way over loopback).
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench fails by panicking")]

use std::fmt::Write as _;
use std::time::Duration;

use cabotage_core::{Key, ListItem, ListScope, PresignMethod, Secret, Storage as _};
use cabotage_http::testing::{Answer, ReplyQueue};
use cabotage_s3::{S3Config, S3Credentials, S3Store};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::TryStreamExt as _;

const PAGE: u64 = 1_000;

/// A page as Ceph writes it.
fn page() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
         <Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>",
    );
    for i in 0..PAGE {
        let _ = write!(
            text,
            "<Contents><Key>scans/2024/patient-{i:06}/image%20{i:06}.dcm</Key><LastModified>2026-11-24T10:00:00.000Z\
             </LastModified><ETag>&quot;{i:032x}&quot;</ETag><Size>{i}</Size><StorageClass>STANDARD</StorageClass>\
             <Owner><ID>o</ID><DisplayName>o</DisplayName></Owner><Type>Normal</Type></Contents>"
        );
    }
    text + "</ListBucketResult>"
}

async fn open(server: &ReplyQueue) -> S3Store {
    let credentials = S3Credentials::Static {
        access_key: "AKIDEXAMPLE".into(),
        secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    };
    let config = S3Config { endpoint: Some(server.url()), credentials, ..S3Config::new("b") };
    S3Store::open(config).await.unwrap()
}

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(ReplyQueue::start()).unwrap();
    let store = runtime.block_on(open(&server));
    let key = Key::new("scans/2024/été/../image 000001.dcm").unwrap();
    criterion.bench_function("sign/a presigned read", |bench| {
        bench.iter(|| {
            runtime.block_on(store.presign(&key, PresignMethod::Get, Duration::from_secs(3600))).unwrap()
        });
    });
    let page = page();
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(PAGE));
    group.bench_function("a page of 1,000 names", |bench| {
        bench.iter(|| {
            server.push(Answer::new(200).body(page.clone()));
            let items: Vec<ListItem> =
                runtime.block_on(store.list(ListScope::default()).try_collect()).unwrap();
            assert_eq!(items.len() as u64, PAGE);
        });
    });
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
