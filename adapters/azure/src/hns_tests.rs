//! Accounts with a hierarchical namespace, against replies as the REST reference documents them ("List Blobs", since
//! version 2020-06-12 with `include=permissions`): no emulator has such accounts, so nothing here was seen on a server.

use cabotage_core::{
    AccessEntry, ErrorKind as K, ListItem, ListOrder, ObjectForm, Probe as _, RemnantKind, Secret,
};
use cabotage_http::HttpConfig;
use cabotage_http::testing::{Answer, ReplyQueue};
use futures::TryStreamExt as _;

use super::*;
use crate::config::AzureCredentials;

/// A page of these blobs.
fn page(blobs: &str, marker: &str) -> Answer {
    Answer::new(200).body(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"data\"><Blobs>{blobs}</Blobs>\
         <NextMarker>{marker}</NextMarker></EnumerationResults>"
    ))
}

fn blob(name: &str, kind: &str, more: &str) -> String {
    let metadata =
        if kind == "directory" { "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>" } else { "" };
    format!(
        "<Blob><Name>{name}</Name><Properties><Etag>0x1</Etag><ResourceType>{kind}</ResourceType>\
         <Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>{more}</Properties>{metadata}</Blob>"
    )
}

const RIGHTS: &str = "<Owner>8e2a0a1c</Owner><Group>$superuser</Group><Permissions>rwxr-x---+</Permissions>\
    <Acl>user::rwx,user:5f3c:r-x,group::r-x,mask::r-x,other::---</Acl>";

async fn open(queue: &ReplyQueue, hierarchical: bool) -> AzureStore {
    if hierarchical {
        queue.push(Answer::new(200).header("x-ms-is-hns-enabled", "true"));
    } else {
        queue.push(Answer::new(200)).push(page("", ""));
    }
    AzureStore::open(AzureConfig {
        renew: None,
        container: "data".into(),
        account: Some("acc".into()),
        endpoint: Some(queue.url()),
        credentials: AzureCredentials::Sas(Secret::new("sv=1&sig=hushhush")),
        http: HttpConfig::default(),
    })
    .await
    .unwrap()
}

fn last_target(queue: &ReplyQueue) -> String {
    queue.received().last().unwrap().target.clone()
}

#[tokio::test]
async fn empty_folders_are_listed_in_no_order_that_is_relied_on() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue, true).await;
    assert_eq!(store.capabilities().list_order, ListOrder::None);
    let blobs = [blob("a", "directory", ""), blob("a/x", "file", ""), blob("a-b", "directory", "")].concat();
    queue.push(page(&blobs, ""));
    let items: Vec<ListItem> = store.list(ListScope::default()).try_collect().await.unwrap();
    let told: Vec<_> = items
        .iter()
        .map(|item| match item {
            ListItem::Object(info) => (info.key.as_str(), info.form),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected =
        [("a", ObjectForm::FolderStub), ("a/x", ObjectForm::Plain), ("a-b", ObjectForm::FolderStub)];
    assert_eq!(told, expected);
    assert!(last_target(&queue).contains("include=metadata&"), "without tags: {}", last_target(&queue));
}

#[tokio::test]
async fn owners_and_access_lists_are_told_whole_or_not_at_all() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue, true).await;
    queue.push(page(&blob("p/a", "directory", RIGHTS), "m")).push(page(&blob("p/a/x", "file", RIGHTS), ""));
    let found: Vec<AccessEntry> = store.access_lists("p/").unwrap().try_collect().await.unwrap();
    assert_eq!(
        found.iter().map(|entry| (entry.key.as_str(), entry.folder)).collect::<Vec<_>>(),
        [("p/a", true), ("p/a/x", false)]
    );
    assert_eq!(found[1].acl, "user::rwx,user:5f3c:r-x,group::r-x,mask::r-x,other::---");
    assert_eq!((found[1].owner.as_str(), found[1].group.as_str()), ("8e2a0a1c", "$superuser"));
    assert!(last_target(&queue).contains("include=permissions"), "{}", last_target(&queue));
    queue.push(page(&blob("p/a", "file", "<Owner>8e2a0a1c</Owner>"), ""));
    let partly = store.access_lists("p/").unwrap().try_collect::<Vec<_>>().await;
    assert_eq!(partly.unwrap_err().kind(), K::Protocol);
    let flat = ReplyQueue::start().await.unwrap();
    assert!(open(&flat, false).await.access_lists("").is_none(), "a flat account has none");
}

#[tokio::test]
async fn versions_are_asked_for_where_there_can_be_any() {
    for (hierarchical, include) in [(true, "snapshots%2Cdeleted"), (false, "snapshots%2Cversions%2Cdeleted")]
    {
        let queue = ReplyQueue::start().await.unwrap();
        let store = open(&queue, hierarchical).await;
        queue.push(page("<Blob><Name>a</Name><Deleted>true</Deleted></Blob>", "m")).push(page("", ""));
        let found: Vec<_> = store.remnants("").unwrap().try_collect().await.unwrap();
        assert_eq!(found.iter().map(|remnant| remnant.kind).collect::<Vec<_>>(), [RemnantKind::Deleted]);
        let target = last_target(&queue).replace(',', "%2C");
        assert!(target.contains(include) && target.contains("marker=m"), "{target}");
        queue.push(page("", "m")).push(page("", "n")).push(page("", "m"));
        let circle = store.remnants("").unwrap().try_collect::<Vec<_>>().await;
        assert_eq!(circle.unwrap_err().kind(), K::ListingBroken);
    }
}
