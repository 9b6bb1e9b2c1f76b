//! Go's `base64.StdEncoding`: padding is needed, line ends are skipped, and an error names the byte.

/// Text that Go does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub struct Base64Error(pub usize);

/// Decodes into a buffer of Go's `DecodedLen`: what padding leaves over stays NUL, as in Go programs that do not cut
/// the buffer to what was decoded.
///
/// # Errors
/// [`Base64Error`], with Go's choice of the byte to blame.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    while let Some((bytes, length)) = quantum(text, &mut at)? {
        out.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }
    out.resize(out.len().max(text.len() / 4 * 3), 0);
    Ok(out)
}

/// Four characters, three bytes or fewer; `None` at the end.
fn quantum(text: &[u8], at: &mut usize) -> Result<Option<([u8; 3], usize)>, Base64Error> {
    let mut digits = [0u8; 4];
    let mut count = 0;
    while count < 4 {
        let Some(&byte) = text.get(*at) else {
            return match count {
                0 => Ok(None),
                _ => Err(Base64Error(*at - count)),
            };
        };
        *at += 1;
        match (value(byte), byte) {
            (Some(value), _) => {
                digits[count] = value;
                count += 1;
            }
            (None, b'\n' | b'\r') => {}
            (None, b'=') => {
                padding(text, at, count)?;
                break;
            }
            (None, _) => return Err(Base64Error(*at - 1)),
        }
    }
    let [a, b, c, d] = digits;
    let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    Ok(Some((bytes, count.saturating_sub(1))))
}

/// What may follow the first `=`: a second one after two digits, then nothing.
fn padding(text: &[u8], at: &mut usize, count: usize) -> Result<(), Base64Error> {
    let skip = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\n' | b'\r')) {
            *at += 1;
        }
    };
    if count < 2 {
        return Err(Base64Error(*at - 1));
    }
    if count == 2 {
        skip(at);
        match text.get(*at) {
            None => return Err(Base64Error(text.len())),
            Some(b'=') => *at += 1,
            Some(_) => return Err(Base64Error(*at - 1)),
        }
    }
    skip(at);
    match text.get(*at) {
        None => Ok(()),
        Some(_) => Err(Base64Error(*at)),
    }
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
