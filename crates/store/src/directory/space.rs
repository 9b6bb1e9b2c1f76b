//! Refusing an upload before its first byte when the disk cannot take it.
//!
//! What uploads under way have announced and not yet written counts as gone, and a reserve is never given
//! away, so that deleting still works on a full disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::StoreError;

/// What an upload of unknown length is granted at a time.
const STEP: u64 = 8 * 1024 * 1024;

/// The space of one file system.
#[derive(Clone, Debug)]
pub(super) struct Space {
    root: Arc<PathBuf>,
    reserve: u64,
    promised: Arc<AtomicU64>,
}

/// Space promised to a writer; what it did not use is given back when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    space: Space,
    left: u64,
}

impl Space {
    pub(super) fn new(root: PathBuf, reserve: u64) -> Self {
        Self {
            root: Arc::new(root),
            reserve,
            promised: Arc::default(),
        }
    }

    /// Bytes that can still be promised. Blocks for the length of one system call.
    fn free(&self) -> Result<u64, StoreError> {
        let status = rustix::fs::statvfs(self.root.as_path())
            .map_err(|error| StoreError::io("ask for the free space of", &self.root)(error.into()))?;
        let available = status.f_bavail.saturating_mul(status.f_frsize);
        let gone = self.promised.load(Ordering::Acquire).saturating_add(self.reserve);
        Ok(available.saturating_sub(gone))
    }

    /// Promises so many bytes.
    pub(super) fn claim(&self, needed: u64) -> Result<Claim, StoreError> {
        let mut claim = Claim {
            space: self.clone(),
            left: 0,
        };
        claim.extend(needed)?;
        Ok(claim)
    }

    /// Puts figures to a [`StoreError::NoSpace`] that came from the system.
    pub(super) fn explain(&self, error: StoreError, needed: u64) -> StoreError {
        match error {
            StoreError::NoSpace { needed: 0, .. } => StoreError::NoSpace {
                needed,
                free: self.free().unwrap_or_default(),
            },
            other => other,
        }
    }
}

impl Claim {
    fn extend(&mut self, needed: u64) -> Result<(), StoreError> {
        let free = self.space.free()?;
        if needed > free {
            return Err(StoreError::NoSpace { needed, free });
        }
        self.space.promised.fetch_add(needed, Ordering::AcqRel);
        self.left += needed;
        Ok(())
    }

    /// Takes note of bytes about to be written, asking for more where the claim is used up.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), StoreError> {
        if bytes > self.left {
            self.extend((bytes - self.left).max(STEP))
                .or_else(|_| self.extend(bytes - self.left))?;
        }
        self.left -= bytes;
        self.space.promised.fetch_sub(bytes, Ordering::AcqRel);
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.space.promised.fetch_sub(self.left, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_counted_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let free = Space::new(folder.path().into(), 0).free().unwrap();
        // A reserve that leaves about half of what is free: the test must not depend on an idle disk.
        let space = Space::new(folder.path().into(), free / 2);
        let first = space.claim(free / 3).unwrap();
        assert!(matches!(
            space.claim(free / 3),
            Err(StoreError::NoSpace { needed, .. }) if needed == free / 3
        ));
        drop(first);
        let mut again = space.claim(free / 3).unwrap();
        again.spend(free / 3).unwrap();
        assert_eq!(space.promised.load(Ordering::Acquire), 0);
        again.spend(10).unwrap();
        assert_eq!(space.promised.load(Ordering::Acquire), STEP - 10);
        drop(again);
        assert_eq!(space.promised.load(Ordering::Acquire), 0);
    }
}
