//! The tar header codec: 512-byte blocks to and from values, with no I/O.
//!
//! Written headers are POSIX ustar with all that varies between machines set to fixed values (mtime 0, uid 0,
//! mode 0644), so that the same content gives the same bytes. A name over 100 bytes (a sha512 blob's) gets a pax
//! record before it, which every reader of image archives understands.

/// Tar's unit: headers are this long, contents are padded to a multiple of it.
pub const BLOCK: u64 = 512;
const BLOCK_LEN: usize = 512;
const NAME_LEN: usize = 100;
/// The largest size that eleven octal digits can say; larger ones are written in base 256, as GNU tar does.
const MAX_OCTAL: u64 = 0o777_7777_7777;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link to another entry, symbolic or hard.
    Link,
    /// Pax records for the next entry.
    Pax,
    /// Pax records for all entries that follow.
    PaxGlobal,
    /// GNU: the next entry's name.
    LongName,
    /// Anything else (device, fifo, sparse file).
    Other(u8),
}

/// One decoded header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The entry's name, as stored.
    pub name: String,
    /// Bytes of content that follow.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
    /// For links: where to.
    pub link: String,
}

/// Why 512 bytes are not a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The checksum does not fit: not a tar, or damaged.
    #[error("not a tar header (its checksum does not match): the file is damaged or not a tar archive")]
    Checksum,
    /// A number field holds something else.
    #[error("the tar header's {field} is not a number")]
    Number {
        /// Which field.
        field: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("the tar header's name is not UTF-8")]
    Name,
    /// A pax record that cannot be read.
    #[error("a pax record is malformed")]
    Pax,
}

/// Bytes that a content of `size` takes in the archive, padding included.
#[must_use]
pub const fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK) * BLOCK
}

/// Bytes that [`encode`] will write for a file of this name.
#[must_use]
pub fn encoded_len(name: &str) -> u64 {
    if name.len() <= NAME_LEN {
        BLOCK
    } else {
        BLOCK + padded(pax_record(name).len() as u64) + BLOCK
    }
}

/// The header of a regular file with mode 0644.
#[must_use]
pub fn encode(name: &str, size: u64) -> Vec<u8> {
    encode_with_mode(name, size, 0o644)
}

/// The header of a directory with mode 0755; its name ends in `/`.
#[must_use]
pub fn encode_directory(name: &str) -> Vec<u8> {
    let mut header = encode_with_mode(name, 0, 0o755);
    let last = header.len() - BLOCK_LEN;
    header[last + 156] = b'5';
    seal(&mut header[last..]);
    header
}

/// The header of a regular file.
#[must_use]
pub fn encode_with_mode(name: &str, size: u64, mode: u32) -> Vec<u8> {
    if name.len() <= NAME_LEN {
        return header_block(name, size, b'0', mode).to_vec();
    }
    let record = pax_record(name);
    let mut out = header_block("PaxHeaders/name", record.len() as u64, b'x', 0o644).to_vec();
    out.extend_from_slice(record.as_bytes());
    out.resize(out.len().next_multiple_of(BLOCK_LEN), 0);
    let cut = name
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= NAME_LEN)
        .last()
        .unwrap_or(0);
    out.extend_from_slice(&header_block(&name[..cut], size, b'0', mode));
    out
}

/// `LEN path=NAME\n`, where LEN counts itself.
fn pax_record(name: &str) -> String {
    let rest = format!(" path={name}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn header_block(name: &str, size: u64, kind: u8, mode: u32) -> [u8; BLOCK_LEN] {
    let mut block = [0_u8; BLOCK_LEN];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(format!("{:07o}\0", mode & 0o7777).as_bytes());
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    if size <= MAX_OCTAL {
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    }
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Writes a block's checksum.
fn seal(block: &mut [u8]) {
    let sum = checksum(block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The sum of all bytes, the checksum field itself counted as blanks.
fn checksum(block: &[u8]) -> u32 {
    let total: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let field: u32 = block[148..156].iter().map(|byte| u32::from(*byte)).sum();
    total - field + 8 * u32::from(b' ')
}

/// Reads one header; `None` for a block of zeros (the end of the archive).
///
/// # Errors
/// [`HeaderError`] when the block is no header.
pub fn decode(block: &[u8; BLOCK_LEN]) -> Result<Option<Header>, HeaderError> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if number(&block[148..156], "checksum")? != u64::from(checksum(block)) {
        return Err(HeaderError::Checksum);
    }
    let text = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        String::from_utf8(field[..end].to_vec()).map_err(|_| HeaderError::Name)
    };
    let mut name = text(&block[..100])?;
    if &block[257..263] == b"ustar\0" {
        let prefix = text(&block[345..500])?;
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
    }
    let kind = match block[156] {
        0 | b'0' | b'7' => Kind::File,
        b'5' => Kind::Directory,
        b'1' | b'2' => Kind::Link,
        b'x' => Kind::Pax,
        b'g' => Kind::PaxGlobal,
        b'L' => Kind::LongName,
        other => Kind::Other(other),
    };
    let size = match kind {
        Kind::Link | Kind::Directory => 0,
        _ => number(&block[124..136], "size")?,
    };
    Ok(Some(Header {
        name,
        size,
        kind,
        link: text(&block[157..257])?,
    }))
}

fn number(field: &[u8], what: &'static str) -> Result<u64, HeaderError> {
    let error = || HeaderError::Number { field: what };
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        // Base 256: the first bit marks it, the rest is the number. Nothing real is beyond 64 bits.
        let (high, low) = field.split_at(field.len() - 8);
        if high.first() != Some(&0x80) || high[1..].iter().any(|byte| *byte != 0) {
            return Err(error());
        }
        return low.try_into().map(u64::from_be_bytes).map_err(|_| error());
    }
    let text = std::str::from_utf8(field).map_err(|_| error())?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| error())
}

/// What pax records say of the next entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaxFields {
    /// Its name.
    pub path: Option<String>,
    /// Its size.
    pub size: Option<u64>,
    /// Where it links to.
    pub linkpath: Option<String>,
}

/// Reads the content of a pax entry; records of other keys are skipped.
///
/// # Errors
/// [`HeaderError::Pax`] when a record's length does not fit.
pub fn decode_pax(mut content: &[u8]) -> Result<PaxFields, HeaderError> {
    let mut fields = PaxFields::default();
    while !content.is_empty() && content[0] != 0 {
        let blank = content
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(HeaderError::Pax)?;
        let length: usize = std::str::from_utf8(&content[..blank])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(HeaderError::Pax)?;
        if length <= blank + 1 || length > content.len() || content[length - 1] != b'\n' {
            return Err(HeaderError::Pax);
        }
        let record = std::str::from_utf8(&content[blank + 1..length - 1]).map_err(|_| HeaderError::Pax)?;
        match record.split_once('=').ok_or(HeaderError::Pax)? {
            ("path", value) => fields.path = Some(value.to_owned()),
            ("linkpath", value) => fields.linkpath = Some(value.to_owned()),
            ("size", value) => fields.size = Some(value.parse().map_err(|_| HeaderError::Pax)?),
            _ => {}
        }
        content = &content[length..];
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_block(bytes: &[u8]) -> [u8; BLOCK_LEN] {
        bytes[..BLOCK_LEN].try_into().unwrap()
    }

    #[test]
    fn round_trips_sizes_up_to_64_bits() {
        for size in [0, 1, 511, 512, MAX_OCTAL, MAX_OCTAL + 1, u64::MAX] {
            let bytes = encode("blobs/sha256/aa", size);
            let header = decode(&first_block(&bytes)).unwrap().unwrap();
            assert_eq!(
                (header.name.as_str(), header.size, header.kind),
                ("blobs/sha256/aa", size, Kind::File)
            );
        }
    }

    #[test]
    fn long_names_get_a_pax_record() {
        let name = format!("blobs/sha512/{}", "a".repeat(128));
        let bytes = encode(&name, 7);
        assert_eq!(bytes.len() as u64, encoded_len(&name));
        let pax = decode(&first_block(&bytes)).unwrap().unwrap();
        assert_eq!(pax.kind, Kind::Pax);
        let content = &bytes[BLOCK_LEN..BLOCK_LEN + pax.size as usize];
        assert_eq!(decode_pax(content).unwrap().path.as_deref(), Some(name.as_str()));
        let last = first_block(&bytes[bytes.len() - BLOCK_LEN..]);
        assert_eq!(decode(&last).unwrap().unwrap().size, 7);
    }

    #[test]
    fn directories_and_modes() {
        let directory = decode(&first_block(&encode_directory("usr/bin/")))
            .unwrap()
            .unwrap();
        assert_eq!((directory.kind, directory.size), (Kind::Directory, 0));
        let program = encode_with_mode("usr/bin/x", 3, 0o755);
        assert_eq!(&program[100..108], b"0000755\0");
        assert_eq!(decode(&first_block(&program)).unwrap().unwrap().size, 3);
    }

    #[test]
    fn damage_is_seen() {
        let mut block = first_block(&encode("x", 1));
        block[0] = b'y';
        assert_eq!(decode(&block), Err(HeaderError::Checksum));
        assert_eq!(decode(&[0; BLOCK_LEN]), Ok(None));
        assert!(decode(&[0xff; BLOCK_LEN]).is_err());
        assert_eq!(decode_pax(b"99 path=x\n"), Err(HeaderError::Pax));
        assert_eq!(decode_pax(b"3 x"), Err(HeaderError::Pax));
    }
}
