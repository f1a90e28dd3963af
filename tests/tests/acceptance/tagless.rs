//! A proxy before Azurite that refuses to read tags, as the service does without the right.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use acceptance::Azurite;

/// The proxy; its thread ends with the process.
pub(crate) struct Tagless {
    /// Names the proxy in place of Azurite.
    pub(crate) connection_string: String,
}

impl Tagless {
    pub(crate) fn before(azurite: &Azurite) -> Self {
        let rest = azurite.raw.endpoint.strip_prefix("http://").unwrap();
        let host = rest.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let connection_string = azurite.connection_string.replace(&host, &own);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let host = host.clone();
                std::thread::spawn(move || serve(client, &host));
            }
        });
        Self { connection_string }
    }
}

/// One request; then the connection ends.
fn serve(mut client: TcpStream, host: &str) -> Option<()> {
    let (head, body) = request(&mut client)?;
    let target = head.split(' ').nth(1)?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    if query
        .split('&')
        .any(|pair| pair == "comp=tags" || (pair.starts_with("include=") && pair.contains("tags")))
    {
        let text = "<?xml version=\"1.0\"?><Error><Code>AuthorizationPermissionMismatch</Code></Error>";
        let reply = format!(
            "HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{text}",
            text.len()
        );
        return client.write_all(reply.as_bytes()).ok();
    }
    let mut server = TcpStream::connect(host).ok()?;
    server.write_all(format!("{}\r\nconnection: close\r\n\r\n", head.trim_end()).as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    std::io::copy(&mut server, &mut client).ok().map(drop)
}

fn request(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let more = client.read(&mut buffer).ok().filter(|more| *more > 0)?;
        read.extend_from_slice(&buffer[..more]);
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = read.split_off(end + 4);
    let missing = length.unwrap_or(0).saturating_sub(body.len());
    let from = body.len();
    body.resize(from + missing, 0);
    client.read_exact(&mut body[from..]).ok()?;
    Some((head, body))
}
