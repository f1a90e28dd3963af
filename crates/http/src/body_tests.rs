use super::*;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;

fn replay(len: u64, pieces: &'static [&'static [u8]], end: Option<ErrorKind>) -> CallBody {
    let open = move || {
        let items: Vec<Result<Bytes>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece)))
            .chain(end.map(|kind| Err(Error::new(kind, "the source broke"))))
            .collect();
        let stream: ByteStream = futures::stream::iter(items).boxed();
        Box::pin(async move { Ok(stream) }) as futures::future::BoxFuture<'static, _>
    };
    CallBody::Replay { len, open: Arc::new(open) }
}

async fn sent(body: &CallBody) -> (Vec<u8>, Option<ErrorKind>) {
    let (mut out, watch) = OutBody::open(body, Throttle::default()).await.unwrap();
    assert_eq!(out.size_hint().exact(), Some(body.len()));
    let mut all = Vec::new();
    while let Some(frame) = out.frame().await {
        match frame {
            Ok(frame) => all.extend_from_slice(&frame.into_data().unwrap()),
            Err(_) => return (all, watch.take_error().map(|error| error.kind())),
        }
    }
    assert!(watch.is_done());
    (all, None)
}

#[tokio::test]
async fn exactly_as_long_as_declared() {
    let truncated = Some(ErrorKind::Truncated);
    for (body, expected, error) in [
        (CallBody::Empty, &b""[..], None),
        (CallBody::Chunks(Arc::from([Bytes::from("ab"), Bytes::new(), Bytes::from("c")])), b"abc", None),
        (replay(3, &[b"ab", b"", b"c", b""], None), b"abc", None),
        (replay(0, &[], None), b"", None),
        (replay(4, &[b"ab", b"c"], None), b"abc", truncated),
        (replay(3, &[b"ab", b"c", b"d"], None), b"ab", truncated),
        (replay(3, &[b"ab", b"cd"], None), b"ab", truncated),
        (replay(3, &[b"abc"], Some(ErrorKind::SourceChanged)), b"", Some(ErrorKind::SourceChanged)),
    ] {
        for _ in 0..2 {
            assert_eq!(sent(&body).await, (expected.to_vec(), error), "{body:?}");
        }
    }
}

#[tokio::test]
async fn long_chunks_go_out_in_pieces() {
    let body = CallBody::from(Bytes::from(vec![7; PIECE * 2 + 1]));
    let (mut out, _) = OutBody::open(&body, Throttle::default()).await.unwrap();
    let mut lengths = Vec::new();
    while let Some(frame) = out.frame().await {
        lengths.push(frame.unwrap().into_data().unwrap().len());
    }
    assert_eq!(lengths, [PIECE, PIECE, 1]);
}
