//! What a file is by its first bytes; names and suffixes lie (a script well known in the field writes plain tars
//! called `.tar.gz`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::BundleError;
use crate::writer::UNFINISHED;

type Magic = (&'static [u8], &'static str, Option<&'static str>);

/// First bytes, what it is called, what unpacks it.
const COMPRESSED: [Magic; 7] = [
    (b"\x1f\x8b", "gzip", Some("gunzip")),
    (b"\x28\xb5\x2f\xfd", "zstd", Some("unzstd")),
    (b"PK\x03\x04", "zip", None),
    (b"PK\x05\x06", "zip", None),
    (b"\xfd7zXZ\0", "xz", Some("unxz")),
    (b"BZh", "bzip2", Some("bunzip2")),
    (b"7z\xbc\xaf\x27\x1c", "7-zip", None),
];

/// Refuses what is certainly no plain tar, with the name of what it is.
pub(crate) fn check(file: &File, path: &Path) -> Result<(), BundleError> {
    let mut head = [0; 64];
    let mut len = 0;
    while len < head.len() {
        match file.read_at(&mut head[len..], len as u64) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BundleError::io("read", path)(error)),
        }
    }
    let head = &head[..len];
    if head.is_empty() {
        return Err(BundleError::NotABundle {
            path: path.to_owned(),
            found: "the file is empty".to_owned(),
        });
    }
    if UNFINISHED.starts_with(head) || head.starts_with(&UNFINISHED[..UNFINISHED.len().min(head.len())]) {
        return Err(BundleError::Unfinished {
            path: path.to_owned(),
        });
    }
    match COMPRESSED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        Some((_, kind, command)) => Err(BundleError::Compressed {
            path: path.to_owned(),
            kind,
            command: *command,
        }),
        None => Ok(()),
    }
}
