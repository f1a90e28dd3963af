use cabotage_core::ErrorKind;

use super::*;

fn environment(vars: &[(&str, &str)]) -> Environment {
    vars.iter().copied().collect()
}

fn ambient_config(vars: &[(&str, &str)], options: &OpenOptions) -> Result<S3Config> {
    let environment = environment(vars);
    config(&crate::ambient::s3(&environment, options), "b", &environment, options)
}

fn destination() -> OpenOptions {
    OpenOptions { role: Role::Destination, ..OpenOptions::default() }
}

#[test]
fn the_standard_variables() {
    let vars = [
        ("AWS_REGION", "gra"),
        ("AWS_DEFAULT_REGION", "other"),
        ("AWS_ENDPOINT_URL", "https://general"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.host"),
        ("HTTPS_PROXY", "http://p:1"),
    ];
    let config = ambient_config(&vars, &destination()).unwrap();
    assert_eq!(config.region.as_deref(), Some("gra"));
    assert_eq!(config.endpoint.as_deref(), Some("https://s3.host"));
    assert_eq!(config.http.proxy.as_deref(), Some("http://p:1"));
    assert!(config.provider.is_none());
    assert!(matches!(config.credentials, cabotage_s3::S3Credentials::Environment(_)));
}

#[test]
fn a_destination_must_name_its_server() {
    let error = ambient_config(&[], &destination()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("AWS_ENDPOINT_URL_S3"), "{error}");
    let named = OpenOptions { s3_provider: Some("aws".into()), ..destination() };
    assert_eq!(ambient_config(&[], &named).unwrap().provider.unwrap().id, "aws");
    let source = ambient_config(&[], &OpenOptions::default()).unwrap();
    assert_eq!(source.provider.unwrap().id, "aws", "the standard variables mean Amazon by default");
    let unknown = OpenOptions { s3_provider: Some("scalway".into()), ..destination() };
    assert!(ambient_config(&[], &unknown).unwrap_err().to_string().contains("scaleway"));
}

#[test]
fn a_named_store_ignores_the_environment() {
    let environment = environment(&[
        ("AWS_REGION", "gra"),
        ("AWS_ENDPOINT_URL_S3", "https://ambient"),
        ("HTTPS_PROXY", "http://p:1"),
        ("K", "HUSH"),
        ("AWS_CONFIG_FILE", "/own/config"),
        ("AWS_SECRET_ACCESS_KEY", "ambient"),
    ]);
    let keys = S3Credentials::Keys {
        access_key_id: IdSource::Told("AK".into()),
        secret_access_key: SecretSource::Env("K".into()),
        session_token: None,
    };
    let named = |credentials| S3Settings {
        provider: Some("scaleway".into()),
        region: Some("fr-par".into()),
        credentials,
        ..S3Settings::default()
    };
    let made = config(&named(keys), "b", &environment, &destination()).unwrap();
    assert_eq!((made.endpoint, made.region.as_deref(), made.http.proxy), (None, Some("fr-par"), None));
    let cabotage_s3::S3Credentials::Static { access_key, secret, .. } = made.credentials else {
        panic!("static")
    };
    assert_eq!((access_key.as_str(), secret.reveal()), ("AK", "HUSH"));
    let profile =
        config(&named(S3Credentials::Profile("p".into())), "b", &environment, &destination()).unwrap();
    let cabotage_s3::S3Credentials::Environment(vars) = profile.credentials else { panic!("environment") };
    let vars: Vec<_> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(vars, [("AWS_CONFIG_FILE", "/own/config"), ("AWS_PROFILE", "p")]);
    let missing = config(&named(S3Credentials::Missing), "b", &environment, &destination()).unwrap_err();
    assert!(missing.to_string().contains("credentials = \"env\""), "{missing}");
}

#[test]
fn a_customers_key() {
    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let environment = environment(&[("SSE", TEXT), ("BAD", "HUSH")]);
    let source = |name: &str| Some(SecretSource::Env(name.into()));
    let made = |endpoint: &str, store: &str, option: Option<&str>| {
        let settings = S3Settings {
            endpoint: Some(endpoint.into()),
            credentials: S3Credentials::Env,
            sse_c_key: source(store),
            ..S3Settings::default()
        };
        let options = OpenOptions { sse_c_key: option.and_then(source), ..destination() };
        config(&settings, "b", &environment, &options)
    };
    let config = made("https://h", "SSE", None).unwrap();
    assert_eq!(config.customer_key.as_ref().unwrap().id(), "630dcd2966c43366");
    assert!(!format!("{config:?}").contains("AAECAw"));
    assert!(made("https://h", "BAD", Some("SSE")).is_ok(), "what is told with the location goes first");
    let error = made("https://h", "BAD", None).unwrap_err();
    assert!(
        error.to_string().contains("environment BAD") && !format!("{error:?}").contains("HUSH"),
        "{error}"
    );
    assert!(made("https://h", "UNSET", None).unwrap_err().to_string().contains("UNSET is not set"));
}
