//! Named stores: a configuration file, and secrets from where it says.

use cabotage::{Environment, ErrorKind, Key, Layers, Location, OpenOptions, StorageExt as _, Stores};

/// Writes `key` at that location by the file, which is all that is known but for the variables.
async fn written(file: &str, location: &str, variables: &[(&str, &str)]) -> cabotage::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let stores = Stores::load(Some(&path), variables.iter().copied().collect::<Environment>())?;
    let opened = stores.open(&Location::parse(location)?, &OpenOptions::default()).await?;
    let store = opened.layered(&Layers::default());
    let key = Key::new("key")?;
    store.put(&key, "by name".into()).await?;
    assert_eq!(store.read_all(&key, 99).await?, "by name");
    Ok(())
}

#[tokio::test]
async fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inside")).unwrap();
    let file = format!("[stores.disk]\nkind = \"local\"\nroot = {:?}\n", folder.path());
    written(&file, "disk:inside", &[]).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("inside/key")).unwrap(), b"by name");
    let unknown = written(&file, "disc:inside", &[]).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidConfig);
    assert!(unknown.to_string().contains("did you mean 'disk'?"), "{unknown}");
}

#[tokio::test]
async fn an_s3_bucket() {
    let Some(server) = acceptance::rgw() else {
        return acceptance::announce_missing("rgw", "a named store on S3");
    };
    let bucket = server.bucket("named");
    let raw = &server.raw;
    let file = format!(
        "[stores.target]\nkind = \"s3\"\nendpoint = \"{}\"\nregion = \"{}\"\n\
         credentials = {{ access_key_id = \"{}\", secret_access_key = {{ env = \"TARGET_SECRET\" }} }}\n",
        raw.endpoint, raw.region, raw.access_key
    );
    // The environment's own are those of somebody else.
    let own = ("TARGET_SECRET", raw.secret_key.as_str());
    let ambient = [("AWS_ACCESS_KEY_ID", "OTHER"), ("AWS_SECRET_ACCESS_KEY", "OTHER"), own];
    let location = format!("target:{bucket}/prefix");
    written(&file, &location, &ambient).await.unwrap();
    assert_eq!(raw.get(&bucket, "prefix/key").unwrap(), b"by name");
    let without = written(&file, &location, &ambient[..2]).await.unwrap_err();
    assert!(without.to_string().contains("TARGET_SECRET"), "{without}");
}

#[tokio::test]
async fn an_azure_container() {
    let Some(server) = acceptance::azurite() else {
        return acceptance::announce_missing("azurite", "a named store on Azure");
    };
    let container = server.container("named");
    let raw = &server.raw;
    let file = format!(
        "[stores.hospital]\nkind = \"azure\"\naccount = \"{}\"\nendpoint = \"{}\"\n\
         credentials = {{ account_key = {{ env = \"HOSPITAL_KEY\" }} }}\n",
        raw.account, raw.endpoint
    );
    let location = format!("hospital:{container}/prefix");
    written(&file, &location, &[("HOSPITAL_KEY", &raw.key)]).await.unwrap();
    assert_eq!(raw.get(&container, "prefix/key").unwrap(), b"by name");
}
