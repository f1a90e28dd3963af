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
    let url = redact_userinfo(url);
    let (rest, fragment) = split(&url, '#');
    let (place, query) = split(rest, '?');
    let mut out = place.to_owned();
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

/// `scheme://user:password@host/path` without what stands before the last `@` of the authority, which is all up to the
/// first slash: a password may hold `?` and `#` where it should not. Text without a scheme is taken for an authority.
fn redact_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let separator = if url.contains("://") { "://" } else { "" };
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{separator}<redacted>@{host}{path}"),
        None => url.to_owned(),
    }
}

fn redact_pair(pair: &str) -> String {
    let Some((name, _)) = pair.split_once('=') else { return pair.to_owned() };
    let secret = SECRET.contains(&name.to_ascii_lowercase().as_str());
    if secret { format!("{name}=<redacted>") } else { pair.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (url, shown) in [
            ("https://host/b/k?versionId=1", "https://host/b/k?versionId=1"),
            ("https://host/b?sv=2024&sig=abc%3D&se=x", "https://host/b?sv=2024&sig=<redacted>&se=x"),
            (
                "https://h/k?X-Amz-Signature=ab&x-amz-security-token=t",
                "https://h/k?X-Amz-Signature=<redacted>&x-amz-security-token=<redacted>",
            ),
            ("https://user:p@ss@host:1/k", "https://<redacted>@host:1/k"),
            ("http://user:pass@proxy:3128", "http://<redacted>@proxy:3128"),
            ("user:pass@proxy:3128", "<redacted>@proxy:3128"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://host/#token=x", "https://host/#<redacted>"),
            ("https://host/\u{1b}[0m", "https://host/\\u{1b}[0m"),
            ("https://u:a?b@host/?sig", "https://<redacted>@host/?sig"),
        ] {
            assert_eq!(redact_url(url), shown);
        }
    }
}
