use super::*;

const KEY: &str = "c2VjcmV0LWtleQ==";

fn config(credentials: AzureCredentials) -> AzureConfig {
    AzureConfig {
        renew: None,
        container: "data".into(),
        account: None,
        endpoint: None,
        credentials,
        http: HttpConfig::default(),
    }
}

fn by_string(text: &str) -> Result<Target> {
    config(AzureCredentials::ConnectionString(Secret::new(text))).target()
}

#[test]
fn connection_strings_that_are_read() {
    for (text, account, endpoint) in [
        (
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=c2VjcmV0LWtleQ==;EndpointSuffix=core.chinacloudapi.cn",
            "acc",
            "https://acc.blob.core.chinacloudapi.cn",
        ),
        ("accountname=acc;ACCOUNTKEY=c2VjcmV0LWtleQ==", "acc", "https://acc.blob.core.windows.net"),
        (
            " AccountName=acc ; AccountKey=c2VjcmV0LWtleQ== ;BlobEndpoint=http://127.0.0.1:1/acc/; QueueEndpoint=x",
            "acc",
            "http://127.0.0.1:1/acc",
        ),
        (
            "BlobEndpoint=https://acc.blob.core.windows.net;SharedAccessSignature=?sv=1&sig=x%3D",
            "acc",
            "https://acc.blob.core.windows.net",
        ),
        ("UseDevelopmentStorage=true", "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1"),
    ] {
        let target = by_string(text).unwrap();
        assert_eq!(
            (target.account.as_str(), target.endpoint.to_string().as_str()),
            (account, endpoint),
            "{text}"
        );
    }
}

#[test]
fn wrong_settings_are_named_without_their_values() {
    for (text, expected) in [
        ("AccountName=acc;hush", "setting 2"),
        ("AccountName=acc", "neither AccountKey"),
        ("AccountName=acc;AccountKey=hush-not-base64!", "not Base64"),
        ("AccountName=acc;AccountKey=c2VjcmV0LWtleQ==;AccountKey=hush", "AccountKey stands twice"),
        ("AccountKey=c2VjcmV0LWtleQ==", "account isn't told"),
        ("AccountName=;AccountKey=hush", "AccountName in the connection string is empty"),
        ("AccountName=acc;SharedAccessSignature=hush", "no shared access signature"),
        ("UseDevelopmentStorage=hush", "not 'true'"),
        ("DefaultEndpointsProtocol=hush;AccountName=a;AccountKey=c2VjcmV0LWtleQ==", "neither http"),
        ("Hush=1", "no setting that is known"),
    ] {
        let error = by_string(text).err().unwrap_or_else(|| panic!("{text} was read"));
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected), "{text}: {shown}");
        assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
    }
}

#[test]
fn a_fixed_environment_is_all_that_counts() {
    let variables = |pairs: &[(&str, &str)]| {
        let map = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        config(AzureCredentials::Ambient(Environment::Fixed(map))).target()
    };
    let key = variables(&[("AZURE_STORAGE_ACCOUNT", "acc"), ("AZURE_STORAGE_KEY", KEY)]).unwrap();
    assert!(matches!(key.grant, Grant::Key(_)));
    let sas =
        variables(&[("AZURE_STORAGE_ACCOUNT_NAME", "acc"), ("AZURE_STORAGE_SAS_TOKEN", "?sig=x")]).unwrap();
    assert!(matches!(&sas.grant, Grant::Sas(sas) if sas.reveal() == "sig=x"));
    let search = variables(&[("AZURE_STORAGE_ACCOUNT", "acc")]).unwrap();
    assert!(matches!(search.grant, Grant::Search(_)));
    assert!(variables(&[]).err().unwrap().to_string().contains("AZURE_STORAGE_ACCOUNT"));
}

#[test]
fn containers() {
    for (name, ok) in [
        ("abc", true),
        ("a-b-3", true),
        ("$root", true),
        ("ab", false),
        ("a--b", false),
        ("-abc", false),
        ("Abc", false),
        ("a/../b", false),
        ("abc?x", false),
    ] {
        assert_eq!(check_container(name).is_ok(), ok, "{name}");
    }
}

#[test]
fn accounts_of_endpoints() {
    for (url, account) in [
        ("https://acc.blob.core.windows.net", Some("acc")),
        ("http://127.0.0.1:10000/devstoreaccount1", Some("devstoreaccount1")),
        ("http://127.0.0.1:10000", None),
        ("http://localhost:10000", None),
    ] {
        assert_eq!(account_of(&Endpoint::parse(url).unwrap()).as_deref(), account, "{url}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", config(AzureCredentials::Sas(Secret::new("sig=hush"))));
    assert!(shown.contains("redacted") && !shown.contains("hush"), "{shown}");
}
