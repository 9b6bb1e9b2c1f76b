//! Where a `Location` points, and what may travel there. Pure functions.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, COOKIE, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::error::NetError;
use super::shown::ShownUrl;

/// Redirects followed for one request.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// What no URL may hold as it is, but some servers put into `Location`.
const ILLEGAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Resolves a `Location` (absolute, `//host/…`, `/path`, `?query` or relative) against the URL that answered it
/// (RFC 3986, 5.2). `None` when the result is not a URL.
#[must_use]
pub fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.trim().split('#').next().unwrap_or_default();
    let location = utf8_percent_encode(location, ILLEGAL).to_string();
    if has_scheme(&location) {
        let url: Uri = location.parse().ok()?;
        return url.host().is_some().then_some(url);
    }
    let scheme = base.scheme_str()?;
    if location.starts_with("//") {
        return format!("{scheme}:{location}").parse().ok();
    }
    let (path, query) = match location.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (location.as_str(), None),
    };
    let path = match path {
        "" => base.path().to_owned(),
        absolute if absolute.starts_with('/') => without_dots(absolute),
        relative => {
            let (folder, _) = base.path().rsplit_once('/')?;
            without_dots(&format!("{folder}/{relative}"))
        }
    };
    let query = match (query, location.is_empty()) {
        (Some(query), _) => Some(query),
        (None, true) => base.query(),
        (None, false) => None,
    };
    let text = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Whether two URLs are of the same scheme, host and port.
#[must_use]
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |url: &Uri| {
        let usual = if url.scheme_str() == Some("http") { 80 } else { 443 };
        url.port_u16().unwrap_or(usual)
    };
    let host = |url: &Uri| url.host().map(str::to_ascii_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

/// Whether a host outside sends us to this machine or its link: to services that trust whoever reaches them, such as
/// the metadata services of clouds (CVE-2026-2376). By the text of the URL; what a name resolves to is not looked up.
#[must_use]
pub fn leads_inward(from: &Uri, to: &Uri) -> bool {
    let (from, to) = (place(from), place(to));
    match to {
        Place::Machine => from != Place::Machine,
        Place::Link => from == Place::Outside,
        Place::Outside => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Machine,
    Link,
    Outside,
}

fn place(url: &Uri) -> Place {
    let host = url
        .host()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    match literal.map(|address: IpAddr| address.to_canonical()) {
        Some(address) if address.is_loopback() || address.is_unspecified() => Place::Machine,
        Some(IpAddr::V4(address)) if address.is_link_local() => Place::Link,
        Some(IpAddr::V6(address)) if address.is_unicast_link_local() => Place::Link,
        None if host == "localhost" || host.ends_with(".localhost") => Place::Machine,
        _ => Place::Outside,
    }
}

/// The next URL, when `status` is a redirect of a GET or HEAD; `allows_plain` says whether a host may be asked
/// without TLS.
pub(crate) fn next(
    method: &Method,
    from: &Uri,
    status: StatusCode,
    headers: &HeaderMap,
    allows_plain: impl Fn(&Uri) -> bool,
) -> Result<Option<Uri>, NetError> {
    let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    if !is_redirect || (method != Method::GET && method != Method::HEAD) {
        return Ok(None);
    }
    let refused = |to: String, reason| NetError::RedirectRefused {
        from: ShownUrl::new(from),
        to,
        reason,
    };
    let Some(location) = headers
        .get(LOCATION)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    else {
        return Err(refused("nowhere".to_owned(), "it has no readable Location"));
    };
    let to =
        resolve(from, location).ok_or_else(|| refused("an unreadable URL".to_owned(), "it is not a URL"))?;
    let shown = ShownUrl::new(&to).to_string();
    if leads_inward(from, &to) {
        return Err(refused(
            shown,
            "it leads from another host into this machine or its link",
        ));
    }
    match to.scheme_str() {
        Some("https") => Ok(Some(to)),
        Some("http") if allows_plain(&to) => Ok(Some(to)),
        Some("http") => Err(refused(
            shown,
            "it is plain HTTP, which is not allowed for that host",
        )),
        _ => Err(refused(shown, "it is neither HTTP nor HTTPS")),
    }
}

/// Takes out what was meant for another host.
pub(crate) fn strip_secrets(headers: &mut HeaderMap, from: &Uri, to: &Uri) {
    if !same_origin(from, to) {
        headers.remove(AUTHORIZATION);
        headers.remove(COOKIE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_location() {
        let base = Uri::from_static("https://reg.example:5000/v2/a/blobs/uploads/?x=1");
        let cases = [
            (
                "/v2/a/blobs/uploads/7?s=q",
                "https://reg.example:5000/v2/a/blobs/uploads/7?s=q",
            ),
            ("7?s=q", "https://reg.example:5000/v2/a/blobs/uploads/7?s=q"),
            ("../7", "https://reg.example:5000/v2/a/blobs/7"),
            ("//other/x", "https://other/x"),
            ("http://other:80/x y", "http://other:80/x%20y"),
            ("?s=2", "https://reg.example:5000/v2/a/blobs/uploads/?s=2"),
            ("", "https://reg.example:5000/v2/a/blobs/uploads/?x=1"),
            ("/a/./b/../c#f", "https://reg.example:5000/a/c"),
            ("/time:12", "https://reg.example:5000/time:12"),
        ];
        for (location, expected) in cases {
            assert_eq!(
                resolve(&base, location).unwrap().to_string(),
                expected,
                "{location}"
            );
        }
        assert!(resolve(&base, "https://").is_none());
    }

    #[test]
    fn origins_know_the_usual_ports() {
        let same = |a: &'static str, b: &'static str| same_origin(&Uri::from_static(a), &Uri::from_static(b));
        assert!(same("https://h/a", "https://H:443/b"));
        assert!(!same("https://h/", "http://h/"));
        assert!(!same("https://h/", "https://h:444/"));
        assert!(!same("https://h/", "https://sub.h/"));
    }

    #[test]
    fn cve_2026_2376_and_12566_no_host_outside_leads_inward() {
        let inward = |from: &'static str, to: &'static str| {
            leads_inward(&Uri::from_static(from), &Uri::from_static(to))
        };
        for to in [
            "https://127.0.0.1/",
            "https://127.8.9.1:444/",
            "https://[::1]/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://localhost/",
            "https://LOCALHOST:5000/",
            "https://a.localhost/",
            "https://localhost./",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
        ] {
            assert!(inward("https://registry.example/", to), "{to}");
            assert!(inward("https://10.0.0.1/", to), "{to}");
        }
        for (from, to) in [
            ("https://registry.example/", "https://cdn.example/"),
            ("https://registry.example/", "https://10.0.0.1/"),
            ("https://registry.example/", "https://not-localhost/"),
            ("https://localhost:5000/", "https://127.0.0.1:6000/"),
            ("https://127.0.0.1/", "https://169.254.1.1/"),
            ("https://169.254.1.1/", "https://169.254.1.2/"),
        ] {
            assert!(!inward(from, to), "{from} {to}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            LOCATION,
            http::HeaderValue::from_static("https://169.254.169.254/"),
        );
        let from = Uri::from_static("https://registry.example/");
        assert!(next(&Method::GET, &from, StatusCode::FOUND, &headers, |_| true).is_err());
    }

    #[test]
    fn only_http_is_followed_and_only_for_reading() {
        let from = Uri::from_static("https://h/");
        let go = |method: Method, location: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, http::HeaderValue::from_static(location));
            next(&method, &from, StatusCode::TEMPORARY_REDIRECT, &headers, |_| {
                false
            })
        };
        assert!(go(Method::GET, "https://cdn/x").unwrap().is_some());
        assert!(go(Method::PUT, "https://cdn/x").unwrap().is_none());
        assert!(go(Method::GET, "http://cdn/x").is_err());
        assert!(go(Method::GET, "file:///etc/passwd").is_err());
        assert!(go(Method::GET, "ftp://cdn/x").is_err());
    }

    proptest::proptest! {
        #[test]
        fn resolving_never_panics(location in "\\PC{0,60}") {
            let _ = resolve(&Uri::from_static("https://h/a/b?c"), &location);
        }
    }
}
