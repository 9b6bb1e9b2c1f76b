//! What yaml.v2 makes of a scalar: mostly YAML 1.1, where `yes` is true and `0777` is octal.

use super::timestamp::is_timestamp;
use super::{Kind, Node};

/// What the tags of YAML itself begin with, written out.
pub(super) const LONG: &str = "tag:yaml.org,2002:";

/// What a node is to yaml.v2.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// `null`, `~` or nothing.
    Null,
    /// Also `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// Also `0x1f`, `0o17`, `017`, `0b1` and `1_000`.
    Int(i64),
    /// A whole number too large for [`Resolved::Int`].
    Uint(u64),
    /// A number with a point or an exponent, `.inf`, `.nan`.
    Float(f64),
    /// A date, perhaps with a time.
    Timestamp,
    /// Text.
    Str,
    /// The bytes that `!!binary` stands for.
    Binary(Vec<u8>),
    /// Text under a tag that means nothing here.
    Tagged(String),
    /// A list.
    Sequence,
    /// A mapping.
    Mapping,
}

impl Resolved {
    /// The tag as yaml.v2 writes it in a message: `!!str`.
    #[must_use]
    pub fn tag(&self) -> &str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Str => "!!str",
            Self::Binary(_) => "!!binary",
            Self::Tagged(tag) => tag,
            Self::Sequence => "!!seq",
            Self::Mapping => "!!map",
        }
    }
}

/// `!!str` for the long form of a tag of YAML itself.
#[must_use]
pub fn short_tag(tag: &str) -> String {
    tag.strip_prefix(LONG)
        .map_or_else(|| tag.to_owned(), |rest| format!("!!{rest}"))
}

/// Whether a key is `<<`, which takes over another mapping's pairs.
#[must_use]
pub fn is_merge(node: &Node) -> bool {
    let tagged = || node.tag.as_deref().and_then(|tag| tag.strip_prefix(LONG)) == Some("merge");
    node.text() == Some("<<") && (node.is_implicit() || tagged())
}

/// What a node is to yaml.v2.
///
/// # Errors
/// What yaml.v2 says if the tag and the text do not fit, without its `yaml: `.
pub fn resolve(node: &Node) -> Result<Resolved, String> {
    let text = match &node.kind {
        Kind::Scalar { text, .. } => text,
        // yaml.v2 forgets the tags of lists and mappings.
        Kind::Sequence(_) | Kind::EndlessSequence => return Ok(Resolved::Sequence),
        Kind::Mapping(_) | Kind::EndlessMapping => return Ok(Resolved::Mapping),
    };
    let Some(tag) = node.tag.as_deref() else {
        return Ok(if node.is_implicit() {
            untagged(text, true)
        } else {
            Resolved::Str
        });
    };
    match tag.strip_prefix(LONG) {
        Some("str") => Ok(Resolved::Str),
        Some("binary") => base64(text).map(Resolved::Binary),
        Some("float") => match untagged(text, false) {
            #[expect(clippy::cast_precision_loss, reason = "that is what the tag asks for")]
            Resolved::Int(number) => Ok(Resolved::Float(number as f64)),
            float @ Resolved::Float(_) => Ok(float),
            other => Err(misfit(&other, text, tag)),
        },
        Some("bool" | "int" | "null" | "timestamp") => {
            let found = untagged(text, tag.ends_with("timestamp"));
            if found.tag() == short_tag(tag) {
                Ok(found)
            } else {
                Err(misfit(&found, text, tag))
            }
        }
        _ => Ok(Resolved::Tagged(short_tag(tag))),
    }
}

fn misfit(found: &Resolved, text: &str, tag: &str) -> String {
    format!("cannot decode {} `{text}` as a {}", found.tag(), short_tag(tag))
}

/// A bare scalar. `dates`: whether it may be a timestamp.
fn untagged(text: &str, dates: bool) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => float(text).unwrap_or(Resolved::Str),
        Some(b'0'..=b'9' | b'+' | b'-') if dates && is_timestamp(text) => Resolved::Timestamp,
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let plain = text.replace('_', "");
            int(&plain).or_else(|| float(&plain)).unwrap_or(Resolved::Str)
        }
        _ => Resolved::Str,
    }
}

/// Whole numbers as Go writes them, which `0b` is by now one of.
fn int(text: &str) -> Option<Resolved> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    if let Ok(number) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Resolved::Int(number));
    }
    // A sign is more than Go's unsigned numbers can bear.
    if text.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Resolved::Uint)
}

/// A decimal number; one that is too large is text.
fn float(text: &str) -> Option<Resolved> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let known = text.len() - unsigned.len() <= 1
        && unsigned.bytes().any(|c| c.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|c| matches!(c, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = known.then(|| text.parse::<f64>().ok())??;
    number.is_finite().then_some(Resolved::Float(number))
}

/// Base 64 as Go reads it: line breaks do not count, padding does.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    use base64::Engine as _;
    use base64::alphabet::STANDARD;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let engine = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let packed: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    engine
        .decode(packed)
        .map_err(|_| "!!binary value contains invalid base64 data".to_owned())
}
