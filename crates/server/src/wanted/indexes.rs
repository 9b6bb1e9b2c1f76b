//! Which indexes were asked for lately: when a member is missing, the index says for which platform it is, and its
//! tag is what a list can name.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use landfall_oci::{Digest, Repository};

use super::name::Meant;

/// Indexes that are remembered. A node asks for the index and then at once for its member.
const KEPT: usize = 256;
/// Of these, how many a missing member is looked for in.
const TRIED: usize = 4;

/// The last few indexes that were found.
#[derive(Default)]
pub(crate) struct RecentIndexes(Mutex<VecDeque<Found>>);

struct Found {
    repository: Repository,
    digest: Digest,
    meant: Meant,
}

impl RecentIndexes {
    /// An index was found under the name that `meant` gives.
    pub(crate) fn found(
        &self,
        repository: &Repository,
        digest: &Digest,
        meant: impl FnOnce() -> Option<Meant>,
    ) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent
            .iter()
            .rposition(|found| found.digest == *digest && found.repository == *repository);
        // The usual case in a burst of pulls of one image: nothing to do.
        let newest = recent.len().checked_sub(1);
        if known.is_some()
            && known == newest
            && recent
                .back()
                .is_some_and(|last| last.meant.reference.tag().is_some())
        {
            return;
        }
        let Some(meant) = meant() else { return };
        let before = known.and_then(|at| recent.remove(at));
        // Asked for by its digest, it still has the tag by which it was asked for before.
        let meant = match before {
            Some(before) if meant.reference.tag().is_none() => before.meant,
            _ => meant,
        };
        if recent.len() >= KEPT {
            recent.pop_front();
        }
        recent.push_back(Found {
            repository: repository.clone(),
            digest: *digest,
            meant,
        });
    }

    /// Indexes of a repository, the latest first.
    pub(crate) fn of(&self, repository: &Repository) -> Vec<(Digest, Meant)> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = recent
            .iter()
            .rev()
            .filter(|found| found.repository == *repository);
        of.take(TRIED)
            .map(|found| (found.digest, found.meant.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use landfall_oci::Target;

    use super::*;

    fn digest(number: u16) -> Digest {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        Digest::Sha256(bytes)
    }

    fn meant(target: Target) -> Option<Meant> {
        Meant::new(&"a/b".parse().unwrap(), None, &target)
    }

    #[test]
    fn the_tag_stays_and_the_latest_come_first() {
        let recent = RecentIndexes::default();
        let (here, elsewhere) = ("a/b".parse().unwrap(), "c".parse().unwrap());
        recent.found(&here, &digest(1), || meant(Target::Tag("1".parse().unwrap())));
        recent.found(&elsewhere, &digest(1), || meant(Target::Digest(digest(1))));
        recent.found(&here, &digest(2), || meant(Target::Digest(digest(2))));
        recent.found(&here, &digest(1), || meant(Target::Digest(digest(1))));
        let found: Vec<_> = recent
            .of(&here)
            .into_iter()
            .map(|(_, meant)| meant.written)
            .collect();
        assert_eq!(found, ["a/b:1".to_owned(), format!("a/b@{}", digest(2))]);
        for number in 0..1000 {
            recent.found(&elsewhere, &digest(number), || {
                meant(Target::Digest(digest(number)))
            });
        }
        assert_eq!(recent.0.lock().unwrap().len(), KEPT);
        assert!(recent.of(&here).is_empty());
    }
}
