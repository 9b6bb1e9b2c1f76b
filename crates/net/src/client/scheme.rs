//! HTTPS or not: what is allowed for a host, and what a loopback host turned out to speak.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::Uri;
use http::uri::Scheme;

use super::options::{PlainHttp, TransportOptions};

/// What loopback hosts turned out to speak: `true` is plain HTTP.
#[derive(Debug, Default)]
pub(crate) struct Schemes {
    learned: Mutex<HashMap<String, bool>>,
}

/// Loopback in docker's sense: `localhost`, `127.0.0.0/8`, `::1` (with or without brackets).
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

impl Schemes {
    /// How to begin with a host whose scheme nobody gave.
    pub(crate) fn first(&self, options: &TransportOptions, authority: &str) -> Scheme {
        let plain = match options.host(authority).plain_http {
            PlainHttp::Always => true,
            PlainHttp::Never => false,
            PlainHttp::Loopback | PlainHttp::Fallback => self.learned(authority) == Some(true),
        };
        if plain { Scheme::HTTP } else { Scheme::HTTPS }
    }

    /// Whether plain HTTP to a host is allowed.
    pub(crate) fn allows_plain(options: &TransportOptions, authority: &str) -> bool {
        match options.host(authority).plain_http {
            PlainHttp::Always | PlainHttp::Fallback => true,
            PlainHttp::Never => false,
            PlainHttp::Loopback => is_loopback(host_of(authority)),
        }
    }

    /// Whether an HTTPS request that met no TLS may be sent again without: only to a host that is allowed to be so,
    /// and has never spoken TLS in this run.
    pub(crate) fn may_fall_back(&self, options: &TransportOptions, authority: &str) -> bool {
        Self::is_open(options, authority) && self.learned(authority) != Some(false)
    }

    /// Whether it is the host that shows what it speaks.
    fn is_open(options: &TransportOptions, authority: &str) -> bool {
        match options.host(authority).plain_http {
            PlainHttp::Loopback => is_loopback(host_of(authority)),
            PlainHttp::Fallback => true,
            PlainHttp::Always | PlainHttp::Never => false,
        }
    }

    pub(crate) fn learn(&self, options: &TransportOptions, url: &Uri) {
        let is_open = |authority: &&http::uri::Authority| Self::is_open(options, authority.as_str());
        let Some(authority) = url.authority().filter(is_open) else {
            return;
        };
        let plain = url.scheme() == Some(&Scheme::HTTP);
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.insert(authority.as_str().to_owned(), plain);
    }

    fn learned(&self, authority: &str) -> Option<bool> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(authority).copied()
    }
}

/// The same URL with another scheme.
pub(crate) fn with_scheme(url: &Uri, scheme: Scheme) -> Uri {
    let mut parts = url.clone().into_parts();
    parts.scheme = Some(scheme);
    Uri::from_parts(parts).unwrap_or_else(|_| url.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_what_docker_calls_so() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "registry", "[::2]", ""] {
            assert!(!is_loopback(host), "{host}");
        }
        assert_eq!(host_of("[::1]:5000"), "[::1]");
        assert_eq!(host_of("localhost:5000"), "localhost");
    }

    #[test]
    fn a_host_that_spoke_tls_is_never_downgraded() {
        let options = TransportOptions::default();
        let schemes = Schemes::default();
        assert!(schemes.may_fall_back(&options, "localhost:5000"));
        schemes.learn(&options, &Uri::from_static("https://localhost:5000/v2/"));
        assert!(!schemes.may_fall_back(&options, "localhost:5000"));
        assert!(!schemes.may_fall_back(&options, "registry.example"));
        schemes.learn(&options, &Uri::from_static("http://localhost:5001/v2/"));
        assert_eq!(schemes.first(&options, "localhost:5001"), Scheme::HTTP);
        assert_eq!(schemes.first(&options, "localhost:5000"), Scheme::HTTPS);
    }

    #[test]
    fn a_host_that_may_speak_either_is_known_by_what_it_spoke() {
        let mut options = TransportOptions::default();
        options.default_host.plain_http = PlainHttp::Fallback;
        let schemes = Schemes::default();
        assert_eq!(schemes.first(&options, "registry.example"), Scheme::HTTPS);
        assert!(schemes.may_fall_back(&options, "registry.example"));
        assert!(Schemes::allows_plain(&options, "registry.example"));
        schemes.learn(&options, &Uri::from_static("http://registry.example/v2/"));
        assert_eq!(schemes.first(&options, "registry.example"), Scheme::HTTP);
        schemes.learn(&options, &Uri::from_static("https://other.example/v2/"));
        assert!(!schemes.may_fall_back(&options, "other.example"));
    }
}
