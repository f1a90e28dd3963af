//! What an upload that goes on rests on: the parts that the server tells are those that it took.

use cabotage_core::*;
use cabotage_http::testing::{Answer, ReplyQueue};
use futures::StreamExt as _;

use crate::{CustomerKey, S3Config, S3Store, live_tests, scripted_tests};

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn slot(number: u32, size: u64) -> PartSlot {
    PartSlot { number, offset: u64::from(number - 1) * size }
}

fn parts_page(numbers: &[u32], next: Option<u32>) -> Answer {
    let parts: String = numbers
        .iter()
        .map(|n| format!("<Part><PartNumber>{n}</PartNumber><ETag>\"e{n}\"</ETag><Size>{n}</Size></Part>"))
        .collect();
    let next = next.map_or(String::new(), |n| {
        format!("<IsTruncated>true</IsTruncated><NextPartNumberMarker>{n}</NextPartNumberMarker>")
    });
    Answer::new(200).body(format!("<ListPartsResult>{next}{parts}</ListPartsResult>"))
}

async fn resumed(answers: impl IntoIterator<Item = Answer>) -> (ReplyQueue, std::sync::Arc<dyn Upload>) {
    let server = ReplyQueue::start().await.unwrap();
    for answer in answers {
        server.push(answer);
    }
    let store = S3Store::open(scripted_tests::config(&server, None)).await.unwrap();
    let upload = store.resume_upload(&key("k"), &UploadId("u".into()), WriteOptions::default()).await;
    (server, upload.unwrap())
}

#[tokio::test]
async fn parts_are_listed_page_by_page() {
    let (server, upload) =
        resumed([parts_page(&[1, 2], Some(2)), parts_page(&[5], Some(5)), parts_page(&[7], None)]).await;
    let parts = upload.parts().await.unwrap();
    let part =
        |number: u32| PartInfo { number, size: number.into(), etag: Some(ETag::new(&format!("e{number}"))) };
    assert_eq!(parts, [1, 2, 5, 7].map(part));
    let asked: Vec<_> = server.received().iter().map(|sent| sent.target.clone()).collect();
    assert_eq!(
        asked,
        [
            "/base/b/k?uploadId=u",
            "/base/b/k?uploadId=u&part-number-marker=2",
            "/base/b/k?uploadId=u&part-number-marker=5"
        ]
    );
}

#[tokio::test]
async fn a_listing_of_parts_that_goes_in_circles_is_an_error() {
    for next in [2, 1] {
        let (_server, upload) =
            resumed([parts_page(&[1, 2], Some(2)), parts_page(&[1, 2], Some(next))]).await;
        assert_eq!(upload.parts().await.unwrap_err().kind(), ErrorKind::ListingBroken);
    }
}

/// More parts than a page of the listing holds, told to another process as they were sent.
#[tokio::test]
async fn more_than_a_thousand_parts_are_told_as_they_were_sent() {
    let Some(store) = live_tests::fresh("parts", Some("ceph")).await else { return };
    let upload = store.start_upload(&key("k"), WriteOptions::default()).await.unwrap();
    let sent = futures::stream::iter((1..=1_005).rev())
        .map(|number| upload.part(slot(number, 1), Payload::from_bytes(number.to_string())))
        .buffer_unordered(16);
    let mut sent: Vec<PartInfo> = sent.map(|part| part.unwrap()).collect().await;
    sent.sort_by_key(|part| part.number);
    let config = live_tests::config(&store.client().bucket, Some("ceph")).unwrap();
    let other = S3Store::open(config).await.unwrap();
    let resumed = other.resume_upload(&key("k"), upload.id(), WriteOptions::default()).await.unwrap();
    assert_eq!(resumed.parts().await.unwrap(), sent);
    resumed.abort().await.unwrap();
    assert_eq!(resumed.parts().await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Parts under a customer's key have ETags that no one can compute; they are told alike all the same.
#[tokio::test]
async fn parts_under_a_customers_key_go_on_in_another_process() {
    let Some(plain) = live_tests::fresh("ssec-parts", Some("ceph")).await else { return };
    let text = Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let open = || async {
        let config = live_tests::config(&plain.client().bucket, Some("ceph")).unwrap();
        let customer_key = Some(CustomerKey::from_base64(&text).unwrap());
        S3Store::open(S3Config { customer_key, ..config }).await.unwrap()
    };
    let size = 5 << 20;
    let first = open().await;
    let upload = first.start_upload(&key("k"), WriteOptions::default()).await.unwrap();
    let one = upload.part(slot(1, size), Payload::from_bytes(vec![7; 5 << 20])).await.unwrap();
    let second = open().await;
    let upload = second.resume_upload(&key("k"), upload.id(), WriteOptions::default()).await.unwrap();
    assert_eq!(upload.parts().await.unwrap(), std::slice::from_ref(&one));
    let two = upload.part(slot(2, size), Payload::from_bytes("end")).await.unwrap();
    upload.complete(&[one, two]).await.unwrap();
    let content = second.read_all(&key("k"), 6 << 20).await.unwrap();
    assert!(content.len() == (5 << 20) + 3 && content.ends_with(b"\x07\x07end"));
    second.delete(&key("k"), DeleteOptions::default()).await.unwrap();
}
