//! The names in a bundle, and where a registry that serves it shows them.
//!
//! Docker Hub's images are where people look for them (`library/busybox`, `busybox`, `rancher/rancher`); those of
//! other hosts lie below the host's name (`quay.io/jetstack/x`), as `load` pushes them. A client that says which
//! registry it means (`?ns=`) gets exactly that one's, also of hosts with a port, whose names fit in no path.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::{
    DOCKER_HUB, Descriptor, Digest, Reference, Registry, Repository, Tag, Target, annotation,
};

use crate::{Bundle, BundleError};

/// One entry of `index.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleImage {
    /// Its full name, where the layout has one.
    pub reference: Option<Reference>,
    /// The name as it was written; empty when there is none, perhaps only a tag.
    pub name: String,
    /// The manifest or index that it stands for.
    pub root: Descriptor,
}

impl BundleImage {
    /// Takes the name from containerd's annotation, else from OCI's where that holds more than a tag.
    pub(crate) fn of(root: Descriptor) -> Self {
        let text = |key| root.annotations.get(key).map(String::as_str);
        let (full, short) = (text(annotation::CONTAINERD_NAME), text(annotation::REF_NAME));
        let is_full = |name: &&str| name.contains(['/', ':']);
        let name = full.or(short).unwrap_or_default().to_owned();
        let reference = full
            .or(short.filter(is_full))
            .and_then(|name| Reference::parse(name).ok())
            .map(Reference::with_default_tag);
        Self {
            reference,
            name,
            root,
        }
    }

    /// Completes a name that is only a tag.
    pub(crate) fn in_repository(mut self, registry: &Registry, repository: &Repository) -> Self {
        if self.reference.is_none()
            && let Ok(tag) = self.name.parse::<Tag>()
        {
            let target = Target::Tag(tag);
            self.reference = Some(Reference::new(registry.clone(), repository.clone(), target));
        }
        self
    }

    /// Gives an image without any name its digest for one.
    pub(crate) fn by_digest(mut self, registry: &Registry, repository: &Repository) -> Self {
        if self.name.is_empty() {
            let target = Target::Digest(self.root.digest);
            self.reference = Some(Reference::new(registry.clone(), repository.clone(), target));
        }
        self
    }
}

/// The images with two ways to look them up.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) images: Vec<BundleImage>,
    /// Repository as a registry of ours shows it → images.
    by_path: BTreeMap<String, Vec<usize>>,
    /// `registry/repository` → images.
    by_name: BTreeMap<String, Vec<usize>>,
    repositories: BTreeSet<Repository>,
}

impl Catalog {
    pub(crate) fn new(images: Vec<BundleImage>) -> Self {
        let mut catalog = Self {
            images: Vec::new(),
            by_path: BTreeMap::new(),
            by_name: BTreeMap::new(),
            repositories: BTreeSet::new(),
        };
        for (at, image) in images.iter().enumerate() {
            if let Some(reference) = &image.reference {
                catalog.add(at, reference);
            }
        }
        catalog.images = images;
        catalog
    }

    fn add(&mut self, at: usize, reference: &Reference) {
        let (registry, repository) = (reference.registry(), reference.repository());
        self.by_name.entry(reference.name()).or_default().push(at);
        if registry.as_str() == DOCKER_HUB {
            self.by_path.entry(repository.to_string()).or_default().push(at);
            self.repositories.insert(repository.clone());
            let familiar = reference.familiar_name();
            if familiar != repository.as_str() {
                self.by_name
                    .entry(format!("{registry}/{familiar}"))
                    .or_default()
                    .push(at);
                self.by_path.entry(familiar).or_default().push(at);
            }
            return;
        }
        let path = reference.name();
        if registry.port().is_none()
            && let Ok(shown) = path.parse::<Repository>()
        {
            self.by_path.entry(path).or_default().push(at);
            self.repositories.insert(shown);
        }
    }

    fn in_repository(&self, repository: &Repository, ns: Option<&Registry>) -> &[usize] {
        let found = match ns {
            None => self.by_path.get(repository.as_str()),
            Some(ns) if ns.is_docker_hub() => self.by_name.get(&format!("{DOCKER_HUB}/{repository}")),
            Some(ns) => self.by_name.get(&format!("{ns}/{repository}")),
        };
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

impl Bundle {
    /// Repositories as a registry that serves this bundle lists them, sorted. (`busybox` is found too, but only
    /// `library/busybox` is listed; hosts with a port are found by `ns` only.)
    #[must_use]
    pub fn repositories(&self) -> Vec<Repository> {
        self.catalog().repositories.iter().cloned().collect()
    }

    /// The images of a repository.
    pub(crate) fn in_repository(
        &self,
        repository: &Repository,
        ns: Option<&Registry>,
    ) -> impl Iterator<Item = &BundleImage> {
        self.catalog()
            .in_repository(repository, ns)
            .iter()
            .map(|at| &self.images()[*at])
    }

    /// An image's name as it stood in the list that the bundle was made from; the familiar form where no list is known.
    #[must_use]
    pub fn written_name(&self, reference: &Reference) -> String {
        let name = reference.to_string();
        let images = self.info().map(|info| info.images.as_slice()).unwrap_or_default();
        let asked = images
            .iter()
            .find(|image| image.name == name)
            .map(|image| image.asked.clone());
        asked.unwrap_or_else(|| reference.familiar())
    }

    /// Tags of a repository, sorted; `None` when there is no such repository. `ns` is the registry that the client
    /// means, if it said so.
    #[must_use]
    pub fn tags(&self, repository: &Repository, ns: Option<&Registry>) -> Option<Vec<Tag>> {
        let found = self.catalog().in_repository(repository, ns);
        if found.is_empty() {
            return None;
        }
        let references = found
            .iter()
            .filter_map(|at| self.images()[*at].reference.as_ref());
        let tags: BTreeSet<_> = references
            .filter_map(|reference| reference.tag().cloned())
            .collect();
        Some(tags.into_iter().collect())
    }

    /// What a tag or digest of a repository stands for; `None` when the repository has no such thing. A digest is any
    /// manifest below one of the repository's images, or about one. Blocking: the first look-up by digest reads all
    /// manifests.
    #[must_use]
    pub fn resolve(
        &self,
        repository: &Repository,
        ns: Option<&Registry>,
        target: &Target,
    ) -> Option<Descriptor> {
        let mut images = self
            .catalog()
            .in_repository(repository, ns)
            .iter()
            .map(|at| &self.images()[*at]);
        match target {
            Target::Tag(tag) => {
                let has_tag =
                    |image: &&BundleImage| image.reference.as_ref().and_then(Reference::tag) == Some(tag);
                images.find(has_tag).map(|image| image.root.clone())
            }
            Target::Digest(digest) => {
                let roots: Vec<_> = images.map(|image| image.root.digest).collect();
                self.graph().member(&roots, digest)
            }
        }
    }

    /// Manifests whose subject is this digest, as the referrers API lists them. Blocking: the first call reads all
    /// manifests.
    #[must_use]
    pub fn referrers(&self, digest: &Digest) -> Vec<Descriptor> {
        self.graph().referrers(digest)
    }

    /// The platforms, children and blobs of what an image stands for are read through [`Bundle::manifest`]; this is
    /// the short way for a reference.
    ///
    /// # Errors
    /// As [`Bundle::manifest`].
    pub fn image(&self, reference: &Reference) -> Result<Option<landfall_oci::RawManifest>, BundleError> {
        let ns = Some(reference.registry());
        match self.resolve(reference.repository(), ns, &reference.target()) {
            Some(root) => self.manifest(&root.digest).map(Some),
            None => Ok(None),
        }
    }
}
