//! Which format a stream is in, by its first bytes.

use std::fmt;

/// A format of compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed, or in a way that is not known here.
    None,
    /// gzip (RFC 1952), of one member or many.
    Gzip,
    /// Zstandard (RFC 8878), of one frame or many.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// bzip2.
    Bzip2,
    /// xz: recognised, not decoded.
    Xz,
}

impl Compression {
    /// How many first bytes [`sniff`](Self::sniff) looks at.
    pub const SNIFFED: usize = 6;

    /// The format of a stream that begins with `head`; [`Compression::None`] where no format is recognised.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            // 8 is deflate, the only method there is.
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            // The second is a frame to be skipped, which pzstd begins with. LZ4 may use it, too, but nobody does.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let cases: [(&[u8], Compression); 12] = [
            (b"", Compression::None),
            (b"\x1f\x8b", Compression::None),
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"\x1f\x8b\x07", Compression::None),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x50\x2a\x4d\x18", Compression::Zstd),
            (b"\x04\x22\x4d\x18", Compression::Lz4),
            (b"BZh9", Compression::Bzip2),
            (b"BZh0", Compression::None),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"manifest.json\0", Compression::None),
            (b"PK\x03\x04", Compression::None),
        ];
        for (head, expected) in cases {
            assert_eq!(Compression::sniff(head), expected, "{head:?}");
        }
    }
}
