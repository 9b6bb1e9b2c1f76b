//! The 401 and how it tells a client to log in: `Basic`, or `Bearer` with the place where tokens are given out.

use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use landfall_oci::ErrorCode;

use super::{AccessOptions, TokenOptions, scope};
use crate::error::ServerError;
use crate::path::{PathError, Route};
use crate::query::Query;
use crate::registry::Peer;
use crate::reply::Failure;

/// The realm of passwords.
pub(super) const BASIC: &str = "Basic realm=\"landfall\", charset=\"UTF-8\"";

/// What is known of a request when its sender is not.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a Uri,
    pub(crate) method: &'a Method,
    pub(crate) route: &'a Result<Route, PathError>,
    pub(crate) query: &'a Query,
}

/// Makes the 401 of one request.
#[derive(Clone, Copy)]
pub(crate) struct Challenger<'a> {
    tokens: Option<&'a TokenOptions>,
    asked: Asked<'a>,
}

impl<'a> Challenger<'a> {
    pub(super) fn new(tokens: Option<&'a TokenOptions>, asked: Asked<'a>) -> Self {
        Self { tokens, asked }
    }

    /// A 401; `error` is what is wrong with the token that was shown.
    pub(crate) fn refuse(&self, message: &str, error: Option<&'static str>) -> Failure {
        let challenge = self.bearer(error).unwrap_or_else(|| BASIC.to_owned());
        Failure::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            .with(header::WWW_AUTHENTICATE, challenge)
    }

    fn bearer(&self, error: Option<&str>) -> Option<String> {
        let tokens = self.tokens?;
        let realm = match &tokens.external_url {
            Some(url) => format!("{url}/token"),
            None => own_url(&self.asked)?,
        };
        let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"", tokens.service);
        let scope = match self.asked.route {
            Ok(route) => scope::needed(route, self.asked.method, self.asked.query),
            Err(_) => String::new(),
        };
        if !scope.is_empty() {
            challenge.push_str(&format!(",scope=\"{scope}\""));
        }
        if let Some(error) = error {
            challenge.push_str(&format!(",error=\"{error}\""));
        }
        Some(challenge)
    }
}

/// The token endpoint under the name that the client used for us; `None` when it used none that is one.
fn own_url(asked: &Asked<'_>) -> Option<String> {
    let host = asked
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host: Authority = match asked.uri.authority() {
        Some(authority) => authority.clone(),
        None => host?.parse().ok()?,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let scheme = if asked.peer.tls { "https" } else { "http" };
    host.as_str()
        .bytes()
        .all(plain)
        .then(|| format!("{scheme}://{host}/token"))
}

/// Options whose texts can stand in a challenge.
pub(super) fn checked(mut options: AccessOptions) -> Result<AccessOptions, ServerError> {
    let Some(tokens) = &mut options.tokens else {
        return Ok(options);
    };
    let wrong = |reason: String| ServerError::Setup {
        what: "set up tokens",
        reason,
    };
    let quotable = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if tokens.service.is_empty() || !quotable(&tokens.service) {
        let reason = format!(
            "the service `{}` must be a word without spaces and quotes",
            tokens.service
        );
        return Err(wrong(reason));
    }
    if let Some(url) = &mut tokens.external_url {
        let parsed = url.parse::<Uri>().ok().filter(|parsed| {
            matches!(parsed.scheme_str(), Some("http" | "https"))
                && parsed
                    .authority()
                    .is_some_and(|authority| !authority.as_str().contains('@'))
                && parsed.query().is_none()
        });
        if parsed.is_none() || !quotable(url) {
            return Err(wrong(format!(
                "`{url}` is not the URL of a registry: write it like https://registry.example"
            )));
        }
        url.truncate(url.trim_end_matches('/').len());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(host: Option<&str>, tls: bool, external: Option<&str>, method: Method, uri: &str) -> String {
        let tokens = TokenOptions {
            external_url: external.map(str::to_owned),
            ..TokenOptions::new("key".into())
        };
        let options = checked(AccessOptions {
            tokens: Some(tokens),
            ..AccessOptions::default()
        });
        let options = options.unwrap();
        let uri: Uri = uri.parse().unwrap();
        let headers = host.map(|host| (header::HOST, host.parse().unwrap()));
        let asked = Asked {
            peer: &Peer {
                addr: "192.0.2.1:1".parse().unwrap(),
                tls,
                certificate: None,
            },
            headers: &HeaderMap::from_iter(headers),
            uri: &uri,
            method: &method,
            route: &Route::parse(uri.path()),
            query: &Query::parse(uri.query()),
        };
        let refused = Challenger::new(options.tokens.as_ref(), asked).refuse("no", None);
        refused.headers[0].1.clone()
    }

    #[test]
    fn the_realm_is_where_the_client_found_us() {
        for (host, tls, external, expected) in [
            (Some("r.example:5000"), true, None, "https://r.example:5000/token"),
            (Some("127.0.0.1:5000"), false, None, "http://127.0.0.1:5000/token"),
            (Some("[::1]:5000"), false, None, "http://[::1]:5000/token"),
            (
                Some("inner"),
                false,
                Some("https://r.example/"),
                "https://r.example/token",
            ),
        ] {
            let text = challenge(host, tls, external, Method::GET, "/v2/");
            assert_eq!(text, format!("Bearer realm=\"{expected}\",service=\"landfall\""));
        }
        for host in [
            None,
            Some(""),
            Some("user@host"),
            Some("a\"b"),
            Some("a/b"),
            Some("a,b"),
        ] {
            assert_eq!(
                challenge(host, true, None, Method::GET, "/v2/"),
                BASIC,
                "{host:?}"
            );
        }
        let text = challenge(Some("r"), false, None, Method::POST, "/v2/a/blobs/uploads/");
        assert!(text.ends_with(",scope=\"repository:a:pull,push\""), "{text}");
    }

    #[test]
    fn options_that_would_break_the_header_are_refused() {
        let check = |service: &str, url: Option<&str>| {
            checked(AccessOptions {
                tokens: Some(TokenOptions {
                    service: service.to_owned(),
                    external_url: url.map(str::to_owned),
                    ..TokenOptions::new("key".into())
                }),
                ..AccessOptions::default()
            })
            .is_ok()
        };
        assert!(check(
            "registry.example:5000",
            Some("https://registry.example/prefix")
        ));
        for service in ["", "a b", "a\"b", "a\nb"] {
            assert!(!check(service, None), "{service}");
        }
        for url in [
            "",
            "registry.example",
            "ftp://x",
            "https://u:p@x",
            "https://x/?y",
            "/x",
        ] {
            assert!(!check("x", Some(url)), "{url}");
        }
    }
}
