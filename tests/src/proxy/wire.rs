//! Just enough HTTP/1.1.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The head of a request or reply, as it came.
#[derive(Debug)]
pub(super) struct Head {
    lines: Vec<String>,
    bytes: Vec<u8>,
}

impl Head {
    /// Reads one; none when the connection ends before it.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let (mut lines, mut bytes) = (Vec::new(), Vec::new());
        loop {
            let start = bytes.len();
            if from.read_until(b'\n', &mut bytes).await? == 0 {
                return if start == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned();
            if line.is_empty() {
                return Ok(Some(Self { lines, bytes }));
            }
            lines.push(line);
        }
    }

    fn word(&self, at: usize) -> &str {
        self.lines.first().and_then(|line| line.split(' ').nth(at)).unwrap_or_default()
    }

    pub(super) fn method(&self) -> &str {
        self.word(0)
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.method() == method
    }

    pub(super) fn target(&self) -> &str {
        self.word(1)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(super) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.contains("chunked"))
    }
}

/// A reply, its body whole and out of its chunks.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    lines: Vec<String>,
    pub(super) body: Vec<u8>,
    closes: bool,
}

impl Reply {
    /// Reads one; of a reply to HEAD there is no body.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin), headless: bool) -> io::Result<Self> {
        let head = Head::read(from).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.word(1).parse().map_err(|_| io::ErrorKind::InvalidData)?;
        let mut body = Vec::new();
        let framed = head.length().is_some() || head.is_chunked();
        if headless || status == 204 || status == 304 {
        } else if head.is_chunked() {
            body = unchunk(from).await?;
        } else if let Some(length) = head.length() {
            body.resize(length, 0);
            from.read_exact(&mut body).await?;
        } else {
            from.read_to_end(&mut body).await?;
        }
        let asked = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let closes = asked || !(framed || headless || status == 204 || status == 304);
        let chunked = head.is_chunked();
        let mut reply = Self { status, lines: head.lines, body, closes };
        if chunked && !headless {
            reply.lines.retain(|line| !line.to_ascii_lowercase().starts_with("transfer-encoding:"));
            reply.declare(reply.body.len());
        }
        Ok(reply)
    }

    /// A server that asks to slow down, as S3 (503) or with the status made for it, and to wait so many seconds.
    pub(super) fn throttled(with_503: bool, wait: u32) -> Self {
        let (status, line) = if with_503 { (503, "503 Slow Down") } else { (429, "429 Too Many Requests") };
        let body = if with_503 { "<Error><Code>SlowDown</Code></Error>" } else { "" };
        let lines = vec![format!("HTTP/1.1 {line}"), format!("retry-after: {wait}")];
        let mut reply = Self { status, lines, body: body.into(), closes: false };
        reply.declare(body.len());
        reply
    }

    /// Nobody gets anything: in the words of Azure's firewall and of an S3 account that is closed.
    pub(super) fn firewall(headless: bool) -> Self {
        let lines =
            vec!["HTTP/1.1 403 Forbidden".to_owned(), "x-ms-error-code: AuthorizationFailure".to_owned()];
        let body = if headless { "" } else { "<Error><Code>AccountProblem</Code></Error>" };
        let mut reply = Self { status: 403, lines, body: body.into(), closes: false };
        reply.declare(body.len());
        reply
    }

    /// Declares the body's length.
    pub(super) fn declare(&mut self, length: usize) {
        self.lines.retain(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
        self.lines.push(format!("content-length: {length}"));
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n\r\n", self.lines.join("\r\n")).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// Whether the body is content of an object.
    pub(super) fn is_object(&self) -> bool {
        let xml = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.starts_with("content-type:") && line.contains("xml")
        };
        matches!(self.status, 200 | 206) && !self.body.is_empty() && !self.lines.iter().any(xml)
    }
}

async fn unchunk(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let start = body.len();
        body.resize(start + size, 0);
        from.read_exact(&mut body[start..]).await?;
        line.clear();
        from.read_line(&mut line).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}
