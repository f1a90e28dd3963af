//! `object_store`'s own integration tests through the bridge, on real servers, each function in a bucket of its own.

use std::sync::Arc;

use ::object_store::path::Path;
use ::object_store::{Error, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, integration};
use acceptance::{announce_missing, azurite, rgw};
use bytes::Bytes;
use cabotage::{Bridge, Environment, Layers, ListScope, Location, OpenOptions, Opened, Stores};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::runtime::Runtime;

use crate::cases;

cases! {
    azurite_passes_the_module needs ["azurite"],
    rgw_passes_the_module needs ["rgw"],
    rgw_with_versions_passes_the_module needs ["rgw"],
    conditions_are_proven_whatever_is_declared needs ["rgw"],
    older_versions_are_read_under_conditions needs ["rgw"],
}

type Function = fn(Arc<Bridge>) -> BoxFuture<'static, ()>;

/// The functions of `object_store::integration`, by name.
macro_rules! functions {
    (@call list_paginated $store:ident) => { integration::list_paginated(&*$store, &*$store).await };
    (@call $name:ident $store:ident $($argument:expr)*) => { integration::$name(&*$store $(, $argument)*).await };
    ($($name:ident ( $($argument:expr),* )),+ $(,)?) => {
        &[$((stringify!($name), |store: Arc<Bridge>| {
            async move { let _ = functions!(@call $name store $($argument)*); }.boxed()
        })),+]
    };
}

const MODULE: &[(&str, Function)] = functions! {
    put_get_delete_list(),
    list_with_offset_exclusivity(),
    get_opts(),
    put_opts(true),
    stream_get(),
    list_uses_directories_correctly(),
    list_with_delimiter(),
    get_nonexistent_object(None),
    rename_and_copy(),
    copy_if_not_exists(),
    copy_rename_nonexistent_object(),
    put_get_attributes(),
    multipart_out_of_order(),
    list_paginated(),
};

/// Which of two uploads of one object stays is the server's to say.
const LAST_WINS: &[(&str, Function)] = functions! { multipart_race_condition(true) };
const FIRST_WINS: &[(&str, Function)] = functions! { multipart_race_condition(false) };

async fn bridge(variables: Vec<(String, String)>, location: &str) -> Arc<Bridge> {
    let provider = location.starts_with("s3:").then_some("ceph");
    opened(variables, location, provider).await.object_store(&Layers::default())
}

async fn opened(variables: Vec<(String, String)>, location: &str, provider: Option<&str>) -> Opened {
    let stores = Stores::without_file(variables.into_iter().collect::<Environment>());
    let options = OpenOptions { s3_provider: provider.map(str::to_owned), ..OpenOptions::default() };
    stores.open(&Location::parse(location).unwrap(), &options).await.unwrap()
}

/// Every function of the module; those named have to fail with that text.
fn module(
    variables: &[(String, String)],
    fresh: impl Fn() -> String,
    race: &[(&str, Function)],
    deviations: &[(&str, &str)],
) {
    let runtime = Runtime::new().unwrap();
    let mut wrong = Vec::new();
    for (name, function) in MODULE.iter().chain(race) {
        let location = fresh();
        let store = runtime.block_on(bridge(variables.to_vec(), &location));
        let outcome = runtime.block_on(async { tokio::spawn(function(store)).await });
        let listed = deviations.iter().find(|(listed, _)| listed == name).map(|(_, text)| *text);
        match (outcome.map_err(said), listed) {
            (Ok(()), None) => {}
            (Err(text), Some(expected)) if text.contains(expected) => {}
            (outcome, _) => wrong.push(format!("{name}: {outcome:?}, and listed is {listed:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn said(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn azurite_passes_the_module() {
    let Some(server) = azurite() else { return announce_missing("azurite", "object_store") };
    module(&server.variables(), || format!("az://{}", server.container("bridge")), FIRST_WINS, &[]);
}

fn rgw_passes_the_module() {
    let Some(server) = rgw() else { return announce_missing("rgw", "object_store") };
    module(&server.variables(), || format!("s3://{}", server.bucket("bridge")), LAST_WINS, &[]);
}

fn rgw_with_versions_passes_the_module() {
    let Some(server) = rgw() else { return announce_missing("rgw", "object_store") };
    let fresh = || {
        let bucket = server.bucket("bridge");
        server.raw.keep_versions(&bucket);
        format!("s3://{bucket}")
    };
    // Where a bucket keeps versions, RGW doesn't look at If-None-Match.
    let deviations = [("put_opts", "unwrap_err"), ("copy_if_not_exists", "is_err()")];
    module(&server.variables(), fresh, LAST_WINS, &deviations);
}

fn older_versions_are_read_under_conditions() {
    let Some(server) = rgw() else { return announce_missing("rgw", "object_store") };
    let bucket = server.bucket("bridge");
    server.raw.keep_versions(&bucket);
    let runtime = Runtime::new().unwrap();
    let location = format!("s3://{bucket}");
    runtime.block_on(async { older_versions(&*bridge(server.variables(), &location).await).await });
}

async fn older_versions(store: &Bridge) {
    let path = Path::from("k");
    let old = store.put(&path, "old content".into()).await.unwrap();
    let new = store.put(&path, "new".into()).await.unwrap();
    let asked = async |options: GetOptions| {
        let version = GetOptions { version: old.version.clone(), ..options };
        let found = store.get_opts(&path, version).await?;
        let size = found.meta.size;
        Ok::<_, Error>((size, found.bytes().await?))
    };
    let whole = (11, Bytes::from_static(b"old content"));
    assert_eq!(asked(GetOptions::default()).await.unwrap(), whole);
    assert_eq!(asked(GetOptions::new().with_if_match(old.e_tag.clone())).await.unwrap(), whole);
    assert_eq!(asked(GetOptions::new().with_if_none_match(new.e_tag.clone())).await.unwrap(), whole);
    assert_eq!(asked(GetOptions::new().with_range(Some(0..3))).await.unwrap(), (11, "old".into()));
    let head = asked(GetOptions::new().with_head(true)).await.unwrap();
    assert_eq!(head, (11, Bytes::new()), "a head of a version is of that version");
    let refused = asked(GetOptions::new().with_if_match(new.e_tag)).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition { .. }), "{refused}");
    let refused = asked(GetOptions::new().with_if_none_match(old.e_tag.clone())).await.unwrap_err();
    assert!(matches!(refused, Error::NotModified { .. }), "{refused}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "new");
}

/// Without a profile nothing is declared of RGW, and it enforces conditions; with versions it ignores what its profile declares.
fn conditions_are_proven_whatever_is_declared() {
    let Some(server) = rgw() else { return announce_missing("rgw", "object_store") };
    let runtime = Runtime::new().unwrap();
    let (path, name) = (Path::from("k"), Path::from("conditions-are-tried-here"));
    for (versions, provider) in [(false, None), (true, Some("ceph"))] {
        let bucket = server.bucket("bridge");
        if versions {
            server.raw.keep_versions(&bucket);
        }
        let refused = runtime.block_on(async {
            let location = format!("s3://{bucket}");
            let store = opened(server.variables(), &location, provider).await.layered(&Layers::default());
            let versions = ListScope { versions: true, ..ListScope::default() };
            let proven = Bridge::proven(Arc::clone(&store), &name).await.unwrap();
            assert!(store.list(versions).next().await.is_none(), "nothing is left of the trial");
            proven.put(&path, "x".into()).await.unwrap();
            proven.put_opts(&path, "y".into(), PutMode::Create.into()).await.unwrap_err()
        });
        assert_eq!(matches!(refused, Error::AlreadyExists { .. }), !versions, "{refused}");
        assert_eq!(matches!(refused, Error::NotImplemented { .. }), versions, "{refused}");
    }
}
