//! Preconditions of writes, and the form in which a server wants an ETag.

use std::sync::atomic::{AtomicU8, Ordering};

use cabotage_core::{ETag, Result, WriteMode};
use cabotage_http::Call;
use cabotage_providers::EtagForm;
use http::HeaderValue;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

const UNKNOWN: u8 = 0;
const QUOTED: u8 = 1;
const BARE: u8 = 2;

/// The form of ETags in If-Match of writes, learnt where it isn't known.
///
/// OVHcloud documents it bare, Hetzner and Ceph RGW 16 answer 412 to the quoted form, AWS takes it quoted.
#[derive(Debug)]
pub(crate) struct Form(AtomicU8);

impl Form {
    pub(crate) fn new(form: EtagForm) -> Self {
        Self(AtomicU8::new(match form {
            EtagForm::Quoted => QUOTED,
            EtagForm::Bare => BARE,
            EtagForm::Unknown => UNKNOWN,
        }))
    }

    /// The form to try last, and those to try before it.
    pub(crate) fn candidates(&self) -> (Quotes, &'static [Quotes]) {
        match self.0.load(Ordering::Relaxed) {
            QUOTED => (Quotes::With, &[]),
            BARE => (Quotes::Without, &[]),
            _ => (Quotes::Without, &[Quotes::With]),
        }
    }

    /// The form that worked. A later success with the other form changes nothing: only an unknown form is learnt.
    pub(crate) fn learn(&self, quotes: Quotes) {
        let form = if quotes == Quotes::With { QUOTED } else { BARE };
        let _ = self.0.compare_exchange(UNKNOWN, form, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Whether an ETag goes out in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    With,
    Without,
}

/// Puts an ETag into a header.
pub(crate) fn with_etag(call: Call, name: &HeaderName, etag: &ETag, quotes: Quotes) -> Result<Call> {
    let text = if quotes == Quotes::With { etag.quoted() } else { etag.bare().to_owned() };
    call.text_header(name.as_str(), &text)
}

/// Adds the condition of a write.
pub(crate) fn with_mode(call: Call, mode: &WriteMode, quotes: Quotes) -> Result<Call> {
    match mode {
        WriteMode::Replace => Ok(call),
        WriteMode::Create => Ok(call.header(IF_NONE_MATCH, HeaderValue::from_static("*"))),
        WriteMode::IfMatch(etag) => with_etag(call, &IF_MATCH, etag, quotes),
    }
}

#[cfg(test)]
mod tests {
    use cabotage_core::Operation;
    use http::Method;

    use super::*;

    #[test]
    fn the_form_is_learnt_once() {
        let form = Form::new(EtagForm::Unknown);
        assert_eq!(form.candidates(), (Quotes::Without, &[Quotes::With][..]));
        form.learn(Quotes::Without);
        form.learn(Quotes::With);
        assert_eq!(form.candidates(), (Quotes::Without, &[][..]));
        assert_eq!(Form::new(EtagForm::Quoted).candidates(), (Quotes::With, &[][..]));
    }

    #[test]
    fn conditions_on_the_wire() {
        let call = || Call::new(Operation::Write, Method::PUT, "/k");
        let etag = ETag::new("\"a\"");
        let sent = |mode: &WriteMode, quotes| with_mode(call(), mode, quotes).unwrap().headers;
        assert_eq!(sent(&WriteMode::Create, Quotes::With)[IF_NONE_MATCH], "*");
        assert_eq!(sent(&WriteMode::IfMatch(etag.clone()), Quotes::With)[IF_MATCH], "\"a\"");
        assert_eq!(sent(&WriteMode::IfMatch(etag), Quotes::Without)[IF_MATCH], "a");
        assert!(sent(&WriteMode::Replace, Quotes::With).is_empty());
    }
}
