//! A client whose credentials are refused.

use super::*;
use crate::test_support::{TestService, get, server};
use crate::testing::Answer;

fn refusal(kind: &str) -> Answer {
    Answer::new(403).header("x-kind", kind)
}

#[tokio::test]
async fn many_refusals_at_once_are_one_renewal() {
    for kind in ["credentials-expired", "unauthenticated"] {
        let (queue, client) = server().await;
        let service = TestService::default();
        for _ in 0..10 {
            queue.push(refusal(kind).delay(Duration::from_millis(20)));
        }
        for _ in 0..10 {
            queue.push(Answer::new(200));
        }
        let all = (0..10).map(|_| client.send(&service, get("/b/k")));
        futures::future::try_join_all(all).await.unwrap();
        assert_eq!(service.refreshed.load(Ordering::SeqCst), 1, "{kind}");
        assert_eq!(client.traffic().renewals, 1, "{kind}");
        queue.push(refusal(kind)).push(Answer::new(200));
        client.send(&service, get("/b/k")).await.unwrap();
        assert_eq!(client.traffic().renewals, 2, "the next expiry is another");
    }
}

#[tokio::test]
async fn what_refusals_mean_when_there_are_no_others() {
    use ErrorKind::{CredentialsExpired, Unauthenticated};
    for (renewal, worked, told, meant) in [
        (Renewal::Same, true, "unauthenticated", CredentialsExpired),
        (Renewal::Same, false, "unauthenticated", Unauthenticated),
        (Renewal::Same, false, "credentials-expired", CredentialsExpired),
        (Renewal::Fixed, true, "unauthenticated", Unauthenticated),
        (Renewal::Fixed, true, "credentials-expired", Unauthenticated),
        (Renewal::Renewed, false, "unauthenticated", Unauthenticated),
        (Renewal::Renewed, true, "unauthenticated", CredentialsExpired),
    ] {
        let what = format!("{renewal:?} {worked} {told}");
        let (queue, client) = server().await;
        let service = TestService { renewal: Some(renewal), ..TestService::default() };
        if worked {
            queue.push(Answer::new(200));
            client.send(&service, get("/b/k")).await.unwrap();
        }
        queue.push(refusal(told)).push(refusal(told));
        let error = client.send(&service, get("/b/k")).await.unwrap_err();
        assert_eq!(error.kind(), meant, "{what}");
        let ends = renewal == Renewal::Fixed && worked;
        assert_eq!(error.to_string().contains("start again with new ones"), ends, "{what}: {error}");
        assert_eq!(queue.left(), usize::from(renewal != Renewal::Renewed), "{what}");
    }
}

#[tokio::test]
async fn a_denial_is_looked_into_once_in_a_while() {
    for (renewal, taken) in [(Renewal::Renewed, true), (Renewal::Same, true), (Renewal::Renewed, false)] {
        let what = format!("{renewal:?} {taken}");
        let (queue, client) = server().await;
        let service = TestService { renewal: Some(renewal), ..TestService::default() };
        if taken {
            queue.push(Answer::new(200));
            client.send(&service, get("/b/k")).await.unwrap();
        }
        queue.push(refusal("permission-denied"));
        let helps = taken && renewal == Renewal::Renewed;
        if helps {
            queue.push(Answer::new(200));
        }
        assert_eq!(client.send(&service, get("/b/k")).await.is_ok(), helps, "{what}");
        for _ in 0..3 {
            queue.push(refusal("permission-denied"));
            let error = client.send(&service, get("/b/k")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}");
        }
        assert_eq!(service.refreshed.load(Ordering::SeqCst), u32::from(taken), "{what}");
    }
}
