//! A server that answers every request alike.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// A server on loopback that answers every request like this.
pub fn server(status: &'static str, headers: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, status, headers, body);
        }
    });
    url
}

/// Requests of these tests have no body.
fn answer(mut stream: TcpStream, status: &str, headers: &str, body: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let length = body.len();
    let body = if head.starts_with(b"HEAD") { "" } else { body };
    let reply = format!(
        "HTTP/1.1 {status}\r\nserver: test\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(reply.as_bytes());
}
