//! Checking the records of one repository against each other and against the bytes. All of this blocks.

use std::collections::BTreeSet;
use std::path::Path;

use landfall_oci::{Descriptor, Digest, Repository, Tag, Target};
use serde::de::DeserializeOwned;

use super::super::Inner;
use super::super::collect::graph::Graph;
use super::super::collect::strict;
use super::super::layout::parse_file_name;
use super::super::manifests::Revision;
use crate::{Damage, Finding, Outcome, StoreError};

/// What was found in one repository.
#[derive(Default)]
pub(super) struct Checked {
    /// About records: reported as they are.
    pub(super) findings: Vec<Finding>,
    /// Digests whose bytes are missing: to be healed first.
    pub(super) wounds: Vec<(Digest, Damage)>,
    /// Of these and of those that were known: whether it is a manifest here, and the tags that need it.
    pub(super) touched: Vec<(Digest, bool, Vec<Tag>)>,
}

impl Inner {
    /// Looks without the lock, and where something seems wrong a second time with it: a push or a delete under way
    /// is no damage.
    pub(super) fn check_repository(
        &self,
        repository: &Repository,
        known: &[Digest],
    ) -> Result<Checked, StoreError> {
        let checked = self.look_at(repository, known)?;
        if checked.findings.is_empty() && checked.wounds.is_empty() {
            return Ok(checked);
        }
        let _guard = self.locks.of(repository);
        self.look_at(repository, known)
    }

    fn look_at(&self, repository: &Repository, known: &[Digest]) -> Result<Checked, StoreError> {
        let mut look = Look {
            inner: self,
            repository,
            checked: Checked::default(),
        };
        look.members()?;
        look.revisions()?;
        look.tags()?;
        look.referrers()?;
        let wounds = look.checked.wounds.iter().map(|(digest, _)| *digest);
        let suspects: BTreeSet<Digest> = known.iter().copied().chain(wounds).collect();
        // A record that cannot be read has been reported; what needs what cannot be said then.
        if let Ok(graph) = Graph::read(self, repository) {
            look.named(&graph)?;
            look.touched(&graph, &suspects);
        }
        Ok(look.checked)
    }
}

struct Look<'a> {
    inner: &'a Inner,
    repository: &'a Repository,
    checked: Checked,
}

impl Look<'_> {
    fn find(&mut self, damage: Damage, digest: Option<Digest>, path: &Path, tags: Vec<Tag>) {
        let touched = tags.len() as u64;
        self.checked.findings.push(Finding {
            damage,
            digest,
            repository: Some(self.repository.clone()),
            place: self.inner.place(path),
            tags: tags
                .into_iter()
                .map(|tag| (self.repository.clone(), tag))
                .collect(),
            tags_touched: touched,
            outcome: Outcome::Left,
        });
    }

    /// A record, if it is there and can be read; else that is reported.
    fn record<T: DeserializeOwned>(
        &mut self,
        path: &Path,
        digest: Option<Digest>,
        tags: Vec<Tag>,
    ) -> Option<T> {
        match strict::record(path) {
            Ok(record) => record,
            Err(StoreError::Corrupt { reason, .. }) => {
                self.find(Damage::BadRecord(reason), digest, path, tags);
                None
            }
            Err(error) => {
                self.find(Damage::Unreadable(error.to_string()), digest, path, tags);
                None
            }
        }
    }

    /// The digests of a folder; names that are none are reported.
    fn digests(&mut self, folder: &Path) -> Result<Vec<Digest>, StoreError> {
        let mut digests = Vec::new();
        for algorithm in strict::names(folder)? {
            let below = folder.join(&algorithm);
            for hex in strict::names(&below)? {
                match format!("{algorithm}:{hex}").parse() {
                    Ok(digest) => digests.push(digest),
                    Err(_) => self.find(Damage::StrangeFile, None, &below.join(hex), Vec::new()),
                }
            }
        }
        Ok(digests)
    }

    fn members(&mut self) -> Result<(), StoreError> {
        for digest in self.digests(&self.inner.layout.members(self.repository))? {
            let there = strict::stat(&self.inner.layout.blob(&digest))?.is_some();
            // Deleted between the two looks, then: no wound.
            if !there && self.inner.is_member(self.repository, &digest)? {
                self.checked.wounds.push((digest, Damage::MissingBytes));
            }
        }
        Ok(())
    }

    fn revisions(&mut self) -> Result<(), StoreError> {
        let layout = &self.inner.layout;
        for digest in self.digests(&layout.revisions(self.repository))? {
            let path = layout.revision(self.repository, &digest);
            let Some(revision) = self.record::<Revision>(&path, Some(digest), Vec::new()) else {
                continue;
            };
            let length = strict::stat(&layout.blob(&digest))?.map(|(length, _)| length);
            if revision.digest != digest {
                let reason = format!("it is the record of {}", revision.digest);
                self.find(Damage::BadRecord(reason), Some(digest), &path, Vec::new());
            } else if length.is_none() {
                self.checked.wounds.push((digest, Damage::MissingBytes));
            } else if length != Some(revision.size) {
                let reason = format!("it says {} bytes; the file has another length", revision.size);
                self.find(Damage::BadRecord(reason), Some(digest), &path, Vec::new());
            }
            if let Some(subject) = revision.subject {
                let listed = layout.referrer(self.repository, &subject, &digest);
                if strict::stat(&listed)?.is_none() {
                    self.find(Damage::UnlistedReferrer, Some(digest), &listed, Vec::new());
                }
            }
        }
        Ok(())
    }

    fn tags(&mut self) -> Result<(), StoreError> {
        let folder = self.inner.layout.tags(self.repository);
        for name in strict::names(&folder)? {
            let path = folder.join(&name);
            let Ok(tag) = name.parse::<Tag>() else {
                self.find(Damage::StrangeFile, None, &path, Vec::new());
                continue;
            };
            let Some(revision) = self.record::<Revision>(&path, None, vec![tag.clone()]) else {
                continue;
            };
            let target = Target::Digest(revision.digest);
            if self.inner.revision(self.repository, &target)?.is_none() {
                self.find(
                    Damage::TagWithoutManifest,
                    Some(revision.digest),
                    &path,
                    vec![tag],
                );
            }
        }
        Ok(())
    }

    fn referrers(&mut self) -> Result<(), StoreError> {
        let layout = &self.inner.layout;
        for subject in self.digests(&layout.all_referrers(self.repository))? {
            let folder = layout.referrers(self.repository, &subject);
            for name in strict::names(&folder)? {
                let path = folder.join(&name);
                let Some(digest) = parse_file_name(&name) else {
                    self.find(Damage::StrangeFile, None, &path, Vec::new());
                    continue;
                };
                let _: Option<Descriptor> = self.record(&path, Some(digest), Vec::new());
                if strict::stat(&layout.revision(self.repository, &digest))?.is_none() {
                    self.find(Damage::ReferrerWithoutManifest, Some(digest), &path, Vec::new());
                }
            }
        }
        Ok(())
    }

    /// What manifests name and the repository has not.
    fn named(&mut self, graph: &Graph) -> Result<(), StoreError> {
        let layout = &self.inner.layout;
        let parents = graph.parents();
        for node in graph.nodes.values() {
            for (ids, damage) in [
                (&node.children, Damage::AbsentMember),
                (&node.blobs, Damage::AbsentBlob),
            ] {
                for id in ids {
                    let digest = graph.digest(*id);
                    let member = layout.member(self.repository, &digest);
                    if !graph.nodes.contains_key(id) && strict::stat(&member)?.is_none() {
                        let tags = graph.tags_needing(&parents, *id);
                        self.find(damage.clone(), Some(digest), &member, tags);
                    }
                }
            }
        }
        for (digest, reason) in &graph.broken {
            let wounded = strict::stat(&layout.blob(digest))?.is_none();
            if !wounded && !reason.contains("what their digest says") {
                let path = layout.revision(self.repository, digest);
                self.find(
                    Damage::BadRecord(reason.clone()),
                    Some(*digest),
                    &path,
                    Vec::new(),
                );
            }
        }
        Ok(())
    }

    fn touched(&mut self, graph: &Graph, suspects: &BTreeSet<Digest>) {
        let parents = graph.parents();
        for digest in suspects {
            let Some(id) = graph.find(digest) else {
                continue;
            };
            let tags = graph.tags_needing(&parents, id);
            let is_manifest = graph.nodes.contains_key(&id);
            self.checked.touched.push((*digest, is_manifest, tags));
        }
    }
}
