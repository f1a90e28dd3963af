//! What a broken exchange means.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use cabotage_core::{Error, ErrorKind};

use crate::connect::ConnectFault;
use crate::retry::Again;

/// Why no reply came.
pub(crate) fn transport(error: hyper_util::client::legacy::Error, host: &str) -> (Error, Again) {
    let (kind, message, help, again) = if error.is_connect() {
        connect(&error, host)
    } else {
        let (kind, message) = exchange(&error);
        (kind, format!("{host}: {message}"), None, Again::Yes)
    };
    let mut out = Error::new(kind, message);
    if let Some(help) = help {
        out = out.help(help);
    }
    (out.caused_by(error), again)
}

type Verdict = (ErrorKind, String, Option<&'static str>, Again);

/// Why no connection stands.
fn connect(error: &hyper_util::client::legacy::Error, host: &str) -> Verdict {
    let unreachable = |why: &str| format!("{host} can't be reached: {why}");
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls_verdict(tls, host);
    }
    match find::<ConnectFault>(error) {
        Some(fault @ ConnectFault::TimedOut(_)) => {
            return (ErrorKind::Unreachable, unreachable(&fault.to_string()), None, Again::Few);
        }
        Some(fault @ ConnectFault::Proxy(_)) => {
            let help = "check the proxy's address, user name and password";
            return (ErrorKind::Unreachable, unreachable(&fault.to_string()), Some(help), Again::Few);
        }
        None => {}
    }
    if chain(error).any(|cause| cause.to_string() == "dns error") {
        let why = format!("the name can't be resolved ({})", last(error));
        return (ErrorKind::Unreachable, unreachable(&why), Some("check the endpoint's name"), Again::Few);
    }
    let why = match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "the connection attempt timed out".to_owned(),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            "it closed the connection before TLS stood (does it speak TLS?)".to_owned()
        }
        _ => last(error),
    };
    (ErrorKind::Unreachable, unreachable(&why), None, Again::Few)
}

fn tls_verdict(error: &rustls::Error, host: &str) -> Verdict {
    use rustls::Error as E;
    let (why, help) = match error {
        E::InvalidCertificate(reason) => (
            format!("its certificate is not trusted: {reason}"),
            Some("if a private authority issued it, give that authority's certificate with ca_file"),
        ),
        E::InvalidMessage(_) => {
            ("it doesn't answer in TLS".to_owned(), Some("is the endpoint http:// rather than https://?"))
        }
        other => (format!("no TLS connection: {other}"), None),
    };
    (ErrorKind::Unreachable, format!("{host} can't be reached: {why}"), help, Again::Never)
}

/// Why an exchange broke on a standing connection.
fn exchange(error: &(dyn StdError + 'static)) -> (ErrorKind, String) {
    if let Some(fault) = find::<hyper::Error>(error) {
        if fault.is_parse() || fault.is_parse_too_large() {
            return (ErrorKind::Protocol, format!("the reply is no HTTP/1.1 ({})", last(error)));
        }
        if fault.is_incomplete_message() {
            return (ErrorKind::Interrupted, "the connection was closed before the reply".to_owned());
        }
    }
    (ErrorKind::Interrupted, format!("the connection broke: {}", last(error)))
}

/// Why a reply's body broke off.
pub(crate) fn in_body(error: &hyper::Error) -> Error {
    let eof = io_kind(error) == Some(io::ErrorKind::UnexpectedEof);
    if eof || error.is_incomplete_message() {
        return Error::new(ErrorKind::Truncated, "the reply's body ended early");
    }
    let (kind, message) = exchange(error);
    Error::new(kind, message)
}

/// No byte of a reply's body for so long.
pub(crate) fn idle(after: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no byte of the reply's body came for {after:?}"))
}

/// An error's causes, itself first. An `io::Error` skips the error that it wraps, so that is asked for.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// The kind of the innermost `io::Error`: the outer ones wrap it as `Other`.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

fn last(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
