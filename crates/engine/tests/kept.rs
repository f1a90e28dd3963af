//! What a destination is asked before the first write, under a customer's key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use cabotage_core::ErrorKind;
use common::{Bench, keys, put};

#[tokio::test]
async fn a_destination_that_does_not_encrypt_with_the_key_gets_nothing() {
    let bench = Bench::with(|rules| rules.customer_key = Some("0123456789abcdef".into()));
    for name in ["a", "b"] {
        put(&bench.source, name, name).await;
    }
    let error = bench.try_run(bench.options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("SSE-C key 0123456789abcdef"), "{error}");
    assert!(keys(&bench.destination).await.is_empty(), "the probe object is gone too");
}
