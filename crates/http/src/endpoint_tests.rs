use super::*;

#[test]
fn parts() {
    for (text, shown, authority, base, loopback) in [
        ("https://S3.Example.com", "https://s3.example.com", "s3.example.com", "", false),
        ("https://h:443/", "https://h", "h", "", false),
        ("http://127.0.0.1:80", "http://127.0.0.1", "127.0.0.1", "", true),
        ("http://127.9.0.1:10000/acc/", "http://127.9.0.1:10000/acc", "127.9.0.1:10000", "/acc", true),
        ("http://[::1]:9000/a//b", "http://[::1]:9000/a//b", "[::1]:9000", "/a//b", true),
        ("http://localhost:9000", "http://localhost:9000", "localhost:9000", "", true),
        ("http://localhost.evil.com", "http://localhost.evil.com", "localhost.evil.com", "", false),
        ("http://10.0.0.1", "http://10.0.0.1", "10.0.0.1", "", false),
    ] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!(endpoint.to_string(), shown);
        assert_eq!(endpoint.authority(), authority);
        assert_eq!(endpoint.base_path(), base);
        assert_eq!(endpoint.is_loopback(), loopback, "{text}");
    }
}

#[test]
fn refused_without_showing_secrets() {
    for text in [
        "",
        "host",
        "ftp://host",
        "https://",
        "https://host:",
        "https://host:99999",
        "https://user:hunter2@host",
        "https://host/?sig=hunter2",
        "https://host/#hunter2",
        "https://ho st",
    ] {
        let error = Endpoint::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn bucket_before_the_host() {
    let endpoint = Endpoint::parse("https://s3.example.com:8443/base").unwrap();
    let prefixed = endpoint.with_host_prefix("my-bucket.x").unwrap();
    assert_eq!(prefixed.to_string(), "https://my-bucket.x.s3.example.com:8443/base");
    for bucket in ["", "a@evil.com", "a/b", "a..b", "-a", "A", "a_b", "a:1", "a#"] {
        assert!(endpoint.with_host_prefix(bucket).is_err(), "{bucket}");
    }
    assert!(Endpoint::parse("http://127.0.0.1:9000").unwrap().with_host_prefix("b").is_err());
    assert!(Endpoint::parse("http://[::1]:9000").unwrap().with_host_prefix("b").is_err());
}
