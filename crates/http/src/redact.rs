//! URLs without what must not be shown.

use cabotage_core::display_text;

/// Query parameters whose values are or prove a secret: SAS (`sig`), AWS presigned URLs, OAuth.
const SECRET: [&str; 11] = [
    "sig",
    "signature",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-credential",
    "awsaccesskeyid",
    "token",
    "access_token",
    "client_secret",
    "client_assertion",
    "code",
];

/// A URL for a human: user name and password, and the values of signatures and tokens, become `<redacted>`; control
/// characters are escaped. Works on text that is no valid URL too, and hides more rather than less.
#[must_use]
pub fn redact_url(url: &str) -> String {
    let (rest, fragment) = split(url, '#');
    let (place, query) = split(rest, '?');
    let mut out = redact_userinfo(place);
    if let Some(query) = query {
        out.push('?');
        let pairs: Vec<String> = query.split('&').map(redact_pair).collect();
        out.push_str(&pairs.join("&"));
    }
    if fragment.is_some() {
        out.push_str("#<redacted>");
    }
    display_text(&out)
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// `scheme://user:password@host/path` without what stands before the last `@` of the authority. Text without a
/// scheme is taken for an authority.
fn redact_userinfo(place: &str) -> String {
    let (scheme, rest) = place.split_once("://").map_or(("", place), |(scheme, rest)| (scheme, rest));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let separator = if place.contains("://") { "://" } else { "" };
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{separator}<redacted>@{host}{path}"),
        None => place.to_owned(),
    }
}

fn redact_pair(pair: &str) -> String {
    let Some((name, _)) = pair.split_once('=') else { return pair.to_owned() };
    let secret = SECRET.contains(&name.to_ascii_lowercase().as_str());
    if secret { format!("{name}=<redacted>") } else { pair.to_owned() }
}
