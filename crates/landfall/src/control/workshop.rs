//! What upkeep works with: the directory, its list of missing images, and what holds where a request says nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use landfall_server::Wanted;
use landfall_store::{CollectOptions, DirectoryStore, RetentionRule, Store};

use super::work::local;
use crate::failure::Failure;

/// What upkeep works with.
pub(crate) struct Workshop {
    pub(crate) store: Arc<DirectoryStore>,
    pub(crate) wanted: Wanted,
    /// What the directory is served together with.
    pub(crate) below: Vec<Arc<dyn Store>>,
    /// Whether nothing of the directory may be changed.
    pub(crate) read_only: bool,
    policy: RwLock<Policy>,
}

/// What holds where a request says nothing.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) collect: CollectOptions,
    pub(crate) retention: Vec<RetentionRule>,
}

impl Workshop {
    /// One for a directory that no server has open.
    pub(crate) async fn open(root: &Path, store: DirectoryStore) -> Result<Self, Failure> {
        let wanted = Wanted::open(&wanted_file(root)).await.map_err(local)?;
        Ok(Self::new(Arc::new(store), wanted, Policy::default()))
    }

    /// One for a store that is open already.
    pub(crate) fn new(store: Arc<DirectoryStore>, wanted: Wanted, policy: Policy) -> Self {
        Self {
            store,
            wanted,
            below: Vec::new(),
            read_only: false,
            policy: RwLock::new(policy),
        }
    }

    /// What holds now.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        policy.collect.below.clone_from(&self.below);
        policy
    }

    /// From now on this holds.
    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

/// Where a directory's list of missing images lies.
pub(crate) fn wanted_file(root: &Path) -> PathBuf {
    root.join("wanted.json")
}
