//! Where a request comes from, when there are proxies in between.
//!
//! `X-Forwarded-For` is what anybody writes. Of it we believe only what a proxy that we were told to trust has
//! appended: from the right, the first address that is not such a proxy's own.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HeaderName;
use landfall_net::Network;

use crate::registry::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client itself, as far as it can be known.
pub(super) fn origin(headers: &HeaderMap, peer: Peer, trusted: &[Network]) -> Peer {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer.addr.ip()) {
        return peer;
    }
    // A proxy's certificate is the proxy's: it says nothing of those it speaks for, also where it does not name them.
    let certificate = peer.certificate.filter(|_| !headers.contains_key(FORWARDED_FOR));
    let forwarded: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    let mut addr = peer.addr;
    for text in forwarded.into_iter().rev() {
        // Behind what cannot be read nothing can be believed.
        let Some(found) = address(text.trim()) else { break };
        addr = found;
        if !is_trusted(found.ip()) {
            break;
        }
    }
    let proto = headers.get(FORWARDED_PROTO).and_then(|value| value.to_str().ok());
    let tls = peer.tls || proto.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"));
    Peer {
        addr,
        tls,
        certificate,
    }
}

/// With or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 0));
    ip.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let headers = forwarded
            .iter()
            .map(|text| (FORWARDED_FOR, text.parse().unwrap()));
        let peer = Peer {
            addr: SocketAddr::new(peer.parse().unwrap(), 1),
            tls: false,
            certificate: None,
        };
        origin(&HeaderMap::from_iter(headers), peer, &trusted)
            .addr
            .ip()
            .to_string()
    }

    /// The class of X-Forwarded-For trust: whoever connects directly cannot choose its address.
    #[test]
    fn only_what_a_trusted_proxy_appended_is_believed() {
        for (peer, forwarded, trusted, expected) in [
            ("192.0.2.9", &["10.9.9.9"][..], &[][..], "192.0.2.9"),
            ("192.0.2.9", &["10.9.9.9"], &["10.0.0.0/8"], "192.0.2.9"),
            ("10.0.0.1", &["192.0.2.9"], &["10.0.0.0/8"], "192.0.2.9"),
            // What the client wrote itself stands further left.
            ("10.0.0.1", &["1.1.1.1, 192.0.2.9"], &["10.0.0.0/8"], "192.0.2.9"),
            (
                "10.0.0.1",
                &["1.1.1.1", "192.0.2.9, 10.0.0.2"],
                &["10.0.0.0/8"],
                "192.0.2.9",
            ),
            ("10.0.0.1", &["10.0.0.7, 10.0.0.2"], &["10.0.0.0/8"], "10.0.0.7"),
            ("10.0.0.1", &["1.1.1.1, junk"], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &[], &["10.0.0.0/8"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["192.0.2.9:4711"], &["10.0.0.1"], "192.0.2.9"),
            ("fd00::1", &["[2001:db8::5]:80"], &["fd00::/8"], "2001:db8::5"),
            ("fd00::1", &["[2001:db8::5]"], &["fd00::/8"], "2001:db8::5"),
        ] {
            assert_eq!(seen(peer, forwarded, trusted), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_proxy_does_not_lend_its_certificate() {
        let trusted = ["10.0.0.1".parse().unwrap()];
        let peer = |addr: &str| Peer {
            addr: addr.parse().unwrap(),
            tls: true,
            certificate: Some("proxy".into()),
        };
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, "192.0.2.9".parse().unwrap())]);
        let named = |headers: &HeaderMap, addr| origin(headers, peer(addr), &trusted).certificate.is_some();
        assert!(!named(&headers, "10.0.0.1:1"));
        assert!(named(&HeaderMap::new(), "10.0.0.1:1"));
        // It speaks for somebody whom it does not know.
        let unknown = HeaderMap::from_iter([(FORWARDED_FOR, "unknown".parse().unwrap())]);
        assert!(!named(&unknown, "10.0.0.1:1"));
        assert!(named(&headers, "10.0.0.2:1"));
    }
}
