use std::fs;

use cabotage_core::{
    DeleteOptions, Detail, ErrorKind as K, ListScope, PayloadSource, Storage as _, StorageExt as _, WriteMode,
};
use futures::TryStreamExt as _;

use futures::StreamExt as _;
use futures::future::join_all;

use super::*;
use crate::store::tests::*;
use crate::{LocalConfig, LocalStore};

fn slot(number: u32, offset: u64) -> PartSlot {
    PartSlot { number, offset }
}

#[tokio::test]
async fn uploads_go_on_in_another_process() {
    let folder = folder().await;
    let upload = folder.store.start_upload(&key("a/k"), mode(WriteMode::Create)).await.unwrap();
    let two = upload.part(slot(2, 3), Payload::from_bytes("d")).await.unwrap();
    upload.part(slot(1, 0), Payload::from_bytes("longer than it will be")).await.unwrap();
    let one = upload.part(slot(1, 0), Payload::from_bytes("abc")).await.unwrap();
    let two = { upload.part(slot(2, 3), Payload::from_bytes("e")).await.unwrap_or(two) };
    let wrong = Payload::hashed(vec!["x".into()], Sha256([0; 32]));
    assert_eq!(kind(upload.part(slot(3, 4), wrong).await), K::DigestMismatch);
    let id = upload.id().clone();
    drop(upload);

    let parts_file = folder.root().join(format!(".cabotage/uploads/{}.parts", id.0));
    let torn = fs::read_to_string(&parts_file).unwrap() + "\n{\"number\":3,\"off";
    fs::write(&parts_file, torn).unwrap();
    let again = LocalStore::open(LocalConfig { root: folder.root(), create: false, ..Default::default() })
        .await
        .unwrap();
    let open: Vec<UploadInfo> = again.list_uploads("a/").try_collect().await.unwrap();
    assert_eq!((&open[0].key, &open[0].id), (&key("a/k"), &id));
    assert!(again.list_uploads("b").try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(listed(&again, ListScope::default()).await.is_empty());
    let options = || WriteOptions { mode: WriteMode::Create, ..with_attributes(attributes()) };
    assert_eq!(kind(again.resume_upload(&key("other"), &id, options()).await), K::NotFound);
    let outside = UploadId("../../x".into());
    assert_eq!(kind(again.resume_upload(&key("a/k"), &outside, options()).await), K::NotFound);
    let upload = again.resume_upload(&key("a/k"), &id, options()).await.unwrap();
    assert_eq!(upload.parts().await.unwrap(), [one.clone(), two.clone()]);
    let open: PayloadSource =
        Arc::new(|| Box::pin(async { Ok(futures::stream::iter([Ok(Bytes::from_static(b"fg"))]).boxed()) }));
    let three = upload.part(slot(3, 4), Payload::Replayable { len: 2, open: open.clone() }).await.unwrap();
    let short = Payload::Replayable { len: 3, open };
    assert_eq!(kind(upload.part(slot(4, 6), short).await), K::Truncated);

    let stale = PartInfo { size: 9, ..one.clone() };
    assert_eq!(kind(upload.complete(&[stale, two.clone()]).await), K::PreconditionFailed);
    assert_eq!(kind(upload.complete(&[two.clone(), one.clone()]).await), K::PreconditionFailed);
    again.put(&key("a/k"), "x".into()).await.unwrap();
    let parts = [one, two, three];
    assert_eq!(kind(upload.complete(&parts).await), K::PreconditionFailed, "the mode holds");
    again.delete(&key("a/k"), DeleteOptions::default()).await.unwrap();
    let written = upload.complete(&parts).await.unwrap();
    assert_eq!(again.read_all(&key("a/k"), 99).await.unwrap(), "abcefg");
    assert_eq!(read_attributes(&again, "a/k").await, attributes());
    assert_eq!(again.head(&key("a/k"), Detail::Basic).await.unwrap().etag, written.etag);
    assert_eq!(kind(upload.complete(&parts).await), K::NotFound);
    upload.abort().await.unwrap();
    assert_eq!(folder.objects(), ["a", "a/k"]);
}

#[tokio::test]
async fn aborted_uploads_leave_nothing() {
    let folder = folder().await;
    let uploads =
        join_all((0..8).map(|_| folder.store.start_upload(&KEYS[0], WriteOptions::default()))).await;
    for upload in uploads {
        let upload = upload.unwrap();
        upload.part(slot(1, 0), Payload::from_bytes("abc")).await.unwrap();
        upload.abort().await.unwrap();
        assert_eq!(kind(upload.part(slot(1, 0), Payload::from_bytes("abc")).await), K::NotFound);
        assert_eq!(kind(upload.parts().await), K::NotFound);
    }
    assert_eq!(folder.files(), Vec::<String>::new());
}

static KEYS: std::sync::LazyLock<[Key; 1]> = std::sync::LazyLock::new(|| [key("k")]);
