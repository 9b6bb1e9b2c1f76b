//! The line by which we know our own files again, and see whether somebody has changed them since.
//!
//! A `hosts.toml` of ours begins with a comment that holds the checksum of everything below it, and then names the
//! files beside it with theirs. The tree so speaks for itself: no list elsewhere can disagree with it.

use std::collections::BTreeMap;

use landfall_oci::{Algorithm, Digest};

use super::wanted::WantedFile;

const FIRST: &str = "# Written by landfall, which will change it again: ";
const FIRST_END: &str =
    " is the checksum of the lines below. To keep a change of your own, remove this line.";
const BESIDE: &str = "# with ";

/// What the head of a `hosts.toml` says about who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// We did not.
    None,
    /// We did, and these files beside it.
    Ours(BTreeMap<String, Digest>),
    /// We did, and then somebody changed it.
    Edited,
}

pub(super) fn checksum(bytes: &[u8]) -> Digest {
    landfall_hash::digest(Algorithm::Sha256, bytes)
}

/// Puts our mark before a text.
pub(super) fn mark(text: &[u8], beside: &BTreeMap<String, WantedFile>) -> Vec<u8> {
    let mut below = String::new();
    for (name, file) in beside {
        below.push_str(&format!("{BESIDE}{name} {}\n", checksum(&file.content)));
    }
    let mut below = below.into_bytes();
    below.extend_from_slice(text);
    let mut whole = format!("{FIRST}{}{FIRST_END}\n", checksum(&below)).into_bytes();
    whole.extend_from_slice(&below);
    whole
}

/// Looks for our mark.
pub(super) fn read(bytes: &[u8]) -> Mark {
    let Some(rest) = bytes.strip_prefix(FIRST.as_bytes()) else {
        return Mark::None;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (first, below) = rest.split_at(end);
    let below = below.get(1..).unwrap_or_default();
    let stated = std::str::from_utf8(first)
        .ok()
        .and_then(|line| line.strip_suffix(FIRST_END));
    let stated: Option<Digest> = stated.and_then(|digest| digest.parse().ok());
    if stated != Some(checksum(below)) {
        return Mark::Edited;
    }
    let lines = below.split(|byte| *byte == b'\n').map_while(beside);
    Mark::Ours(lines.collect())
}

fn beside(line: &[u8]) -> Option<(String, Digest)> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix(BESIDE)?;
    let (name, digest) = line.split_once(' ')?;
    Some((name.to_owned(), digest.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_again_and_every_change_is_seen() {
        let beside = BTreeMap::from([("ca.crt".to_owned(), WantedFile::public("pem"))]);
        let marked = mark(b"server = \"https://h\"\n", &beside);
        let known = BTreeMap::from([("ca.crt".to_owned(), checksum(b"pem"))]);
        assert_eq!(read(&marked), Mark::Ours(known));
        assert_eq!(read(&mark(b"", &BTreeMap::new())), Mark::Ours(BTreeMap::new()));
        assert_eq!(read(b"server = \"https://h\"\n"), Mark::None);
        assert_eq!(read(b""), Mark::None);
        for position in FIRST.len()..marked.len() {
            let mut changed = marked.clone();
            changed[position] ^= 1;
            assert_eq!(read(&changed), Mark::Edited, "at {position}");
            assert_eq!(read(&marked[..position]), Mark::Edited, "cut at {position}");
        }
        let text = String::from_utf8(marked).unwrap();
        assert!(text.lines().take(2).all(|line| line.starts_with('#')), "{text}");
    }
}
