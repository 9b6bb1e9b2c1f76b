//! One process per root: an advisory lock that the system releases when the process ends, however it ends.
//!
//! The file also tells how the last holder ended: one that had time to put things in order empties it. What
//! others did in an earlier boot is on the disk or lost; there is nothing left of it to sync.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::StoreError;
use crate::epoch::boot_id;

/// The lock; held as long as it exists.
pub(super) struct Lock {
    file: File,
    /// The last holder may have left changes that it had not synced.
    pub(super) was_killed: bool,
}

/// Takes the lock.
pub(super) fn acquire(path: &Path, root: &Path) -> Result<Lock, StoreError> {
    let failed = |error| StoreError::io("lock", path)(error);
    let is_new = !path.exists();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
    let mut text = String::new();
    // Only a hint: the lock itself is the system's.
    let _ = file.read_to_string(&mut text);
    let mut lines = text.lines();
    let (process, boot) = (lines.next(), lines.next());
    match locked {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(StoreError::InUse {
                root: root.to_owned(),
                process: process.map(str::to_owned),
            });
        }
        Err(error) => return Err(failed(error.into())),
    }
    let this_boot = boot_id().unwrap_or_default();
    let _ = write(&mut file, &format!("{}\n{this_boot}\n", std::process::id()));
    Ok(Lock {
        file,
        was_killed: is_new || process.is_some() && (boot.is_none() || boot == Some(&this_boot)),
    })
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever held the store has waited for its last change.
        let _ = write(&mut self.file, "");
        // Closing is not enough: a process that is being started at this moment holds the file, too, until it runs.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_holder_learns_how_the_last_one_ended() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("lock");
        let take = || acquire(&path, root.path()).unwrap();
        assert!(take().was_killed, "nothing is known of earlier holders");
        let lock = take();
        assert!(!lock.was_killed);
        let held = std::fs::read_to_string(&path).unwrap();
        let other = acquire(&path, root.path()).err().unwrap().to_string();
        assert!(other.contains(&std::process::id().to_string()), "{other}");
        drop(lock);
        // Killed: the file is as it was while the lock was held.
        std::fs::write(&path, &held).unwrap();
        assert!(take().was_killed);
        std::fs::write(&path, "1\nanother-boot\n").unwrap();
        assert!(!take().was_killed);
    }
}
