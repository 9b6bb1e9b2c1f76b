//! Looking at files without ever waiting for a disk, so that it can be done on async threads.
//!
//! Opening a file whose path the kernel has in memory takes a few microseconds; going to the blocking pool for it
//! takes more, in waking one thread and then the other: half of the CPU time of a small GET (perf, 16 connections).
//! `RESOLVE_CACHED` makes the kernel say so when it would have to read a directory or an inode first. Then, on an
//! older kernel, and whenever the answer is anything but a plain yes, the blocking pool is asked as before.

use std::fs::File;
use std::path::Path;

use landfall_oci::{Digest, Repository};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::Inner;
use super::blobs::content;
use crate::Content;

impl Inner {
    /// The blob, if the repository holds it and the kernel knows that by heart. `None` says nothing.
    pub(super) fn cached_blob(&self, repository: &Repository, digest: &Digest) -> Option<Content> {
        open(&self.layout.member(repository, digest), OFlags::PATH)?;
        let path = self.layout.blob(digest);
        let file = open(&path, OFlags::RDONLY)?;
        // The inode of an open file is in memory.
        content(file, &path).ok()
    }
}

/// Opens what can be opened without waiting.
fn open(path: &Path, how: OFlags) -> Option<File> {
    let flags = how | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED);
    opened.ok().map(File::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_was_just_written_is_open_at_once_and_what_is_not_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        assert!(open(&path, OFlags::PATH).is_none());
        std::fs::write(&path, "bytes").unwrap();
        let mut text = String::new();
        let mut file = open(&path, OFlags::RDONLY).expect("a kernel with RESOLVE_CACHED (5.12)");
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
        assert!(open(&path.join("below"), OFlags::PATH).is_none());
    }
}
