//! What can be wrong with a file of images, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use landfall_oci::{Digest, ManifestError, tar::HeaderError};

/// Everything that this crate refuses or fails at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// There is nothing at the path.
    #[error("{}: no such file or directory", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
    },
    /// Something is there, but no OCI image layout.
    #[error("{}: not a bundle of images: {found}", path.display())]
    NotABundle {
        /// The file or directory.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A compressed file where only what is read in place can be used.
    #[error(
        "{}: this is a {kind} file, and only plain bundles can be used here; `landfall convert` makes one of it",
        path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The name of the format.
        kind: &'static str,
    },
    /// A docker-archive where only what is read in place can be used.
    #[error(
        "{}: a docker-archive, and only plain bundles can be used here; `landfall convert` makes one of it",
        path.display()
    )]
    DockerArchive {
        /// The file.
        path: PathBuf,
    },
    /// A bundle whose writing was interrupted.
    #[error(
        "{}: this bundle is unfinished: run the same `landfall save` again, it continues where it stopped",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// A bundle of a later format version.
    #[error("{}: bundle format version {version} is newer than this Landfall; use a newer one", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file ends too early.
    #[error(
        "{}: truncated at entry `{entry}`: the file should reach byte {expected} and ends at byte {actual}; \
         copy it again", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The entry (or the end marker) that is cut.
        entry: String,
        /// Where the file would have to reach, in bytes.
        expected: u64,
        /// Where it ends.
        actual: u64,
    },
    /// What should be a tar header is none.
    #[error("{}: damaged at byte {offset}: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the header begins.
        offset: u64,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// An entry that an image layout has no use for and that could be an attack.
    #[error("{}: refused: entry `{entry}` {reason}", path.display())]
    UnsafeEntry {
        /// The file.
        path: PathBuf,
        /// The entry's name.
        entry: String,
        /// What about it is refused.
        reason: &'static str,
    },
    /// Two entries of one name: readers would disagree on which counts.
    #[error("{}: refused: entry `{entry}` is there twice", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The entry's name.
        entry: String,
    },
    /// A small document that is not small.
    #[error("{}: `{entry}` has {size} bytes; at most {limit} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Its size in bytes.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A document that is not the JSON it should be.
    #[error("{}: `{entry}` cannot be read: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// A blob that should be a manifest.
    #[error("{}: {digest}: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The blob.
        digest: Box<Digest>,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Content that the bundle does not hold.
    #[error("{}: {digest} is not in this bundle", path.display())]
    NotInBundle {
        /// The bundle.
        path: PathBuf,
        /// What was asked for.
        digest: Box<Digest>,
    },
    /// Bytes that are not what their name says.
    #[error("{}: the content of {expected} has the digest {found}: damaged, copy or save it again", path.display())]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// The digest by which it is stored.
        expected: Box<Digest>,
        /// The digest of the bytes.
        found: Box<Digest>,
    },
    /// The contents handed to the planner do not fit together.
    #[error("the bundle cannot be planned: {what}")]
    Inconsistent {
        /// Which two facts contradict each other.
        what: String,
    },
    /// Not enough room, before or while writing.
    #[error(
        "{}: not enough space: {} needed, {} free; free some space and run again, what is written is kept",
        path.display(), human(*needed), human(*free)
    )]
    NoSpace {
        /// The file that is written.
        path: PathBuf,
        /// Bytes still needed.
        needed: u64,
        /// Bytes available to this user.
        free: u64,
    },
    /// An archive cannot be unpacked for want of room.
    #[error(
        "{}: not enough space to unpack the archive there: {} needed, {} free; name a folder with more (--spool)",
        folder.display(), human(*needed), human(*free)
    )]
    SpoolFull {
        /// The folder for temporary files.
        folder: PathBuf,
        /// Bytes still needed, as far as is known.
        needed: u64,
        /// Bytes available to this user.
        free: u64,
    },
    /// An archive whose bytes end or cannot be decompressed.
    #[error("{}: cannot be read at entry `{entry}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The entry that was being read.
        entry: Box<str>,
        /// What went wrong; says what to do.
        source: io::Error,
    },
    /// Two images of one name: programs disagree on which counts.
    #[error("{}: {name} stands for two images, {images}; save the archive again with one of them", path.display())]
    TwoImages {
        /// The file.
        path: PathBuf,
        /// The name.
        name: Box<str>,
        /// What tells them apart.
        images: Box<str>,
    },
    /// The file system cannot hold a file of this size (FAT32: 4 GiB).
    #[error(
        "{}: this file system cannot hold one file of {} (FAT32 ends at 4 GiB); use exFAT, ext4, XFS or NTFS",
        path.display(), human(*total)
    )]
    FileTooLarge {
        /// The file that is written.
        path: PathBuf,
        /// Its size in bytes.
        total: u64,
    },
    /// Another process writes the same bundle.
    #[error("{}: another Landfall is writing this bundle; wait for it or choose another name", path.display())]
    Locked {
        /// The partial file.
        path: PathBuf,
    },
    /// The target is there and may not be replaced.
    #[error("{}: already exists; choose another name or allow overwriting", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// A partial file that nothing is known about.
    #[error(
        "{}: the journal is missing or damaged and the partial file `{}` is of another plan; \
         remove both to start again", path.display(), partial.display()
    )]
    JournalDamaged {
        /// The journal.
        path: PathBuf,
        /// The partial file.
        partial: PathBuf,
    },
    /// Finishing, or completing a blob, before every byte is there.
    #[error("{}: not complete: {what}", path.display())]
    Incomplete {
        /// The partial file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BundleError {
    /// Whether the file's content is at fault (copy or save it again), not this machine or this request.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. }
                | Self::Damaged { .. }
                | Self::UnsafeEntry { .. }
                | Self::Duplicate { .. }
                | Self::TooLarge { .. }
                | Self::Json { .. }
                | Self::Manifest { .. }
                | Self::NotInBundle { .. }
                | Self::WrongDigest { .. }
                | Self::Unreadable { .. }
                | Self::TwoImages { .. }
        )
    }

    /// For `map_err`: puts the path and the action to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn inconsistent(what: impl Into<String>) -> Self {
        Self::Inconsistent { what: what.into() }
    }
}

/// A size for people: exact below 1 KiB, else with one decimal.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024 * 1024 && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!(
        "{}.{} {} ({bytes} bytes)",
        value / 1024,
        value % 1024 * 10 / 1024,
        UNITS[unit]
    )
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_read_well() {
        assert_eq!(human(1023), "1023 bytes");
        assert_eq!(human(1536), "1.5 KiB (1536 bytes)");
        assert_eq!(human(5 << 30), "5.0 GiB (5368709120 bytes)");
        assert_eq!(human(u64::MAX), "15.9 EiB (18446744073709551615 bytes)");
    }
}
