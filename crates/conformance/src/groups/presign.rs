//! Presigned URLs, used over HTTP by a client that has no credentials.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{Capabilities, ErrorKind, Key, PresignMethod, Presigned};

use crate::check::{Verdict, refused};
use crate::{Failure, HttpReply, HttpRequest, Outcome, Place, Trial, hostile_keys};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "presign":
        presign, get, get_of_a_range, put, other_methods_are_refused, other_keys_are_refused, expired_is_refused,
        hostile_names,
    }
}

const LIVES: Duration = Duration::from_secs(300);

/// A URL is a secret: it shows nowhere but where it is asked for.
async fn presign(place: Arc<Place>) -> Verdict {
    let key = place.key("a b/../c?d")?;
    let asked = place.store.presign(&key, PresignMethod::Get, LIVES).await;
    if !place.capabilities().presign {
        refused(asked, &[ErrorKind::Unsupported], "presigning, which the store declares not to do")?;
        return Outcome::skipped("the store declares no presigned URLs; it refuses them by name");
    }
    let presigned = asked?;
    check!(presigned.expires_in == LIVES, "the URL lives for {:?}", presigned.expires_in);
    check!(!format!("{presigned:?}").contains(presigned.url.reveal()), "the URL shows in its debug form");
    for lives in [Duration::ZERO, Duration::from_secs(1_000 * 366 * 86_400)] {
        let asked = place.store.presign(&key, PresignMethod::Get, lives).await;
        refused(asked, &[ErrorKind::Unsupported], format!("a URL that lives for {lives:?}"))?;
    }
    Ok(Outcome::Passed)
}

/// Ends the trial where there are no URLs, or nobody to use them.
macro_rules! needs_urls {
    ($place:expr) => {
        if !$place.capabilities().presign {
            return Outcome::skipped("the store declares no presigned URLs; it refuses them by name");
        }
        if $place.http.is_none() {
            return Outcome::skipped("the suite was given no HTTP client to use presigned URLs with");
        }
    };
}

/// Sends a request to that URL, with the headers that the holder has to send.
async fn send(
    place: &Place,
    method: &'static str,
    presigned: &Presigned,
    more: &[(&str, &str)],
    body: &'static str,
) -> Result<HttpReply, Failure> {
    let client = place.http.as_ref().ok_or_else(|| Failure::new("there is no HTTP client"))?;
    let own = presigned.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = HttpRequest {
        method,
        url: presigned.url.reveal().to_owned(),
        headers: own.chain(more).collect(),
        body: Bytes::from_static(body.as_bytes()),
    };
    client(request).await.map_err(|error| Failure::new(format!("{method} of a presigned URL: {error}")))
}

async fn url(place: &Place, key: &Key, method: PresignMethod) -> Result<Presigned, Failure> {
    Ok(place.store.presign(key, method, LIVES).await?)
}

fn is_refused(reply: &HttpReply, content: &str, what: &str) -> Result<(), Failure> {
    check!((400..500).contains(&reply.status), "{what}: the server answers {}", reply.status);
    let shown = reply.body.windows(content.len()).any(|part| part == content.as_bytes());
    check!(!shown, "{what}: the reply holds the content");
    Ok(())
}

async fn get(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let key = place.key("read")?;
    place.put(&key, "some content").await?;
    let presigned = url(&place, &key, PresignMethod::Get).await?;
    // As often as the holder likes.
    for _ in 0..2 {
        let reply = send(&place, "GET", &presigned, &[], "").await?;
        same!((reply.status, reply.body), (200, Bytes::from_static(b"some content")), "what the URL gives");
    }
    place.remove(&key).await?;
    same!(
        send(&place, "GET", &presigned, &[], "").await?.status,
        404,
        "the status for an object that is gone"
    );
    Ok(Outcome::Passed)
}

async fn get_of_a_range(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let key = place.key("read")?;
    place.put(&key, "0123456789").await?;
    let presigned = url(&place, &key, PresignMethod::Get).await?;
    for (range, wanted) in [("bytes=2-4", "234"), ("bytes=9-", "9"), ("bytes=0-0", "0")] {
        let reply = send(&place, "GET", &presigned, &[("range", range)], "").await?;
        same!((reply.status, reply.body), (206, Bytes::from_static(wanted.as_bytes())), "{range} of the URL");
    }
    Ok(Outcome::Passed)
}

async fn put(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let key = place.key("written")?;
    let presigned = url(&place, &key, PresignMethod::Put).await?;
    for (content, kind) in
        [("first", "text/x-one; charset=utf-8"), ("", "text/x-two"), ("third", "text/x-three")]
    {
        let reply = send(&place, "PUT", &presigned, &[("content-type", kind)], content).await?;
        check!((200..300).contains(&reply.status), "a PUT is answered {}", reply.status);
        same!(place.get(&key).await?, content, "the content that was put by URL");
        let headers = place.head(&key).await?.attributes.map(|attributes| attributes.headers);
        let told = headers.and_then(|headers| headers.content_type);
        same!(told.as_deref(), Some(kind), "the Content-Type that was put by URL");
    }
    Ok(Outcome::Passed)
}

async fn other_methods_are_refused(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let key = place.key("guarded")?;
    place.put(&key, "the content").await?;
    let reads = url(&place, &key, PresignMethod::Get).await?;
    let writes = url(&place, &key, PresignMethod::Put).await?;
    for (presigned, method) in [(&reads, "PUT"), (&reads, "DELETE"), (&writes, "GET"), (&writes, "DELETE")] {
        let mut presigned = presigned.clone();
        presigned.headers = writes.headers.clone();
        let reply = send(&place, method, &presigned, &[], if method == "PUT" { "other" } else { "" }).await?;
        is_refused(&reply, "the content", &format!("{method} by a URL for something else"))?;
    }
    same!(place.get(&key).await?, "the content", "the content");
    // The URL itself is good.
    let reply = send(&place, "PUT", &writes, &[], "other").await?;
    check!((200..300).contains(&reply.status), "a PUT by the right URL is answered {}", reply.status);
    Ok(Outcome::Passed)
}

async fn other_keys_are_refused(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let (key, other) = (place.key("signed-for")?, place.key("not-signed")?);
    place.put(&key, "content").await?;
    place.put(&other, "of another").await?;
    for method in [PresignMethod::Get, PresignMethod::Put] {
        let presigned = url(&place, &key, method).await?;
        let bent = presigned.url.reveal().replace("signed-for", "not-signed");
        let bent = Presigned { url: cabotage_core::Secret::new(bent), ..presigned };
        let (verb, body) = if method == PresignMethod::Get { ("GET", "") } else { ("PUT", "bent") };
        let reply = send(&place, verb, &bent, &[], body).await?;
        is_refused(&reply, "of another", &format!("{verb} of a key that was not signed for"))?;
    }
    same!(place.get(&other).await?, "of another", "the content of a key that was not signed for");
    Ok(Outcome::Passed)
}

async fn expired_is_refused(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    let key = place.key("expired")?;
    place.put(&key, "the content").await?;
    let lives = Duration::from_secs(1);
    let reads = place.store.presign(&key, PresignMethod::Get, lives).await?;
    let writes = place.store.presign(&key, PresignMethod::Put, lives).await?;
    // Servers count in whole seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (presigned, method, body) in [(&reads, "GET", ""), (&writes, "PUT", "too late")] {
        let reply = send(&place, method, presigned, &[], body).await?;
        is_refused(&reply, "the content", &format!("{method} by a URL that has expired"))?;
    }
    same!(place.get(&key).await?, "the content", "the content");
    Ok(Outcome::Passed)
}

/// Every name that the store holds, through its URL.
async fn hostile_names(place: Arc<Place>) -> Verdict {
    needs_urls!(place);
    for hostile in hostile_keys() {
        let key = Key::new(hostile.under(&place.prefix))?;
        if !holds(place.capabilities(), &key) {
            continue;
        }
        let class = hostile.class;
        let presigned = url(&place, &key, PresignMethod::Put).await?;
        let reply = send(&place, "PUT", &presigned, &[], class).await?;
        check!((200..300).contains(&reply.status), "{class}: a PUT by URL is answered {}", reply.status);
        same!(place.get(&key).await?, class, "{class}: the content put by URL");
        let presigned = url(&place, &key, PresignMethod::Get).await?;
        let reply = send(&place, "GET", &presigned, &[], "").await?;
        same!((reply.status, reply.body), (200, Bytes::from(class)), "{class}: what the URL gives");
        place.remove(&key).await?;
    }
    same!(place.all_names().await?.len(), 0, "how many names are left, of objects that nobody named");
    Ok(Outcome::Passed)
}

fn holds(capabilities: &Capabilities, key: &Key) -> bool {
    capabilities.accepts(key).is_ok()
}
