//! Go's reading of addresses: `netip.ParseAddr` with its error texts (a URL with a bad `[host]` shows them),
//! `net.SplitHostPort`, and what containerd and K3s call localhost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::quote::quote;

/// Why a text is no address, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ParseAddr({}): {what}{}", quote(.text), at(.rest))]
pub struct AddrError {
    text: Box<str>,
    what: &'static str,
    rest: Box<str>,
}

fn at(rest: &str) -> String {
    if rest.is_empty() {
        String::new()
    } else {
        format!(" (at {})", quote(rest))
    }
}

/// An address and its zone; the zone is empty where none is given.
///
/// # Errors
/// What Go says of it.
pub fn parse_addr(text: &str) -> Result<(IpAddr, &str), AddrError> {
    let fail = |(what, rest): Refusal| AddrError {
        text: text.into(),
        what,
        rest: rest.into(),
    };
    match text.bytes().find(|b| b".:%".contains(b)) {
        Some(b'.') => parse_v4(text).map(|v4| (v4.into(), "")).map_err(fail),
        Some(b':') => {
            let (address, zone) = text.split_once('%').unwrap_or((text, ""));
            if zone.is_empty() && text.contains('%') {
                return Err(fail(("zone must be a non-empty string", "")));
            }
            parse_v6(address).map(|v6| (v6.into(), zone)).map_err(fail)
        }
        Some(_) => Err(fail(("missing IPv6 address", ""))),
        None => Err(fail(("unable to parse IP", ""))),
    }
}

type Refusal<'a> = (&'static str, &'a str);

fn parse_v4(text: &str) -> Result<Ipv4Addr, Refusal<'_>> {
    let mut fields = [0_u8; 4];
    let (mut place, mut value, mut digits) = (0, 0_u32, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(("IPv4 field has octet with leading zero", ""));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                fields[place] = u8::try_from(value).map_err(|_| ("IPv4 field has value >255", ""))?;
            }
            b'.' if digits == 0 || at + 1 == text.len() => {
                return Err(("IPv4 field must have at least one digit", &text[at..]));
            }
            b'.' if place == 3 => return Err(("IPv4 address too long", "")),
            b'.' => (place, value, digits) = (place + 1, 0, 0),
            _ => return Err(("unexpected character", &text[at..])),
        }
    }
    if place < 3 {
        Err(("IPv4 address too short", ""))
    } else {
        Ok(fields.into())
    }
}

fn parse_v6(text: &str) -> Result<Ipv6Addr, Refusal<'_>> {
    let (mut groups, mut count, mut gap) = ([0_u16; 8], 0, None);
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("::") {
        (rest, gap) = (after, Some(0));
    }
    // A text of nothing but `::` is the one case without any group.
    let mut more = !(gap.is_some() && rest.is_empty());
    while more && count < 8 {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(("each group must have 4 or less digits", rest));
        }
        let value = u16::from_str_radix(&rest[..digits], 16)
            .map_err(|_| ("each colon-separated field must have at least one digit", rest))?;
        if rest[digits..].starts_with('.') {
            let [a, b, c, d] = embedded_v4(rest, count, gap.is_some())?.octets();
            groups[count] = u16::from_be_bytes([a, b]);
            groups[count + 1] = u16::from_be_bytes([c, d]);
            (rest, count) = ("", count + 2);
            break;
        }
        groups[count] = value;
        count += 1;
        (rest, more) = after_group(&rest[digits..], count, &mut gap)?;
    }
    if !rest.is_empty() {
        return Err(("trailing garbage after address", rest));
    }
    match gap {
        None if count < 8 => Err(("address string too short", "")),
        Some(_) if count == 8 => Err(("the :: must expand to at least one field of zeros", "")),
        Some(gap) => {
            groups[gap..].rotate_right(8 - count);
            Ok(groups.into())
        }
        None => Ok(groups.into()),
    }
}

/// What follows a group: the end, or a colon and more. Returns the rest and whether a group must come.
fn after_group<'a>(
    rest: &'a str,
    count: usize,
    gap: &mut Option<usize>,
) -> Result<(&'a str, bool), Refusal<'a>> {
    let Some(after) = rest.strip_prefix(':') else {
        return if rest.is_empty() {
            Ok((rest, false))
        } else {
            Err(("unexpected character, want colon", rest))
        };
    };
    if after.is_empty() {
        return Err(("colon must be followed by more characters", rest));
    }
    let Some(behind) = after.strip_prefix(':') else {
        return Ok((after, true));
    };
    if gap.is_some() {
        return Err(("multiple :: in address", after));
    }
    *gap = Some(count);
    Ok((behind, !behind.is_empty()))
}

fn embedded_v4(rest: &str, count: usize, gap: bool) -> Result<Ipv4Addr, Refusal<'_>> {
    if !gap && count != 6 {
        return Err((
            "embedded IPv4 address must replace the final 2 fields of the address",
            rest,
        ));
    }
    if count > 6 {
        return Err((
            "too many hex fields to fit an embedded IPv4 at the end of the address",
            rest,
        ));
    }
    parse_v4(rest)
}

/// `host:port`, `[host]:port`, as Go's `net.SplitHostPort`. `None` where Go reports an error (no port, too many
/// colons, stray brackets).
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (before, port) = text.rsplit_once(':')?;
    let host = match before.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if before.contains(':') => return None,
        None => before,
    };
    let stray = |part: &str| part.contains(['[', ']']);
    (!stray(host) && !stray(port)).then_some((host, port))
}

/// What containerd and K3s call localhost: that name, or a loopback address, with or without a port.
#[must_use]
pub fn is_localhost(host: &str) -> bool {
    let host = split_host_port(host).map_or(host, |(host, _)| host);
    host == "localhost" || is_loopback(host)
}

/// Whether `net.ParseIP` reads a loopback address: 127/8, the same inside IPv6, `::1`. No brackets, no zone, no
/// leading zeros.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    parse_addr(host).is_ok_and(|(ip, zone)| zone.is_empty() && ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go 1.26 answered.
    #[test]
    fn localhost_is_what_go_takes_for_it() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1",
            "127.9.9.9:1",
            "::1",
            "[::1]:5000",
            "::ffff:127.0.0.1",
            "localhost:",
        ] {
            assert!(is_localhost(host), "{host}");
        }
        for host in [
            "Localhost",
            "localhost.",
            "127.0.0.01",
            "127.1",
            "[::1]",
            "::1%lo",
            "[::1%lo]:1",
            "128.0.0.1",
            "::2",
            "",
            ":5000",
            "localhost:1:2",
        ] {
            assert!(!is_localhost(host), "{host}");
        }
    }

    #[test]
    fn host_and_port_are_split_as_go() {
        assert_eq!(split_host_port("h:1"), Some(("h", "1")));
        assert_eq!(split_host_port("[::1]:"), Some(("::1", "")));
        for text in [
            "h", "::1", "[::1]", "[::1]]:1", "[[::1]:1", "h]:1", "[h:1", "h:[1",
        ] {
            assert_eq!(split_host_port(text), None, "{text}");
        }
    }
}
