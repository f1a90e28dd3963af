use super::*;
use crate::test_support::quick;
use crate::testing::{Answer, ReplyQueue};

fn fixed(variables: &[(&str, &str)]) -> Environment {
    Environment::Fixed(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

fn request(uri: &str) -> Request<Bytes> {
    Request::builder().method("PUT").uri(uri).body(Bytes::from("body")).unwrap()
}

#[tokio::test]
async fn files_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    std::fs::write(&path, "[default]").unwrap();
    let context = reqsign_context(&quick(), fixed(&[("AWS_REGION", "x")])).unwrap();
    assert_eq!(context.file_read(path.to_str().unwrap()).await.unwrap(), b"[default]");
    assert!(context.file_read("/no/such/file").await.is_err());
    assert_eq!(context.env_var("AWS_REGION").as_deref(), Some("x"));
    assert_eq!(context.env_var("PATH"), None);
    let ambient = reqsign_context(&quick(), Environment::Ambient).unwrap();
    assert_eq!(ambient.env_var("PATH"), std::env::var("PATH").ok());
}

#[tokio::test]
async fn http_to_the_metadata_service() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(500)).push(Answer::new(404).body("none"));
    let config = HttpConfig { proxy: Some("http://127.0.0.1:1".to_owned()), ..quick() };
    let context = reqsign_context(&config, Environment::Ambient).unwrap();
    let response = context.http_send(request(&format!("{}/latest", queue.url()))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.into_body()), (404, Bytes::from("none")));
    assert_eq!(queue.received().len(), 2);
    assert_eq!(queue.received()[0].body, "body");
}

#[tokio::test]
async fn plaintext_to_others_is_refused() {
    let context = reqsign_context(&quick(), Environment::Ambient).unwrap();
    for uri in ["http://example.com/", "http://169.254.169.254.example.com/", "http://10.0.0.1/"] {
        let error = context.http_send(request(uri)).await.unwrap_err();
        assert!(error.to_string().contains("plaintext"), "{error}");
    }
}

#[test]
fn near_addresses() {
    for (uri, near) in [
        ("http://169.254.169.254/latest", true),
        ("http://169.254.170.2/v2", true),
        ("http://[fd00:ec2::254]/latest", true),
        ("http://localhost:40342/metadata", true),
        ("http://127.0.0.1:9/", true),
        ("https://169.254.169.254/", false),
        ("http://8.8.8.8/", false),
        ("http://metadata.example.com/", false),
    ] {
        assert_eq!(is_near(&uri.parse().unwrap()), near, "{uri}");
    }
}

#[tokio::test]
async fn redirects_and_long_replies() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(302).header("location", queue.url()));
    queue.push(Answer::new(200).body(vec![0; REPLY + 1]));
    let context = reqsign_context(&quick(), Environment::Ambient).unwrap();
    let response = context.http_send(request(&queue.url())).await.unwrap();
    assert_eq!(response.status(), 302);
    assert!(context.http_send(request(&queue.url())).await.is_err());
    assert_eq!(queue.received().len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn commands() {
    let context = reqsign_context(&quick(), fixed(&[("AWS_PROFILE", "mine")])).unwrap();
    let output = context.command_execute("sh", &["-c", "echo $AWS_PROFILE; exit 3"]).await.unwrap();
    assert_eq!((output.status, output.stdout.as_slice()), (3, &b"mine\n"[..]));
    assert!(context.command_execute("no-such-command-here", &[]).await.is_err());
    assert!(is_cloud_variable("AZURE_CLIENT_SECRET".as_ref()));
    assert!(!is_cloud_variable("PATH".as_ref()));
}

#[test]
fn shown_without_values() {
    let shown = format!("{:?}", fixed(&[("AWS_SECRET_ACCESS_KEY", "hunter2")]));
    assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"), "{shown}");
}
