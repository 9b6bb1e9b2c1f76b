//! URLs as they may be shown: without userinfo, and with the values masked that make a signed URL a secret.

use std::fmt;

use http::Uri;

/// A URL that is safe to print, log and keep in an error.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownUrl(String);

/// A parameter whose name holds one of these has its value masked.
const SECRET_WORDS: [&str; 9] = [
    "sig",
    "token",
    "secret",
    "password",
    "credential",
    "key",
    "policy",
    "auth",
    "expires",
];

impl ShownUrl {
    /// Makes a URL showable.
    #[must_use]
    pub fn new(url: &Uri) -> Self {
        let mut out = String::new();
        if let Some(scheme) = url.scheme_str() {
            out.push_str(scheme);
            out.push_str("://");
        }
        if let Some(authority) = url.authority() {
            let text = authority.as_str();
            out.push_str(text.rsplit_once('@').map_or(text, |(_, host)| host));
        }
        out.push_str(url.path());
        if let Some(query) = url.query() {
            push_query(&mut out, query);
        }
        Self(out)
    }
}

fn push_query(out: &mut String, query: &str) {
    for (position, pair) in query.split('&').enumerate() {
        out.push(if position == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                out.push_str(name);
                out.push_str("=***");
            }
            _ => out.push_str(pair),
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("x-amz-")
        || name.starts_with("x-goog-")
        || name.starts_with("_state")
        || SECRET_WORDS.iter().any(|word| name.contains(word))
        // Azure's shared access signatures: se, sp, sr, sv, ske, skoid…
        || (name.len() == 2 && name.starts_with('s'))
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        ShownUrl::new(&text.parse().unwrap()).to_string()
    }

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        assert_eq!(
            shown("https://user:pw@cdn.example:8443/blob?X-Amz-Signature=abc&n=5&sig=def&token=t"),
            "https://cdn.example:8443/blob?X-Amz-Signature=***&n=5&sig=***&token=***"
        );
        assert_eq!(
            shown("http://localhost:5000/v2/a/blobs/uploads/?mount=sha256:00&from=b"),
            "http://localhost:5000/v2/a/blobs/uploads/?mount=sha256:00&from=b"
        );
        assert_eq!(
            shown("https://h/u?_state=REDACTME&digest=x"),
            "https://h/u?_state=***&digest=x"
        );
    }
}
