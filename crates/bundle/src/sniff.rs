//! What a file is by its first bytes; names and suffixes lie (a script well known in the field writes plain tars
//! called `.tar.gz`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use landfall_codec::Compression;

use crate::BundleError;
use crate::writer::UNFINISHED;

/// First bytes of what no decoder of ours reads, and what it is called.
const OTHERS: [(&[u8], &str); 3] = [
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
];
pub(crate) const ZIP: &str = "zip";
pub(crate) const SEVEN_ZIP: &str = "7-zip";

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
    let other = OTHERS.iter().find(|(magic, _)| head.starts_with(magic));
    let kind = match (other, Compression::sniff(head)) {
        (Some((_, kind)), _) => kind,
        (None, Compression::None) => return Ok(()),
        (None, compression) => compression.name(),
    };
    Err(BundleError::Compressed {
        path: path.to_owned(),
        kind,
    })
}
