//! One process per root: an advisory lock that the system releases when the process ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::StoreError;

/// Takes the lock; it is held as long as the file is open.
pub(super) fn acquire(path: &Path, root: &Path) -> Result<File, StoreError> {
    let failed = |error| StoreError::io("lock", path)(error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(failed(error.into()));
        }
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        let holder = match holder.trim() {
            "" => String::new(),
            process => format!(" (process {process})"),
        };
        return Err(StoreError::Conflict {
            reason: format!(
                "{} is in use by another landfall{holder}; stop it, or choose another directory",
                root.display()
            ),
        });
    }
    // Only a hint for the message above: the lock itself is the system's.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
