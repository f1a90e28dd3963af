//! No signature, key or token is ever said, however much is logged.

#![allow(clippy::unwrap_used)]

mod testenv;

use testenv::TestEnv;
use testenv::server::server;

const SAS: &str = "sv=2024-11-04&ss=b&srt=co&sp=rl&se=2030-01-01T00:00:00Z&sig=HUSHsas%3D";

#[test]
fn no_log_holds_a_signature() {
    let azure = |body| {
        let text = format!(
            "AccountName=acc;SharedAccessSignature={SAS};BlobEndpoint={}/acc",
            server("403 Forbidden", "", body)
        );
        TestEnv::new().var("AZURE_STORAGE_CONNECTION_STRING", &text)
    };
    let s3 = |body| {
        TestEnv::new()
            .var("AWS_ACCESS_KEY_ID", "AKID")
            .var("AWS_SECRET_ACCESS_KEY", "HUSHkey")
            .var("AWS_SESSION_TOKEN", "HUSHtoken")
            .var("AWS_ENDPOINT_URL", &server("403 Forbidden", "", body))
    };
    // A server may quote what it was sent.
    let quotes = "<Error><Code>AuthenticationFailed</Code><Message>Signature did not match. String to sign used was \
                  HUSHsas, sig=HUSHsas</Message></Error>";
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    for (env, place) in
        [(azure(quotes), "az://imaging"), (azure(""), "az://imaging"), (s3(denied), "s3://imaging")]
    {
        for format in ["text", "json"] {
            for args in [
                &["ls", place][..],
                &["cat", &format!("{place}/a")],
                &["migrate", place, "out"],
                &["check-access", place, "out"],
            ] {
                let args = [args, &["-vv", "--log-format", format]].concat();
                let ran = env.run(&args);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains("403"), "it was asked: {ran:?}");
                for secret in ["HUSH", "sig=", "Signature=", "X-Amz-Signature"] {
                    assert!(!said.contains(secret), "{secret}: {args:?} {ran:?}");
                }
            }
        }
    }
}
