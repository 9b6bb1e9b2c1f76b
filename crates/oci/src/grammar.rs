//! The grammar of references, part by part (distribution/reference, `regexp.go` and `normalize.go`): which texts are a
//! host, a path, a tag, and where a host ends. Pure checks; the types are in `reference.rs`.

use crate::DOCKER_HUB;

/// Bytes of a path, without its registry.
pub(crate) const MAX_PATH: usize = 255;
const MAX_TAG: usize = 128;

/// Splits off the registry (`splitDockerDomain`): the part before the first `/` when it can only be a host.
pub(crate) fn split_registry(text: &str) -> (&str, &str) {
    let Some((head, rest)) = text.split_once('/') else {
        return (DOCKER_HUB, text);
    };
    let is_host =
        head.contains(['.', ':']) || head == "localhost" || head.bytes().any(|b| b.is_ascii_uppercase());
    match head {
        "index.docker.io" => (DOCKER_HUB, rest),
        _ if is_host => (head, rest),
        _ => (DOCKER_HUB, text),
    }
}

/// `host`, `host:port`, `[ipv6]`, `[ipv6]:port`; an error says what the text does wrong, to follow "the registry host".
pub(crate) fn check_registry(text: &str) -> Result<(), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("has `[` without `]`")?;
            let plain = !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
            if !plain {
                return Err(format!(
                    "`{text}` is not an IPv6 address (a zone or an embedded IPv4 address is not allowed)"
                ));
            }
            let port = match after {
                "" => None,
                _ => Some(
                    after
                        .strip_prefix(':')
                        .ok_or("has text after `]` that is no port")?,
                ),
            };
            (None, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    if let Some(port) = port
        && (port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(format!("has the port `{port}`, which is not a number"));
    }
    match host {
        Some(host) if !host.split('.').all(is_host_label) => Err(format!("`{host}` is not a host name")),
        _ => Ok(()),
    }
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Path components, and the length that registries allow.
pub(crate) fn check_repository(text: &str) -> Result<(), String> {
    check_components(text)?;
    match text.len() > MAX_PATH {
        true => Err(format!("has {} bytes; registries allow {MAX_PATH}", text.len())),
        false => Ok(()),
    }
}

/// Path components alone: a reference says of a path that is too long how long it is.
pub(crate) fn check_components(path: &str) -> Result<(), String> {
    match path.split('/').find(|component| !is_component(component)) {
        None => Ok(()),
        Some("") => Err("has an empty part (two slashes, or one at an end)".to_owned()),
        Some(part) => Err(format!(
            "has the part `{part}`: only a-z, 0-9 and the separators . _ __ - between them are allowed"
        )),
    }
}

/// Alphanumeric runs joined by one `.`, one `_`, `__`, or any run of `-`.
fn is_component(component: &str) -> bool {
    let is_word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges_ok = bytes.first().is_some_and(is_word) && bytes.last().is_some_and(is_word);
    let mut separators = bytes.split(is_word).filter(|run| !run.is_empty());
    edges_ok && separators.all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'))
}

/// A word character, then up to 127 of these and `.` and `-`.
pub(crate) fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let Some(first) = tag.bytes().next() else {
        return Err("is empty".to_owned());
    };
    if tag.len() > MAX_TAG {
        return Err(format!("has {} characters; {MAX_TAG} are allowed", tag.len()));
    }
    match is_word(first) && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-') {
        true => Ok(()),
        false => Err(format!(
            "`{tag}` holds something other than letters, digits, `_`, `.` and `-`"
        )),
    }
}
