//! Signatures of both clouds, as their documentation has them and as short as they can be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// RFC 2104 with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|b| b ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Headers that sign a request by AWS Signature Version 4 ("Signature Version 4 signing process", S3).
/// `query` is sorted and encoded; `headers` are the request's own `x-amz-*` headers.
pub(crate) fn aws(
    (access_key, secret_key): (&str, &str),
    region: &str,
    (method, host, path, query): (&str, &str, &str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<(String, String)> {
    let now = jiff::Timestamp::now();
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &stamp[..8];
    let payload = hex::encode(Sha256::digest(body));
    let mut all = headers.to_vec();
    all.extend([("host", host), ("x-amz-content-sha256", &payload), ("x-amz-date", &stamp)]);
    all.sort_unstable();
    let signed = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{signed}\n{payload}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let mut key = format!("AWS4{secret_key}").into_bytes();
    for part in [day, region, "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
    let credential = format!("{access_key}/{scope}");
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}");
    let mut out: Vec<(String, String)> = all
        .iter()
        .filter(|(name, _)| *name != "host")
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    out.push(("authorization".into(), authorization));
    out
}

/// Headers that sign a request by Azure's Shared Key ("Authorize with Shared Key"). `headers` are the request's own
/// `x-ms-*` headers; `query` pairs are not encoded.
pub(crate) fn azure(
    (account, key): (&str, &str),
    (method, path, query): (&str, &str, &[(&str, &str)]),
    headers: &[(String, String)],
    length: usize,
) -> Vec<(String, String)> {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut all = headers.to_vec();
    all.push(("x-ms-date".into(), date));
    all.push(("x-ms-version".into(), "2021-12-02".into()));
    let plain = |name: &str| all.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let lower = all.iter().map(|(name, value)| (name.to_lowercase(), value));
    let mut vendor: Vec<_> = lower.filter(|(name, _)| name.starts_with("x-ms-")).collect();
    vendor.sort();
    let vendor: String = vendor.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut query = query.to_vec();
    query.sort_unstable();
    let query: String = query.iter().map(|(name, value)| format!("\n{name}:{value}")).collect();
    let length = if length == 0 { String::new() } else { length.to_string() };
    let content_type = plain("content-type");
    let to_sign =
        format!("{method}\n\n\n{length}\n\n{content_type}\n\n\n\n\n\n\n{vendor}/{account}{path}{query}");
    let key = STANDARD.decode(key).expect("an account key is base64");
    let signature = STANDARD.encode(hmac(&key, to_sign.as_bytes()));
    all.push(("authorization".into(), format!("SharedKey {account}:{signature}")));
    all
}

/// An account SAS for blobs with all rights that tests need ("Create an account SAS", version 2021-12-02).
pub(crate) fn azure_sas((account, key): (&str, &str), expiry: jiff::Timestamp) -> String {
    let (rights, version) = ("rwdlact", "2021-12-02");
    let expiry = expiry.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let to_sign = format!("{account}\n{rights}\nb\nsco\n\n{expiry}\n\n\n{version}\n\n");
    let key = STANDARD.decode(key).expect("an account key is base64");
    let signature = crate::raw::encode_value(&STANDARD.encode(hmac(&key, to_sign.as_bytes())));
    let expiry = crate::raw::encode_value(&expiry);
    format!("sv={version}&ss=b&srt=sco&sp={rights}&se={expiry}&sig={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_the_values_of_rfc_4231() {
        let value = hex::encode(hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(value, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hex::encode(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"));
        assert_eq!(long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
