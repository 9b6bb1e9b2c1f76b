//! The journal: which blobs of a partial file are there, one checked line per fact.
//!
//! A line is eight hex digits (the head of the SHA-256 of the rest), a blank, the record, a line feed. Reading stops
//! at the first line that does not check: what follows a torn or lost line is not believed. `done` is trusted only
//! when its bytes cannot have been lost since: the same epoch (boot, mount, inode), or a `synced` record that covers
//! it. `progress` is a hint whose bytes are hashed again anyway, so that it can cost time but never a wrong byte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use landfall_oci::{Algorithm, Digest};

use crate::{BundleError, Span, disk};

const MAGIC: &str = "landfall-journal 1";
const CHECK_LEN: usize = 8;
/// A journal is some lines per blob and per few MiB; a larger file is not one.
const MAX_BYTES: u64 = 256 << 20;

/// What is known of one blob of a partial file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where its content lies.
    pub(crate) span: Span,
    /// Bytes from its beginning that are there; a hint unless `is_done`.
    pub(crate) written: u64,
    /// All there, the digest compared, and durable or of this epoch.
    pub(crate) is_done: bool,
    /// Covered by a `synced` record.
    pub(crate) is_durable: bool,
}

impl Known {
    fn record(&self, digest: &Digest) -> String {
        if self.is_done {
            done_record(digest, self.span)
        } else {
            progress_record(digest, self.span, self.written)
        }
    }
}

/// A journal as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    /// Of the layout that the partial file follows.
    pub(crate) fingerprint: Digest,
    /// Its blobs.
    pub(crate) blobs: BTreeMap<Digest, Known>,
}

impl Replay {
    /// Bytes that need not be fetched again.
    pub(crate) fn bytes(&self) -> u64 {
        self.blobs.values().map(|known| known.written).sum()
    }
}

/// An open journal, appended to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    len: u64,
}

/// One fact about one blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    Done(Digest, Span),
    Progress(Digest, Span, u64),
    Reset(Digest),
    /// Records before this byte of the journal describe bytes that are on the disk.
    Synced(u64),
    /// What is not covered by a `synced` record is not to be trusted even in the same epoch.
    Doubt,
}

impl Journal {
    /// Writes a fresh journal with what is known already, replacing the old one in one step.
    pub(crate) fn create(
        path: &Path,
        fingerprint: &Digest,
        epoch: Option<&str>,
        known: &BTreeMap<Digest, Known>,
    ) -> Result<Self, BundleError> {
        let mut text = line(&format!("{MAGIC} {fingerprint} {}", epoch.unwrap_or("-")));
        let records = |is_durable: bool| {
            let chosen = known
                .iter()
                .filter(move |(_, known)| known.is_durable == is_durable);
            chosen.map(|(digest, known)| line(&known.record(digest)))
        };
        text.extend(records(true));
        text += &line(&format!("synced {}", text.len()));
        text.extend(records(false));
        let file = disk::replace(path, text.as_bytes())?;
        Ok(Self {
            file,
            len: text.len() as u64,
        })
    }

    /// All bytes are there and have the digest.
    pub(crate) fn done(&mut self, digest: &Digest, span: Span) -> io::Result<()> {
        self.append(&done_record(digest, span))
    }

    /// So many bytes are there.
    pub(crate) fn progress(&mut self, digest: &Digest, span: Span, written: u64) -> io::Result<()> {
        self.append(&progress_record(digest, span, written))
    }

    /// Nothing that was said of this blob holds any more.
    pub(crate) fn reset(&mut self, digest: &Digest) -> io::Result<()> {
        self.append(&format!("reset {digest}"))
    }

    /// Records before byte `covered` describe bytes that are on the disk now.
    pub(crate) fn synced(&mut self, covered: u64) -> io::Result<()> {
        self.append(&format!("synced {covered}"))
    }

    /// A sync failed: the system may have dropped what was written since the last one, and says so only once.
    pub(crate) fn doubt(&mut self) -> io::Result<()> {
        self.append("doubt")
    }

    /// Its length in bytes: what a sync that begins now will cover.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// A second handle, to sync without holding up those who append.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    fn append(&mut self, record: &str) -> io::Result<()> {
        let text = line(record);
        if let Err(error) = self.file.write_all_at(text.as_bytes(), self.len) {
            // A torn line would hide every later one.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += text.len() as u64;
        Ok(())
    }
}

fn done_record(digest: &Digest, span: Span) -> String {
    format!("done {digest} {} {}", span.offset, span.len)
}

fn progress_record(digest: &Digest, span: Span, written: u64) -> String {
    format!("progress {digest} {} {} {written}", span.offset, span.len)
}

fn line(record: &str) -> String {
    format!("{} {record}\n", check(record))
}

fn check(record: &str) -> String {
    let mut hex = landfall_hash::digest(Algorithm::Sha256, record.as_bytes()).hex();
    hex.truncate(CHECK_LEN);
    hex
}

/// Reads a journal; `None` when there is none or its first line does not check.
pub(crate) fn replay(path: &Path, epoch: Option<&str>) -> Result<Option<Replay>, BundleError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(BundleError::io("open", path))?,
    };
    let len = file.metadata().map_err(BundleError::io("examine", path))?.len();
    if len > MAX_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES), &mut bytes)
        .map_err(BundleError::io("read", path))?;
    Ok(parse(&bytes, epoch))
}

fn parse(bytes: &[u8], epoch: Option<&str>) -> Option<Replay> {
    let mut lines = checked_lines(bytes);
    let (_, header) = lines.next()?;
    let (fingerprint, written_in) = header.strip_prefix(MAGIC)?.trim_start().split_once(' ')?;
    let records: Vec<_> = lines
        .map_while(|(at, text)| Some((at, Record::parse(text)?)))
        .collect();
    let covered = records
        .iter()
        .filter_map(|(_, record)| match record {
            Record::Synced(covered) => Some(*covered),
            _ => None,
        })
        .max()
        .unwrap_or(0);
    let is_doubted = records.iter().any(|(_, record)| *record == Record::Doubt);
    let is_same_epoch = epoch == Some(written_in) && !is_doubted;
    let mut blobs = BTreeMap::new();
    for (at, record) in records {
        apply(&mut blobs, record, at < covered, is_same_epoch);
    }
    Some(Replay {
        fingerprint: fingerprint.parse().ok()?,
        blobs,
    })
}

/// The lines that check, with their offsets, up to the first that does not.
fn checked_lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &str)> {
    let mut position = 0;
    std::iter::from_fn(move || {
        let rest = &bytes[position..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        let (sum, record) = text.split_once(' ')?;
        if sum != check(record) {
            return None;
        }
        let at = position as u64;
        position += end + 1;
        Some((at, record))
    })
}

fn apply(blobs: &mut BTreeMap<Digest, Known>, record: Record, is_durable: bool, is_same_epoch: bool) {
    match record {
        Record::Done(digest, span) => {
            // After a power loss the bytes may or may not be there: a hint for all of them.
            let known = Known {
                span,
                written: span.len,
                is_done: is_durable || is_same_epoch,
                is_durable,
            };
            blobs.insert(digest, known);
        }
        Record::Progress(digest, span, written) => {
            if is_durable || is_same_epoch {
                let known = Known {
                    span,
                    written,
                    is_done: false,
                    is_durable,
                };
                blobs.insert(digest, known);
            }
        }
        Record::Reset(digest) => {
            blobs.remove(&digest);
        }
        Record::Synced(_) | Record::Doubt => {}
    }
}

impl Record {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split(' ').collect();
        let span = |offset: &str, len: &str| {
            let span = Span {
                offset: offset.parse().ok()?,
                len: len.parse().ok()?,
            };
            span.offset.checked_add(span.len).map(|_| span)
        };
        match words.as_slice() {
            ["done", digest, offset, len] => Some(Self::Done(digest.parse().ok()?, span(offset, len)?)),
            ["progress", digest, offset, len, written] => {
                let (span, written) = (span(offset, len)?, written.parse().ok()?);
                (written <= span.len).then_some(Self::Progress(digest.parse().ok()?, span, written))
            }
            ["reset", digest] => Some(Self::Reset(digest.parse().ok()?)),
            ["doubt"] => Some(Self::Doubt),
            ["synced", covered] => Some(Self::Synced(covered.parse().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        offset: 512,
        len: 100,
    };

    fn digest(byte: u8) -> Digest {
        Digest::Sha256([byte; 32])
    }

    fn sample(dir: &Path) -> Vec<u8> {
        let path = dir.join("journal");
        let mut journal = Journal::create(&path, &digest(9), Some("one"), &BTreeMap::new()).unwrap();
        journal.done(&digest(1), SPAN).unwrap();
        journal.progress(&digest(2), SPAN, 40).unwrap();
        let covered = journal.len();
        journal.done(&digest(3), SPAN).unwrap();
        journal.synced(covered).unwrap();
        journal.progress(&digest(2), SPAN, 60).unwrap();
        journal.done(&digest(4), SPAN).unwrap();
        std::fs::read(path).unwrap()
    }

    fn state(replay: &Replay, byte: u8) -> Option<(u64, bool)> {
        replay
            .blobs
            .get(&digest(byte))
            .map(|known| (known.written, known.is_done))
    }

    #[test]
    fn within_one_epoch_all_is_trusted_after_it_only_what_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = sample(dir.path());
        let same = parse(&bytes, Some("one")).unwrap();
        let after = parse(&bytes, Some("two")).unwrap();
        let unknown = parse(&bytes, None).unwrap();
        assert_eq!(same.fingerprint, digest(9));
        let all = |replay: &Replay| [1, 2, 3, 4].map(|byte| state(replay, byte));
        let done = |is_done| Some((100, is_done));
        assert_eq!(
            all(&same),
            [done(true), Some((60, false)), done(true), done(true)]
        );
        assert_eq!(
            all(&after),
            [done(true), Some((40, false)), done(false), done(false)]
        );
        assert_eq!(all(&after), all(&unknown));
    }

    #[test]
    fn after_a_failed_sync_nothing_unsynced_is_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = sample(dir.path());
        bytes.extend_from_slice(line("doubt").as_bytes());
        let doubted = parse(&bytes, Some("one")).unwrap();
        let is_done = |byte| state(&doubted, byte).is_some_and(|(_, is_done)| is_done);
        assert_eq!([1, 2, 3, 4].map(is_done), [true, false, false, false]);
    }

    #[test]
    fn a_rewritten_journal_says_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("again");
        for epoch in ["one", "two"] {
            let before = parse(&sample(dir.path()), Some(epoch)).unwrap();
            Journal::create(&path, &digest(9), Some(epoch), &before.blobs).unwrap();
            let after = replay(&path, Some(epoch)).unwrap().unwrap();
            for byte in 1..=4 {
                assert_eq!(state(&before, byte), state(&after, byte));
            }
            // A second power loss must not turn what was unsure into what is sure.
            let later = replay(&path, Some("three")).unwrap().unwrap();
            let is_done = |byte| state(&later, byte).is_some_and(|(_, is_done)| is_done);
            assert_eq!([1, 2, 3, 4].map(is_done), [true, false, false, false]);
        }
    }

    #[test]
    fn nothing_after_damage_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = sample(dir.path());
        let second_line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            match parse(&damaged, Some("one")) {
                None => assert!(at < second_line),
                Some(replay) => assert!(at >= second_line && replay.blobs.len() < 4),
            }
        }
        assert!(parse(b"", Some("one")).is_none());
    }
}
