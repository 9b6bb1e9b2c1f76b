//! Go's `net/url`: K3s, wharfie and containerd read every endpoint with it, and what it makes of one (which host,
//! which path, an error) decides where a pull goes. Follows Go 1.26; older releases let several colons pass in the
//! host of an http(s) URL, and did not look into brackets.

use std::fmt;

use landfall_oci::Secret;

use super::escape::{Part, escape, must_escape, unescape};
use super::net::{AddrError, parse_addr};
use super::quote::{quote, quote_bytes};

/// A URL that Go refuses, in Go's words: `parse "…": …`. The text contains the URL with any password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {cause}", quote(.url))]
pub struct UrlError {
    /// What was read.
    pub url: String,
    /// What is wrong with it.
    pub cause: Cause,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// A character below the space, or DEL.
    #[error("net/url: invalid control character in URL")]
    ControlCharacter,
    /// It begins with a colon.
    #[error("missing protocol scheme")]
    MissingScheme,
    /// `a:b/c` where no scheme can be.
    #[error("first path segment in URL cannot contain colon")]
    FirstSegmentColon,
    /// Something before `@` that cannot stand there.
    #[error("net/url: invalid userinfo")]
    Userinfo,
    /// `[` not at the start of the host, or brackets around an IPv4 address.
    #[error("invalid IP-literal")]
    IpLiteral,
    /// `[` without `]`.
    #[error("missing ']' in host")]
    MissingBracket,
    /// What follows the host is not a number.
    #[error("invalid port {} after host", quote(.0))]
    Port(String),
    /// What stands in brackets is no address.
    #[error("invalid host: {0}")]
    Address(AddrError),
    /// `%` not followed by two hexadecimal digits, or by what may not be escaped here.
    #[error("invalid URL escape {}", quote_bytes(.0))]
    Escape(Vec<u8>),
    /// A character that no host may have.
    #[error("invalid character {} in host name", quote(.0.encode_utf8(&mut [0; 4])))]
    HostCharacter(char),
}

/// A URL as Go takes it apart. Fields may be changed; `Display` writes what Go's `String` writes. Decoded bytes that
/// are not UTF-8 show as U+FFFD; path and fragment are nevertheless written as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case; empty where there is none.
    pub scheme: String,
    /// What follows the scheme, where that is neither `//` nor `/`.
    pub opaque: String,
    /// What stands before `@`.
    pub user: Option<Userinfo>,
    /// `host` or `host:port`, decoded, brackets kept, case kept.
    pub host: String,
    /// Decoded.
    pub path: String,
    /// The path as it was read, where that is not how Go would write it.
    pub raw_path: String,
    /// It ends in a bare `?`.
    pub force_query: bool,
    /// As read, without `?`.
    pub raw_query: String,
    /// `scheme:/path`, without `//`.
    pub omit_host: bool,
    /// Decoded, without `#`.
    pub fragment: String,
    /// The fragment as it was read, where that is not how Go would write it.
    pub raw_fragment: String,
}

/// User and password of a URL, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Userinfo {
    /// The user; may be empty.
    pub username: String,
    /// `None`: there is no colon.
    pub password: Option<Secret>,
}

impl Url {
    /// Reads a URL as Go's `url.Parse`.
    ///
    /// # Errors
    /// What Go says of it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = parse(before).map_err(|cause| UrlError {
            url: before.to_owned(),
            cause,
        })?;
        (url.fragment, url.raw_fragment) = decode(fragment, Part::Fragment).map_err(|cause| UrlError {
            url: text.to_owned(),
            cause,
        })?;
        Ok(url)
    }

    /// Host without port and brackets.
    #[must_use]
    pub fn hostname(&self) -> &str {
        split_port(&self.host).0
    }

    /// Port; empty where there is none.
    #[must_use]
    pub fn port(&self) -> &str {
        split_port(&self.host).1
    }

    /// Sets path and `raw_path` from an escaped path.
    ///
    /// # Errors
    /// A `%` without two hexadecimal digits.
    pub fn set_path(&mut self, escaped: &str) -> Result<(), Cause> {
        (self.path, self.raw_path) = decode(escaped, Part::Path)?;
        Ok(())
    }

    /// The path as it is written in a request.
    #[must_use]
    pub fn escaped_path(&self) -> String {
        if self.path == "*" {
            self.path.clone()
        } else {
            encode(&self.path, &self.raw_path, Part::Path)
        }
    }

    /// The fragment as it is written.
    #[must_use]
    pub fn escaped_fragment(&self) -> String {
        encode(&self.fragment, &self.raw_fragment, Part::Fragment)
    }
}

/// Decoded text, and the text itself if Go would write it otherwise.
fn decode(text: &str, part: Part) -> Result<(String, String), Cause> {
    let bytes = unescape(text, part)?;
    let raw = if std::str::from_utf8(&bytes).is_ok() && escape(&bytes, part) == text {
        ""
    } else {
        text
    };
    Ok((String::from_utf8_lossy(&bytes).into_owned(), raw.to_owned()))
}

/// The text as it was read if it still means the same; else as Go writes it.
fn encode(decoded: &str, raw: &str, part: Part) -> String {
    let bytes = (!raw.is_empty()).then(|| unescape(raw, part).ok()).flatten();
    match bytes.filter(|bytes| String::from_utf8_lossy(bytes) == decoded) {
        Some(_) if raw.bytes().all(|b| shown(b, part)) => raw.to_owned(),
        Some(bytes) => escape(&bytes, part),
        None => escape(decoded.as_bytes(), part),
    }
}

fn shown(byte: u8, part: Part) -> bool {
    b"!$&'()*+,;=:@[]%".contains(&byte) || !must_escape(byte, part)
}

fn parse(text: &str) -> Result<Url, Cause> {
    let mut url = Url::default();
    if text.bytes().any(|b| b.is_ascii_control()) {
        return Err(Cause::ControlCharacter);
    }
    if text == "*" {
        text.clone_into(&mut url.path);
        return Ok(url);
    }
    let (scheme, mut rest) = split_scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    if let Some((before, query)) = rest.split_once('?') {
        url.force_query = query.is_empty();
        query.clone_into(&mut url.raw_query);
        rest = before;
    }
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if rest
            .split('/')
            .next()
            .is_some_and(|segment| segment.contains(':'))
        {
            return Err(Cause::FirstSegmentColon);
        }
    }
    let authority = rest
        .strip_prefix("//")
        .filter(|_| !scheme.is_empty() || !rest.starts_with("///"));
    if let Some(authority) = authority {
        let end = authority.find('/').unwrap_or(authority.len());
        (url.user, url.host) = parse_authority(&url.scheme, &authority[..end])?;
        rest = &authority[end..];
    } else {
        url.omit_host = !scheme.is_empty();
    }
    url.set_path(rest)?;
    Ok(url)
}

/// Scheme and what follows its colon; no scheme where the text does not begin like one.
fn split_scheme(text: &str) -> Result<(&str, &str), Cause> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
        .unwrap_or(text.len());
    let (scheme, rest) = text.split_at(end);
    match rest.strip_prefix(':') {
        Some(_) if scheme.is_empty() => Err(Cause::MissingScheme),
        Some(rest) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => Ok((scheme, rest)),
        _ => Ok(("", text)),
    }
}

fn parse_authority(scheme: &str, authority: &str) -> Result<(Option<Userinfo>, String), Cause> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, host)?;
    if !user
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
    {
        return Err(Cause::Userinfo);
    }
    let decoded = |text| Ok(String::from_utf8_lossy(&unescape(text, Part::UserPassword)?).into_owned());
    let (name, password) = match user.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (user, None),
    };
    let username = decoded(name)?;
    let password = password.map(decoded).transpose()?.map(Secret::from);
    Ok((Some(Userinfo { username, password }), host))
}

fn parse_host(scheme: &str, host: &str) -> Result<String, Cause> {
    match host.rfind('[') {
        Some(0) => parse_bracketed(host),
        Some(_) => Err(Cause::IpLiteral),
        None => {
            let strict = scheme == "http" || scheme == "https";
            if let Some(colon) = if strict { host.find(':') } else { host.rfind(':') } {
                check_port(&host[colon..])?;
            }
            decode_host(host, Part::Host)
        }
    }
}

/// `[address%25zone]:port`.
fn parse_bracketed(host: &str) -> Result<String, Cause> {
    let (inner, port) = host[1..].rsplit_once(']').ok_or(Cause::MissingBracket)?;
    check_port(port)?;
    let (address, zone) = inner.split_at(inner.find("%25").unwrap_or(inner.len()));
    let inside = decode_host(address, Part::Host)? + &decode_host(zone, Part::Zone)?;
    match parse_addr(&inside).map_err(Cause::Address)? {
        (ip, _) if ip.is_ipv4() => Err(Cause::IpLiteral),
        _ => Ok(format!("[{inside}]{port}")),
    }
}

fn decode_host(text: &str, part: Part) -> Result<String, Cause> {
    Ok(String::from_utf8_lossy(&unescape(text, part)?).into_owned())
}

fn check_port(port: &str) -> Result<(), Cause> {
    if is_port(port) {
        Ok(())
    } else {
        Err(Cause::Port(port.to_owned()))
    }
}

/// Nothing, or a colon and digits, or a colon alone.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Host (without brackets) and port of a URL's `host`; the port is empty where there is none or it is not a number.
#[must_use]
pub fn split_port(host: &str) -> (&str, &str) {
    let colon = host.rfind(':').filter(|&colon| is_port(&host[colon..]));
    let (name, port) = colon.map_or((host, ""), |colon| (&host[..colon], &host[colon + 1..]));
    (
        name.strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name),
        port,
    )
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.extend([&self.scheme, ":"]);
        }
        if self.opaque.is_empty() {
            self.push_authority_and_path(&mut out);
        } else {
            out.push_str(&self.opaque);
        }
        if self.force_query || !self.raw_query.is_empty() {
            out.extend(["?", &self.raw_query]);
        }
        if !self.fragment.is_empty() {
            out.extend(["#", &self.escaped_fragment()]);
        }
        f.write_str(&out)
    }
}

impl Url {
    fn push_authority_and_path(&self, out: &mut String) {
        let named = !self.host.is_empty() || self.user.is_some();
        if named || (!self.scheme.is_empty() && !self.omit_host && !self.path.is_empty()) {
            out.push_str("//");
        }
        if let Some(user) = &self.user {
            out.extend([&user.to_string(), "@"]);
        }
        out.push_str(&escape(self.host.as_bytes(), Part::Host));
        let path = self.escaped_path();
        if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
            out.push('/');
        }
        // A colon in the first segment would read as a scheme.
        if out.is_empty()
            && path
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
        {
            out.push_str("./");
        }
        out.push_str(&path);
    }
}

/// `user` or `user:password`: the password is shown, as it must be in a URL.
impl fmt::Display for Userinfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.username.as_bytes(), Part::UserPassword))?;
        match &self.password {
            Some(password) => write!(f, ":{}", escape(password.expose().as_bytes(), Part::UserPassword)),
            None => Ok(()),
        }
    }
}

/// Writes a value of a query as Go's `url.QueryEscape`: `:` and `/` are escaped, a space is `+`.
#[must_use]
pub fn query_escape(text: &str) -> String {
    escape(text.as_bytes(), Part::QueryComponent)
}

/// Go's `url.Values.Encode`: sorted by key, values of one key in their order.
#[must_use]
pub fn encode_query(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_by_key(|(key, _)| *key);
    let pair = |(key, value): &(&str, &str)| format!("{}={}", query_escape(key), query_escape(value));
    sorted.iter().map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests;
