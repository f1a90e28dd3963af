//! What the server answers.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// One answer: a reply, or a fault.
#[derive(Clone, Debug)]
pub struct Answer {
    delay: Duration,
    form: Form,
    end: End,
}

#[derive(Clone, Debug)]
enum Form {
    Reply { status: u16, headers: Vec<(String, String)>, body: Bytes, declared: Option<u64>, sent: usize },
    Raw(Bytes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The connection stays for the next request.
    Keep,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
    /// It stays, and nothing more comes.
    Hang,
}

impl Answer {
    /// A reply without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let body = Bytes::new();
        Self::of(
            Form::Reply { status, headers: Vec::new(), body, declared: None, sent: usize::MAX },
            End::Keep,
        )
    }

    /// These bytes, then the connection is closed.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::of(Form::Raw(bytes.into()), End::Close)
    }

    /// The connection is closed without a reply.
    #[must_use]
    pub fn close() -> Self {
        Self::raw(Bytes::new())
    }

    /// The connection is reset without a reply.
    #[must_use]
    pub fn reset() -> Self {
        Self::of(Form::Raw(Bytes::new()), End::Reset)
    }

    /// No reply ever.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Form::Raw(Bytes::new()), End::Hang)
    }

    fn of(form: Form, end: End) -> Self {
        Self { delay: Duration::ZERO, form, end }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Form::Reply { headers, .. } = &mut self.form {
            headers.push((name.into(), value.into()));
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Form::Reply { body, .. } = &mut self.form {
            *body = bytes.into();
        }
        self
    }

    /// Declares another length than the body's; the connection is closed at its end.
    #[must_use]
    pub fn declared(mut self, length: u64) -> Self {
        if let Form::Reply { declared, .. } = &mut self.form {
            *declared = Some(length);
        }
        self.end = End::Close;
        self
    }

    /// Closes the connection after so many bytes of the body.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        self.stop_after(bytes, End::Close)
    }

    /// Resets the connection after so many bytes of the body.
    #[must_use]
    pub fn reset_after(self, bytes: usize) -> Self {
        self.stop_after(bytes, End::Reset)
    }

    /// Sends nothing more after so many bytes of the body.
    #[must_use]
    pub fn stall_after(self, bytes: usize) -> Self {
        self.stop_after(bytes, End::Hang)
    }

    fn stop_after(mut self, bytes: usize, end: End) -> Self {
        if let Form::Reply { sent, .. } = &mut self.form {
            *sent = bytes;
        }
        self.end = end;
        self
    }

    /// Waits before the reply.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Writes it; whether the connection takes another request.
    pub(super) async fn send(self, stream: &mut TcpStream, head_only: bool) -> io::Result<bool> {
        tokio::time::sleep(self.delay).await;
        stream.write_all(&self.bytes(head_only)).await?;
        stream.flush().await?;
        match self.end {
            End::Keep => return Ok(true),
            End::Close => stream.shutdown().await?,
            End::Reset => stream.set_zero_linger()?,
            End::Hang => std::future::pending().await,
        }
        Ok(false)
    }

    fn bytes(&self, head_only: bool) -> Vec<u8> {
        let (status, headers, body, declared, sent) = match &self.form {
            Form::Raw(bytes) => return bytes.to_vec(),
            Form::Reply { status, headers, body, declared, sent } => (status, headers, body, declared, sent),
        };
        let mut head = format!("HTTP/1.1 {status} Answer\r\n");
        let told = |name: &str| headers.iter().any(|(told, _)| told.eq_ignore_ascii_case(name));
        if !told("content-length") && !told("transfer-encoding") && *status != 204 && *status != 304 {
            let length = declared.unwrap_or(body.len() as u64);
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut out = (head + "\r\n").into_bytes();
        if !head_only {
            out.extend_from_slice(body.get(..*sent).unwrap_or(body));
        }
        out
    }
}
