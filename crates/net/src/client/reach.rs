//! Which addresses may be dialled, asked when a name has been looked up and before anything is sent: whoever may choose
//! the host of a request, by a redirect, a token server's address or an answer of the DNS, must not choose this machine
//! or its network with it (SSRF). The address that is checked is the address that is dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Network;

use super::scheme::is_loopback;

/// Which addresses may be dialled.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    /// All. For those whom only their own user tells what to ask.
    #[default]
    Anywhere,
    /// Public ones, and what is named here.
    Outside {
        /// `host` or `host:port` of those that were configured: one that is an address, or `localhost`, is meant.
        hosts: Vec<String>,
        /// Whatever lies in these may be dialled, under any name.
        networks: Vec<Network>,
    },
}

impl Reach {
    /// Whether `address` may be dialled for `authority`; if not, what it is.
    pub(crate) fn check(&self, authority: &str, host: &str, address: IpAddr) -> Result<(), &'static str> {
        let Self::Outside { hosts, networks } = self else {
            return Ok(());
        };
        let address = address.to_canonical();
        let Some(kind) = kind(address) else {
            return Ok(());
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let literal = bare.parse::<IpAddr>().ok();
        let is_literal = literal.is_some_and(|literal| literal.to_canonical() == address);
        let is_meant = is_literal || is_loopback(host) && address.is_loopback();
        let is_configured = hosts.iter().any(|known| known.eq_ignore_ascii_case(authority));
        let is_allowed = networks.iter().any(|network| network.contains(address));
        match is_meant && is_configured || is_allowed {
            true => Ok(()),
            false => Err(kind),
        }
    }
}

/// What kind of address it is; `None` for one that belongs to somebody on the internet.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => Some("this machine"),
        (0, ..) => Some("no address of anybody"),
        (169, 254, _) => Some("an address of the link, where clouds keep their metadata"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("an address shared behind a carrier"),
        (192, 0, 0) | (198, 18..=19, _) => Some("an address of special use"),
        (224..=255, ..) => Some("an address of no single host"),
        _ => None,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this machine"),
        // Addresses of IPv4 in other clothes: NAT64, 6to4, and the deprecated compatible form.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0, 0, 0, 0, 0, 0, high, low] => embedded(high, low).or(Some("no address of anybody")),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("an address of the link"),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some("a private address"),
        [first, ..] if first & 0xffc0 == 0xfec0 => Some("a private address"),
        [first, ..] if first & 0xff00 == 0xff00 => Some("an address of no single host"),
        [0x64, 0xff9b, 1, ..] | [0x100, 0, 0, 0, ..] => Some("an address of special use"),
        _ => None,
    }
}

fn embedded(high: u16, low: u16) -> Option<&'static str> {
    let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
    kind_of_v4(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(hosts: &[&str], networks: &[&str]) -> Reach {
        Reach::Outside {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        }
    }

    fn may(reach: &Reach, authority: &str, address: &str) -> bool {
        let host = match authority.rfind(']') {
            Some(end) => &authority[..=end],
            None => authority.split(':').next().unwrap(),
        };
        reach.check(authority, host, address.parse().unwrap()).is_ok()
    }

    #[test]
    fn a_name_leads_outside_or_nowhere() {
        let reach = outside(&["registry.example"], &[]);
        for address in [
            "93.184.216.34",
            "2606:2800:220:1::1",
            "172.32.0.1",
            "100.128.0.1",
            "11.0.0.1",
        ] {
            assert!(may(&reach, "registry.example", address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert!(!may(&reach, "registry.example", address), "{address}");
            assert!(!may(&reach, "other.example", address), "{address}");
            assert!(may(&Reach::Anywhere, "other.example", address));
        }
        assert!(
            may(&reach, "x", "64:ff9b::5db8:d822"),
            "an address outside, through NAT64"
        );
    }

    #[test]
    fn an_address_that_was_configured_is_meant_and_no_other_port_of_it() {
        let reach = outside(&["127.0.0.1:5000", "10.0.0.7", "[::1]:5000", "localhost:7"], &[]);
        for (authority, address) in [
            ("127.0.0.1:5000", "127.0.0.1"),
            ("10.0.0.7", "10.0.0.7"),
            ("[::1]:5000", "::1"),
            ("localhost:7", "127.0.0.1"),
            ("LOCALHOST:7", "::1"),
        ] {
            assert!(may(&reach, authority, address), "{authority}");
        }
        for (authority, address) in [
            ("127.0.0.1:5001", "127.0.0.1"),
            ("10.0.0.8", "10.0.0.8"),
            ("10.0.0.7:22", "10.0.0.7"),
            ("localhost:8", "127.0.0.1"),
            // The name was configured, not where it leads.
            ("localhost:7", "10.0.0.1"),
        ] {
            assert!(!may(&reach, authority, address), "{authority}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_may_be_reached_under_any_name() {
        let reach = outside(&[], &["10.1.0.0/16"]);
        assert!(may(&reach, "harbor.corp", "10.1.2.3"));
        assert!(may(&reach, "harbor.corp", "::ffff:10.1.2.3"));
        assert!(!may(&reach, "harbor.corp", "10.2.2.3"));
        assert!(!may(&reach, "harbor.corp", "169.254.169.254"));
    }
}
