//! An OpenTelemetry collector: takes spans over HTTP and keeps them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// What came.
#[derive(Debug, Default)]
pub struct Taken {
    /// Heads of requests.
    pub heads: Vec<String>,
    pub resource: BTreeMap<String, String>,
    pub spans: Vec<Span>,
}

pub struct Collector {
    pub url: String,
    taken: Arc<Mutex<Taken>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Taken::default()));
        let keep = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let keep = Arc::clone(&keep);
                std::thread::spawn(move || serve(&stream, &keep));
            }
        });
        Self { url, taken }
    }

    pub fn taken(&self) -> Taken {
        std::mem::take(&mut self.taken.lock().unwrap())
    }
}

fn serve(stream: &TcpStream, keep: &Mutex<Taken>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let mut taken = keep.lock().unwrap();
        taken.heads.push(head);
        for resource in request.resource_spans {
            taken.resource.extend(attributes(&resource.resource.unwrap().attributes));
            taken.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        drop(taken);
        let mut stream = stream;
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
        );
    }
}

/// Attributes as text.
pub fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}
