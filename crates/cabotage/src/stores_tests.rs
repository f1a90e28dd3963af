use super::*;
use crate::settings::{AzureCredentials, S3Credentials};
use crate::{S3Settings, SecretSource};

fn load(text: &str) -> Result<Stores> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Stores::load(Some(&path), Environment::default())
}

fn refused(text: &str) -> String {
    let error = load(text).unwrap_err();
    assert_eq!(error.kind(), cabotage_core::ErrorKind::InvalidConfig, "{error}");
    assert!(!format!("{error} {error:?}").contains("HUSH"), "{error}");
    error.to_string()
}

#[test]
fn a_full_file() {
    let stores = load(
        r#"
        [stores.target]
        kind = "s3"
        provider = "scaleway"
        region = "fr-par"
        addressing = "virtual"
        credentials = { access_key_id = "AK", secret_access_key = { env = "K" }, session_token = { file = "/t" } }
        connect_timeout = "5s"
        ca_file = "ca.pem"

        [stores.old]
        kind = "azure"
        account = "acct"
        credentials.sas_token.process = ["pass", "sas"]

        [stores.disk]
        kind = "local"
        root = "data"
        "#,
    )
    .unwrap();
    let StoreSettings::S3(S3Settings { region, credentials, http, .. }) = stores.named("target").unwrap()
    else {
        panic!("s3");
    };
    assert_eq!(region.as_deref(), Some("fr-par"));
    assert!(matches!(credentials, S3Credentials::Keys { session_token: Some(SecretSource::File(_)), .. }));
    assert_eq!(http.connect_timeout.unwrap().to_string(), "5s");
    assert!(http.ca_file.as_ref().unwrap().is_absolute(), "from the file's folder");
    let StoreSettings::Azure(azure) = stores.named("old").unwrap() else { panic!("azure") };
    assert!(matches!(azure.credentials, AzureCredentials::SasToken(SecretSource::Process(_))));
    let StoreSettings::Local(local) = stores.named("disk").unwrap() else { panic!("local") };
    assert!(local.root.is_absolute() && local.root.ends_with("data"));
}

#[test]
fn what_is_refused_is_named() {
    for (text, said) in [
        ("[store.x]\nkind = 's3'", "did you mean 'stores'?"),
        ("[stores.x]\nkind = 's3'\nregoin = 'a'", "stores.x has no key 'regoin'; did you mean 'region'?"),
        ("[stores.x]\nkind = 's3'\nacount = 'a'", "stores.x has no key 'acount'"),
        ("[stores.x]\nkind = 'azur'", "did you mean 'azure'?"),
        ("[stores.x]\nregion = 'a'", "lacks 'kind'"),
        ("[stores.x]\nkind = 'local'", "lacks 'root'"),
        ("[stores.x]\nkind = 's3'\nregion = 5", "region"),
        ("[stores.x]\nkind = 's3'\nconnect_timeout = '10'", "500ms, 10s"),
        ("[stores.x]\nkind = 's3'\nsecret_access_key = 'HUSH'", "no key 'secret_access_key'"),
        ("[stores.x]\nkind = 's3'\ncredentials = 'HUSH'", "neither \"env\" nor"),
        (
            "[stores.x]\nkind = 's3'\ncredentials = { access_key_id = 'a', secret_access_key = 'HUSH' }",
            "{ env = \"NAME\" }",
        ),
        ("[stores.x]\nkind = 's3'\ncredentials = { access_key_id = 'a' }", "lacks 'secret_access_key'"),
        ("[stores.x]\nkind = 's3'\ncredentials = { access_key_id = 'a', profile = 'p' }", "exactly one"),
        ("[stores.x]\nkind = 'azure'\ncredentials = { sas_token = 'HUSH' }", "no secret may stand"),
        (
            "[stores.x]\nkind = 'azure'\ncredentials = { sastoken = { env = 'A' } }",
            "did you mean 'sas_token'?",
        ),
        ("[stores.x]\nkind = 's3'\nproxy = 'http://u:HUSH@p:1'", "HTTPS_PROXY"),
        ("[stores.'a b']\nkind = 's3'", "'a b' can't be the name"),
        ("stores = 5", "'stores' is no table"),
        ("[stores]\nx = 5", "'stores.x' is no table"),
        ("[stores.x]\nkind = 's3'\nkey = HUSH", "line 3"),
    ] {
        let shown = refused(text);
        assert!(shown.contains(said), "{text}: {shown}");
        assert!(shown.contains("c.toml"), "{shown}");
    }
}

#[test]
fn the_default_file_may_be_missing_a_named_one_not() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let environment: Environment = [("HOME", home)].into_iter().collect();
    assert!(Stores::load(None, environment.clone()).unwrap().file().is_none());
    let path = folder.path().join(".config/cabotage/config.toml");
    assert_eq!(Stores::default_path(&environment).as_deref(), Some(path.as_path()));
    let named = Stores::load(Some(&path), environment.clone()).unwrap_err();
    assert!(named.to_string().contains("can't be read"), "{named}");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "[stores.x]\nkind = 'local'\nroot = '/'").unwrap();
    assert!(Stores::load(None, environment).unwrap().named("x").is_ok());
    let xdg: Environment = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")].into_iter().collect();
    assert_eq!(Stores::default_path(&xdg).unwrap(), Path::new("/x/cabotage/config.toml"));
    assert!(Stores::default_path(&Environment::default()).is_none());
}

#[test]
fn an_unknown_store_is_told_with_the_known_ones() {
    let stores = load("[stores.target]\nkind = 'local'\nroot = '/'").unwrap();
    let error = stores.named("targt").unwrap_err().to_string();
    assert!(error.contains("did you mean 'target'?") && error.contains("./targt:"), "{error}");
    let none = Stores::without_file(Environment::default()).named("C").unwrap_err().to_string();
    assert!(none.contains("no configuration file") && none.contains("./C:"), "{none}");
}

#[test]
fn the_example_of_the_guide_is_valid() {
    let guide = include_str!("../../../docs/guide.md");
    let example = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let stores = load(example).unwrap();
    assert!(stores.stores.len() >= 3, "{:?}", stores.stores.keys());
}
