//! Removing what the plans say: manifests, then memberships, then bytes, each durable before the next begins.
//!
//! That is the reverse of the order of publication, so that wherever a crash comes, nothing that is left points at
//! something that is gone.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use landfall_oci::{Digest, Repository};

use super::super::Inner;
use super::leases::Key;
use super::plan::{Marks, Plan, Times, plan};
use super::strict::unix_ms;
use super::trash::Bin;
use crate::{CollectOptions, Collected, Item, Observer, Removal, StoreError, TrashKind};

/// Things removed while a repository is locked.
const BATCH: usize = 64;
/// How often a repository that changes under our hands is looked at again before it is left to the next run.
const ATTEMPTS: usize = 3;

/// Bytes that nobody holds.
pub(super) struct Orphan {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    pub(super) since: SystemTime,
}

/// A collection at work.
pub(super) struct Sweep<'a> {
    inner: &'a Inner,
    options: &'a CollectOptions,
    times: Times,
    observer: Arc<dyn Observer>,
    bin: Option<Bin>,
    pub(super) held: Marks,
    pub(super) collected: Collected,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        options: &'a CollectOptions,
        times: Times,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            inner,
            options,
            times,
            observer,
            bin: None,
            held: Marks::default(),
            collected: Collected::default(),
        }
    }

    /// Looks at a repository; what of it stays is marked.
    pub(super) fn plan(&mut self, repository: &Repository) -> Result<Plan, StoreError> {
        self.check_stop()?;
        {
            let _guard = self.inner.locks.of(repository);
            self.inner.leases.forget_changes(repository);
        }
        plan(self.inner, &self.times, repository, &mut self.held)
    }

    pub(super) fn is_ripe(&self, time: SystemTime) -> bool {
        self.times.is_ripe(time)
    }

    fn check_stop(&self) -> Result<(), StoreError> {
        match self.observer.stop() {
            true => Err(StoreError::Stopped),
            false => Ok(()),
        }
    }

    /// Removes what a plan says. Where the repository changed since, it is planned anew.
    pub(super) fn repository(&mut self, mut plan: Plan) -> Result<(), StoreError> {
        let repository = plan.repository.clone();
        for _ in 0..ATTEMPTS {
            if self.manifests(&mut plan)? && self.members(&mut plan)? {
                if let Some(reason) = plan.untouched {
                    self.collected.untouched.push((repository, reason));
                }
                return Ok(());
            }
            plan = self.plan(&repository)?;
        }
        let manifests = plan.manifests.iter().map(|manifest| manifest.digest);
        for digest in manifests.chain(plan.members.iter().map(|(digest, _)| *digest)) {
            self.spare(&digest);
        }
        Ok(())
    }

    /// All of one depth before the next: an index that goes is gone for good before its members go. `false` when
    /// the plan is out of date.
    fn manifests(&mut self, plan: &mut Plan) -> Result<bool, StoreError> {
        while let Some(first) = plan.manifests.first() {
            self.check_stop()?;
            let depth = first.depth;
            let same = plan
                .manifests
                .iter()
                .take(BATCH)
                .take_while(|next| next.depth == depth);
            let count = same.count();
            if !self.remove_manifests(plan, count)? {
                return Ok(false);
            }
            for gone in plan.manifests.drain(..count) {
                self.report(
                    Item::Manifest,
                    &gone.digest,
                    Some(&plan.repository),
                    0,
                    gone.since,
                );
            }
        }
        Ok(true)
    }

    fn remove_manifests(&mut self, plan: &Plan, count: usize) -> Result<bool, StoreError> {
        if self.options.dry_run {
            return Ok(true);
        }
        let (inner, repository) = (self.inner, &plan.repository);
        let batch = &plan.manifests[..count];
        let _guard = inner.locks.of(repository);
        let keys = batch.iter().map(|next| Key::manifest(repository, &next.digest));
        let condemned: Option<Vec<_>> = keys.map(|key| inner.leases.condemn(key)).collect();
        if condemned.is_none() || inner.leases.has_changed(repository) {
            return Ok(false);
        }
        for gone in batch {
            if let Some(subject) = gone.subject {
                self.discard(&inner.layout.referrer(repository, &subject, &gone.digest))?;
            }
        }
        self.sync()?;
        for gone in batch {
            self.discard(&inner.layout.revision(repository, &gone.digest))?;
        }
        self.sync()?;
        Ok(true)
    }

    fn members(&mut self, plan: &mut Plan) -> Result<bool, StoreError> {
        while !plan.members.is_empty() {
            self.check_stop()?;
            let count = plan.members.len().min(BATCH);
            if !self.remove_members(plan, count)? {
                return Ok(false);
            }
            plan.members.drain(..count);
        }
        self.sync()?;
        Ok(true)
    }

    fn remove_members(&mut self, plan: &Plan, count: usize) -> Result<bool, StoreError> {
        let (inner, repository) = (self.inner, &plan.repository);
        let _guard = inner.locks.of(repository);
        if inner.leases.has_changed(repository) {
            return Ok(false);
        }
        for (digest, since) in &plan.members[..count] {
            if !self.options.dry_run {
                let Some(_condemned) = inner.leases.condemn(Key::member(repository, digest)) else {
                    self.spare(digest);
                    continue;
                };
                if !self.discard(&inner.layout.member(repository, digest))? {
                    continue;
                }
            }
            self.report(Item::Membership, digest, Some(repository), 0, *since);
        }
        Ok(true)
    }

    /// Removes bytes that nobody held when the collection looked, and that nobody has come to hold since.
    pub(super) fn bytes(&mut self, orphans: &[Orphan]) -> Result<(), StoreError> {
        if !self.options.dry_run {
            // Also of a repository that changed too often to be done with.
            self.sync()?;
            self.inner.locks.wait_for_all();
        }
        for orphan in orphans {
            self.check_stop()?;
            if self.held.contains(&orphan.digest) {
                continue;
            }
            if !self.options.dry_run {
                let Some(_condemned) = self.inner.leases.condemn(Key::bytes(&orphan.digest)) else {
                    self.collected.spared += 1;
                    continue;
                };
                if !self.discard(&self.inner.layout.blob(&orphan.digest))? {
                    continue;
                }
            }
            self.report(Item::Bytes, &orphan.digest, None, orphan.bytes, orphan.since);
        }
        self.sync()
    }

    /// Somebody used it since: it stays, and so do its bytes.
    fn spare(&mut self, digest: &Digest) {
        self.held.insert(digest);
        self.collected.spared += 1;
    }

    /// Says whether it was still there.
    fn discard(&mut self, path: &Path) -> Result<bool, StoreError> {
        if self.options.keep_trash.is_zero() {
            return self.inner.publisher.remove(path);
        }
        let bin = match &mut self.bin {
            Some(bin) => bin,
            none => none.insert(Bin::create(self.inner, TrashKind::Collection, self.times.now())?),
        };
        self.collected.run = Some(bin.run);
        bin.take(self.inner, path)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        match &mut self.bin {
            Some(bin) => bin.sync(self.inner),
            None => Ok(()),
        }
    }

    fn report(
        &mut self,
        item: Item,
        digest: &Digest,
        repository: Option<&Repository>,
        bytes: u64,
        since: SystemTime,
    ) {
        match item {
            Item::Manifest => self.collected.manifests += 1,
            Item::Membership => self.collected.memberships += 1,
            Item::Bytes => self.collected.blobs += 1,
        }
        self.collected.bytes += bytes;
        self.observer.removal(&Removal {
            item,
            digest: *digest,
            repository: repository.cloned(),
            bytes,
            since_unix_ms: unix_ms(since),
        });
    }
}
