//! A task's log: one line for each line that it printed, `TIME ATTEMPT TEXT`.

use std::path::Path;

use bytes::Bytes;
use cabotage_core::compute::LogLine;
use jiff::Timestamp;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::folder::private_file;

/// Bytes of the longest line that is kept in one piece.
const LINE: usize = 64 << 10;

/// Copies what a task prints, until it can print no more. `file` is open for appending, so that both outputs of a task go
/// there, whole lines at a time.
pub(crate) async fn keep(
    mut output: impl AsyncRead + Unpin,
    mut file: File,
    attempt: u32,
) -> std::io::Result<()> {
    let mut held = Vec::new();
    let mut buffer = vec![0; LINE];
    loop {
        let count = output.read(&mut buffer).await?;
        held.extend_from_slice(&buffer[..count]);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut held, count == 0) {
            let stamp = format!("{:.6} {attempt} ", Timestamp::now());
            lines.extend_from_slice(stamp.as_bytes());
            lines.extend_from_slice(&line);
            lines.push(b'\n');
        }
        file.write_all(&lines).await?;
        file.flush().await?;
        if count == 0 {
            return Ok(());
        }
    }
}

/// A whole line, or a piece of one that is too long, or what is left at the end.
fn next_line(held: &mut Vec<u8>, at_end: bool) -> Option<Vec<u8>> {
    let end = held.iter().position(|byte| *byte == b'\n');
    match end {
        Some(end) if end <= LINE => {
            let mut line: Vec<u8> = held.drain(..=end).collect();
            line.pop();
            Some(line)
        }
        _ if held.len() > LINE => Some(held.drain(..LINE).collect()),
        _ if at_end && !held.is_empty() => Some(std::mem::take(held)),
        _ => None,
    }
}

pub(crate) async fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::from(private_file()).append(true).open(path).await
}

/// Reads a line of a log; none for one that is no such line.
pub(crate) fn parse(line: &[u8]) -> Option<LogLine> {
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let at = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let attempt = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some(LogLine { at, attempt, text: Bytes::copy_from_slice(fields.next()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut held = b"a\n\nb".to_vec();
        assert_eq!(next_line(&mut held, false).unwrap(), b"a");
        assert_eq!(next_line(&mut held, false).unwrap(), b"");
        assert_eq!(next_line(&mut held, false), None);
        assert_eq!(next_line(&mut held, true).unwrap(), b"b");
        assert_eq!(next_line(&mut held, true), None);
        let mut held = vec![b'x'; LINE + 1];
        held.push(b'\n');
        assert_eq!(next_line(&mut held, false).unwrap().len(), LINE);
        assert_eq!(next_line(&mut held, false).unwrap(), b"x");
    }

    #[tokio::test]
    async fn comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        keep(&b"one\n\xff two"[..], open(&path).await.unwrap(), 1).await.unwrap();
        keep(&b"\n"[..], open(&path).await.unwrap(), 2).await.unwrap();
        let kept = std::fs::read(&path).unwrap();
        let lines: Vec<_> = kept.split(|byte| *byte == b'\n').filter_map(parse).collect();
        let told: Vec<_> = lines.iter().map(|line| (line.attempt, &line.text[..])).collect();
        assert_eq!(told, [(1, &b"one"[..]), (1, b"\xff two"), (2, b"")]);
        assert_eq!(parse(b"nonsense"), None);
    }
}
