use http::Request;

use super::*;

fn parts(method: &str, uri: &str, headers: &[(&str, &[u8])]) -> Parts {
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    builder.body(()).unwrap().into_parts().0
}

fn example() -> Credential {
    Credential {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        ..Credential::default()
    }
}

fn signer() -> SigV4 {
    SigV4::new("us-east-1", Arc::new(AtomicI64::new(0)))
}

/// 2013-05-24T00:00:00Z, the time of the API reference's examples.
fn then() -> Timestamp {
    Timestamp::from_second(1_369_353_600).unwrap()
}

/// "Example: GET Object" of the API reference's page on the Authorization header.
#[test]
fn the_reference_example_get() {
    let mut parts =
        parts("GET", "https://examplebucket.s3.amazonaws.com/test.txt", &[("range", b"bytes=0-9")]);
    signer().sign_header(&mut parts, &example(), then()).unwrap();
    let authorization = parts.headers[AUTHORIZATION].to_str().unwrap();
    assert!(authorization.contains("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"));
    assert!(
        authorization.ends_with("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        "{authorization}"
    );
}

/// "Example: GET Bucket (List Objects)": sorted query.
#[test]
fn the_reference_example_list() {
    let uri = "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2";
    let mut parts = parts("GET", uri, &[]);
    signer().sign_header(&mut parts, &example(), then()).unwrap();
    let authorization = parts.headers[AUTHORIZATION].to_str().unwrap();
    assert!(
        authorization.ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        "{authorization}"
    );
}

/// The example of the API reference's page on query authentication.
#[test]
fn the_reference_example_presigned() {
    let mut parts = parts("GET", "https://examplebucket.s3.amazonaws.com/test.txt", &[]);
    signer().sign_query(&mut parts, &example(), then(), Duration::from_secs(86400)).unwrap();
    assert_eq!(
        parts.uri.to_string(),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn what_is_signed_is_what_is_sent() {
    for path in ["/b/../other/k", "/b/a//b", "/b/a/./b/", "/b/%252F%2B%20%01%F0%9F%98%80", "/%20base/b/k"] {
        assert_eq!(canonical_path(path), path);
    }
    assert_eq!(canonical_path("/a+b/%7e%2f"), "/a%2Bb/~%2F");
    assert_eq!(canonical_query("uploads&partNumber=2&a=%2F&a=+"), "a=%2B&a=%2F&partNumber=2&uploads=");
}

#[test]
fn header_values_are_signed_collapsed_and_by_their_bytes() {
    let original = "a  b\u{e9}".as_bytes();
    let parts = parts("PUT", "https://h/b/k", &[("x-amz-meta-t", original), ("user-agent", b"me")]);
    let (canonical, names) = canonical_request(&parts, "").unwrap();
    assert_eq!(names, "host;x-amz-meta-t");
    let text = String::from_utf8(canonical).unwrap();
    assert!(text.contains("\nx-amz-meta-t:a b\u{e9}\n"), "{text}");
    assert_eq!(parts.headers["x-amz-meta-t"].as_bytes(), original);
    for (value, signed) in [("  a   b ", "a b"), ("", ""), ("   ", ""), ("a\t\tb", "a\t\tb")] {
        assert_eq!(collapse(value.as_bytes()), signed.as_bytes(), "{value:?}");
    }
}

#[test]
fn the_session_token_is_signed() {
    let credential = Credential { session_token: Some("tok/en".into()), ..example() };
    let mut header = parts("GET", "https://h/b/k", &[]);
    signer().sign_header(&mut header, &credential, then()).unwrap();
    assert!(header.headers[AUTHORIZATION].to_str().unwrap().contains("x-amz-security-token"));
    assert!(header.headers[TOKEN].is_sensitive());
    let mut query = parts("GET", "https://h/b/k", &[]);
    signer().sign_query(&mut query, &credential, then(), Duration::from_secs(5)).unwrap();
    assert!(query.uri.query().unwrap().contains("X-Amz-Security-Token=tok%2Fen"));
}

#[test]
fn the_signed_time_follows_the_server() {
    let skew = Arc::new(AtomicI64::new(3600));
    let ahead = SigV4::new("r", skew).now().unwrap().as_second() - Timestamp::now().as_second();
    assert!((3590..=3610).contains(&ahead), "{ahead}");
}
