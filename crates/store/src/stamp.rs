//! Whether a file that another program writes is still the one that was read.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

/// A file changed so recently may be in the middle of it, or change again without its times showing it.
const YOUNG: Duration = Duration::from_secs(2);

/// What changes when a file does. Two equal stamps are the same content if neither is young.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    is_young: bool,
}

impl Stamp {
    /// The stamp of an open file, now. Blocks.
    ///
    /// # Errors
    /// What the system said.
    pub fn of(file: &File) -> io::Result<Self> {
        let stat = file.metadata()?;
        // A time to come is that of a file server whose clock is ahead.
        let age = |modified| SystemTime::now().duration_since(modified).unwrap_or_default();
        Ok(Self {
            device: stat.dev(),
            inode: stat.ino(),
            len: stat.len(),
            modified: (stat.mtime(), stat.mtime_nsec()),
            changed: (stat.ctime(), stat.ctime_nsec()),
            is_young: stat.modified().is_ok_and(|modified| age(modified) < YOUNG),
        })
    }

    /// Whether the file was changed within the last two seconds before the stamp was taken.
    #[must_use]
    pub fn is_young(&self) -> bool {
        self.is_young
    }
}

impl PartialEq for Stamp {
    fn eq(&self, other: &Self) -> bool {
        let facts = |stamp: &Self| {
            (
                stamp.device,
                stamp.inode,
                stamp.len,
                stamp.modified,
                stamp.changed,
            )
        };
        facts(self) == facts(other)
    }
}
