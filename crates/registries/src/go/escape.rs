//! Which bytes each part of a URL may show as they are, and what Go makes of `%XX` in it.

use super::url::Cause;

/// The part of a URL whose rules hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Host,
    Zone,
    UserPassword,
    QueryComponent,
    Fragment,
}

/// Whether a byte must be written as `%XX` in this part.
pub(super) fn must_escape(byte: u8, part: Part) -> bool {
    let host = matches!(part, Part::Host | Part::Zone);
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'$' | b'&' | b'+' | b',' | b':' | b';' | b'=' if host => false,
        b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'<' | b'>' | b'"' if host => false,
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            Part::Path => byte == b'?',
            Part::UserPassword => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Part::Fragment => false,
            Part::QueryComponent | Part::Host | Part::Zone => true,
        },
        b'!' | b'(' | b')' | b'*' => part != Part::Fragment,
        _ => true,
    }
}

/// Writes the bytes as this part of a URL.
pub(super) fn escape(bytes: &[u8], part: Part) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' ' if part == Part::QueryComponent => out.push('+'),
            byte if must_escape(byte, part) => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
            byte => out.push(char::from(byte)),
        }
    }
    out
}

/// Reads the `%XX` of this part.
pub(super) fn unescape(text: &str, part: Part) -> Result<Vec<u8>, Cause> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'%' => {
                let code = &bytes[at - 1..bytes.len().min(at + 2)];
                let value = decode(code).filter(|&value| allowed(code, value, part));
                out.push(value.ok_or_else(|| Cause::Escape(code.to_vec()))?);
                at += 2;
            }
            b'+' if part == Part::QueryComponent => out.push(b' '),
            _ if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && must_escape(byte, part) => {
                return Err(Cause::HostCharacter(char::from(byte)));
            }
            _ => out.push(byte),
        }
    }
    Ok(out)
}

/// `%XX` as a byte.
fn decode(code: &[u8]) -> Option<u8> {
    let [_, high, low] = code else { return None };
    let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
    u8::try_from(high * 16 + low).ok()
}

/// In a host only bytes beyond ASCII may be escaped; in a zone also what might stand there anyway, and a space.
fn allowed(code: &[u8], value: u8, part: Part) -> bool {
    match part {
        Part::Host => value >= 0x80 || code == b"%25",
        Part::Zone => code == b"%25" || value == b' ' || !must_escape(value, Part::Host),
        _ => true,
    }
}
