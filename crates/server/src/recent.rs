//! The bytes of manifests that were read lately, by digest.
//!
//! By digest they never change. Whether a repository has them is asked of the store for every request
//! (CVE-2026-35172): nothing here is an answer to that. All readers of a manifest share one buffer, whose bytes are
//! claimed of the budget until the last of them has let go of it; so a thousand slow clients of one image cost as
//! much as one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use landfall_oci::Digest;

use crate::budget::Claim;

/// Recently used buffers.
#[derive(Debug)]
pub(crate) struct Recent {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: HashMap<Digest, (Bytes, u64)>,
    by_turn: BTreeMap<u64, Digest>,
    next: u64,
    total: usize,
}

/// Bytes with what they have claimed.
struct Claimed {
    bytes: Bytes,
    _claim: Claim,
}

impl AsRef<[u8]> for Claimed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Recent {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            kept: Mutex::default(),
        }
    }

    /// The content with this digest, if it was used lately.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, _) = kept.bytes.get(digest)?;
        let bytes = bytes.clone();
        kept.touch(*digest, bytes.clone());
        Some(bytes)
    }

    /// Keeps content, whose digest the store vouches for, for a while; gives it back as the buffer to send.
    pub(crate) fn keep(&self, digest: Digest, bytes: Bytes, claim: Claim) -> Bytes {
        let bytes = Bytes::from_owner(Claimed { bytes, _claim: claim });
        if bytes.len() <= self.capacity {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.touch(digest, bytes.clone());
            while kept.total > self.capacity {
                kept.drop_oldest();
            }
        }
        bytes
    }
}

impl Kept {
    /// Puts in, or makes the newest.
    fn touch(&mut self, digest: Digest, bytes: Bytes) {
        let turn = self.next;
        self.next += 1;
        self.total += bytes.len();
        if let Some((before, turn)) = self.bytes.insert(digest, (bytes, turn)) {
            self.total -= before.len();
            self.by_turn.remove(&turn);
        }
        self.by_turn.insert(turn, digest);
    }

    fn drop_oldest(&mut self) {
        let oldest = self.by_turn.pop_first();
        match oldest.and_then(|(_, digest)| self.bytes.remove(&digest)) {
            Some((bytes, _)) => self.total -= bytes.len(),
            None => self.total = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::Budget;

    fn digest(number: u8) -> Digest {
        Digest::Sha256([number; 32])
    }

    #[tokio::test]
    async fn the_least_recently_used_goes_and_its_claim_with_it() {
        let budget = Budget::new(1 << 20, Duration::ZERO);
        let recent = Recent::new(10_000);
        let keep = async |number: u8, len: usize| {
            let mut claim = budget.claim();
            claim.cover(len).await.unwrap();
            recent.keep(digest(number), vec![number; len].into(), claim)
        };
        for number in 0..3 {
            keep(number, 3 * 1024).await;
        }
        assert!(recent.get(&digest(0)).is_some());
        let last = keep(3, 3 * 1024).await;
        assert!(recent.get(&digest(1)).is_none(), "it was the oldest");
        assert_eq!(recent.get(&digest(0)).unwrap()[..], [0; 3 * 1024]);
        assert_eq!(budget.claimed(), 9 * 1024);
        // Too large to be kept, and still claimed while somebody has it.
        let huge = keep(4, 20 * 1024).await;
        assert!(recent.get(&digest(4)).is_none());
        assert_eq!(budget.claimed(), 29 * 1024);
        drop(huge);
        assert_eq!(budget.claimed(), 9 * 1024);
        // The same again is one.
        keep(3, 3 * 1024).await;
        assert_eq!(recent.kept.lock().unwrap().total, 9 * 1024);
        assert_eq!(budget.claimed(), 12 * 1024, "the buffer that is being sent");
        drop(last);
        assert_eq!(budget.claimed(), 9 * 1024);
    }
}
