use super::*;

fn parsed(text: &str) -> Location {
    Location::parse(text).unwrap()
}

#[test]
fn everything_after_the_bucket_is_literal() {
    for (text, prefix, key) in [
        ("s3://b", "", None),
        ("s3://b/", "", None),
        ("s3://b/data", "data/", Some("data")),
        ("s3://b/data/", "data/", Some("data/")),
        ("s3://b//data", "/data/", Some("/data")),
        ("az://c/a%2Fb", "a%2Fb/", Some("a%2Fb")),
        ("az://c/a?b#c", "a?b#c/", Some("a?b#c")),
        ("az://c/../x", "../x/", Some("../x")),
        ("az://$web/a://b", "a://b/", Some("a://b")),
        ("target:b/a//b", "a//b/", Some("a//b")),
        ("target:b/x:y", "x:y/", Some("x:y")),
        ("memory://m/x", "x/", Some("x")),
    ] {
        let location = parsed(text);
        assert_eq!(location.prefix(), prefix, "{text}");
        assert_eq!(location.key().as_ref().map(Key::as_str), key, "{text}");
    }
}

#[test]
fn places() {
    let local = |path: &str| Place::Local { path: path.into() };
    for (text, place) in [
        ("S3://Bucket/x", Place::S3 { bucket: "Bucket".into() }),
        ("az://c", Place::Azure { container: "c".into() }),
        ("memory://m", Place::Memory { name: "m".into() }),
        ("target:b", Place::Named { store: "target".into(), bucket: "b".into() }),
        ("target:", Place::Named { store: "target".into(), bucket: String::new() }),
        ("C:x", Place::Named { store: "C".into(), bucket: "x".into() }),
        ("/a/b", local("/a/b")),
        ("./x:y", local("./x:y")),
        ("a/b:c", local("a/b:c")),
        ("..", local("..")),
        ("file:///a%20b", local("/a%20b")),
        ("file://localhost/a", local("/a")),
    ] {
        assert_eq!(*parsed(text).place(), place, "{text}");
    }
}

#[test]
fn what_is_refused_says_what_to_write() {
    for (text, said) in [
        ("", "can't be empty"),
        ("gs://b/x", "no scheme 'gs://'"),
        ("https://acct.blob.core.windows.net/c?sig=SECRET", "AZURE_STORAGE_CONNECTION_STRING"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("az://../x", "can't be the name of a container"),
        ("s3://a%2fb", "can't be the name of a bucket"),
        ("file://host/x", "another host"),
        ("file://x", "another host"),
        ("my file:x", "./"),
        ("s3://KEY:SECRET@b/x", "user name or password"),
    ] {
        let error = Location::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(said), "{text}: {shown}");
        assert!(!shown.contains("SECRET"), "{text}: {shown}");
    }
}

#[test]
fn a_location_is_shown_escaped() {
    assert_eq!(parsed("s3://b/a\u{1b}[31m/").to_string(), "s3://b/a\\u{1b}[31m/");
    assert_eq!(parsed("az://c/").to_string(), "az://c");
    assert_eq!(format!("{:?}", parsed("./a\nb")), "Location(./a\\nb)");
}
