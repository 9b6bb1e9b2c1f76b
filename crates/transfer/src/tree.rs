//! Walking from a root manifest down to everything that belongs to it, without I/O: the caller fetches what is
//! asked for, from a registry or from a bundle, and hands it in.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::{Descriptor, Digest, Manifest, Platform, PlatformSet, RawManifest, View};

use crate::TransferError;

/// More manifests than any image has: an index that goes beyond is hostile or broken.
const MAX_MANIFESTS: usize = 4096;

/// One image's manifests while they are being collected.
#[derive(Debug)]
pub struct Tree {
    name: String,
    platforms: PlatformSet,
    root: Descriptor,
    manifests: Vec<RawManifest>,
    wanted: Vec<Descriptor>,
    seen: BTreeSet<Digest>,
    kept: BTreeMap<Digest, Platform>,
    omitted: Vec<Descriptor>,
    layers: BTreeMap<Digest, Blob>,
    single: Option<Manifest>,
}

/// A config or layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// As its manifest describes it.
    pub descriptor: Descriptor,
    /// An image's configuration (small, and read by tools before the layers).
    pub is_config: bool,
}

/// Everything that one image consists of.
#[derive(Clone, Debug)]
pub struct Content {
    /// The manifest that the name points at.
    pub root: Descriptor,
    /// All manifests, parents before children: the root is the first.
    pub manifests: Vec<RawManifest>,
    /// Configs and layers, each once.
    pub blobs: BTreeMap<Digest, Blob>,
    /// Platforms of the manifests that were kept.
    pub platforms: Vec<Platform>,
    /// Members of an index that the choice of platforms left out.
    pub omitted: Vec<Descriptor>,
}

impl Tree {
    /// Starts at the root. `name` is for error messages.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn new(name: &str, root: RawManifest, platforms: &PlatformSet) -> Result<Self, TransferError> {
        let mut tree = Self {
            name: name.to_owned(),
            platforms: platforms.clone(),
            root: root.descriptor(),
            manifests: Vec::new(),
            wanted: Vec::new(),
            seen: BTreeSet::from([root.digest]),
            kept: BTreeMap::new(),
            omitted: Vec::new(),
            layers: BTreeMap::new(),
            single: None,
        };
        tree.add(root)?;
        Ok(tree)
    }

    /// Manifests to fetch next; empty when the tree is complete.
    pub fn wanted(&mut self) -> Vec<Descriptor> {
        std::mem::take(&mut self.wanted)
    }

    /// An image without an index, when particular platforms were asked for: its own platform stands in its config,
    /// which has to be read with [`Self::check_config`].
    #[must_use]
    pub fn unchecked_config(&self) -> Option<&Descriptor> {
        let chosen = self.platforms != PlatformSet::All;
        self.single
            .as_ref()
            .map(|single| &single.config)
            .filter(|config| chosen && config.media_type.is_image_config())
    }

    /// Compares an image's own platform with the ones asked for.
    ///
    /// # Errors
    /// [`TransferError::PlatformNotOffered`].
    pub fn check_config(&self, config: &[u8]) -> Result<(), TransferError> {
        let Ok(platform) = serde_json::from_slice::<Platform>(config) else {
            return Ok(());
        };
        let PlatformSet::Some(wishes) = &self.platforms else {
            return Ok(());
        };
        let unstated = platform.os.is_empty() || platform.architecture.is_empty();
        match unstated || wishes.iter().any(|wish| wish.matches(&platform)) {
            true => Ok(()),
            false => Err(self.not_offered([&platform])),
        }
    }

    /// Takes a manifest that was asked for (its digest has been checked).
    ///
    /// # Errors
    /// [`TransferError::Manifest`] when it cannot be read, [`TransferError::PlatformNotOffered`] when an index has
    /// none of the wanted platforms, [`TransferError::TooDeep`].
    pub fn add(&mut self, manifest: RawManifest) -> Result<(), TransferError> {
        if self.manifests.len() >= MAX_MANIFESTS {
            return Err(TransferError::TooDeep {
                name: self.name.clone(),
                limit: MAX_MANIFESTS,
            });
        }
        let view = manifest.view().map_err(|source| TransferError::Manifest {
            name: format!("{}@{}", self.name, manifest.digest),
            source,
        })?;
        match view {
            View::Index(index) => self.add_index(&index.manifests)?,
            View::Image(image) => self.add_image(*image),
        }
        self.manifests.push(manifest);
        Ok(())
    }

    /// Marks a manifest that was asked for as left out: an earlier choice of platforms did not keep it.
    pub fn omit(&mut self, member: Descriptor) {
        self.kept.remove(&member.digest);
        self.omitted.push(member);
    }

    fn add_index(&mut self, members: &[Descriptor]) -> Result<(), TransferError> {
        let selected = self.platforms.select(members);
        if selected.is_empty() && !members.is_empty() {
            return Err(self.not_offered(members.iter().filter_map(|member| member.platform.as_ref())));
        }
        let kept: BTreeSet<_> = selected.iter().map(|member| member.digest).collect();
        for member in members {
            if !kept.contains(&member.digest) {
                self.omitted.push(member.clone());
                continue;
            }
            if let Some(platform) = member.platform.as_ref().filter(|platform| !platform.is_unknown()) {
                self.kept.insert(member.digest, platform.clone());
            }
            if self.seen.insert(member.digest) {
                self.wanted.push(member.clone());
            }
        }
        Ok(())
    }

    fn add_image(&mut self, image: Manifest) {
        let config = Blob {
            descriptor: image.config.clone(),
            is_config: true,
        };
        self.layers.insert(image.config.digest, config);
        for layer in &image.layers {
            let blob = Blob {
                descriptor: layer.clone(),
                is_config: false,
            };
            self.layers.entry(layer.digest).or_insert(blob);
        }
        if self.manifests.is_empty() {
            self.single = Some(image);
        }
    }

    fn not_offered<'a>(&self, offered: impl IntoIterator<Item = &'a Platform>) -> TransferError {
        let offered: BTreeSet<_> = offered
            .into_iter()
            .filter(|platform| !platform.is_unknown())
            .map(ToString::to_string)
            .collect();
        TransferError::PlatformNotOffered {
            name: self.name.clone(),
            wanted: self.platforms.to_string(),
            offered: offered.into_iter().collect::<Vec<_>>().join(", "),
        }
    }

    /// Everything that was collected.
    #[must_use]
    pub fn finish(self) -> Content {
        let platforms: BTreeSet<_> = self.kept.into_values().collect();
        Content {
            root: self.root,
            manifests: self.manifests,
            blobs: self.layers,
            platforms: platforms.into_iter().collect(),
            omitted: self.omitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use landfall_oci::{Algorithm, MediaType};
    use serde_json::json;

    use super::*;
    use crate::Class;

    fn manifest(json: &serde_json::Value) -> RawManifest {
        let bytes = Bytes::from(json.to_string());
        let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
        RawManifest::new(None, digest, bytes).unwrap()
    }

    fn image(number: u8) -> RawManifest {
        let blob = |byte, media_type| Descriptor::new(media_type, Digest::Sha256([byte; 32]), 9);
        manifest(&json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "config": blob(number, MediaType::OCI_CONFIG),
            // The base is the same in all of them.
            "layers": [blob(0, MediaType::OCI_LAYER_GZIP), blob(number + 100, MediaType::OCI_LAYER_GZIP)],
        }))
    }

    fn index(members: &[(&str, &RawManifest)]) -> RawManifest {
        let member = |(platform, manifest): &(&str, &RawManifest)| Descriptor {
            platform: Some(platform.parse().unwrap()),
            ..manifest.descriptor()
        };
        let members: Vec<_> = members.iter().map(member).collect();
        manifest(&json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": members}))
    }

    #[test]
    fn a_choice_keeps_the_root_and_names_what_it_leaves_out() {
        let (amd, arm) = (image(1), image(2));
        let root = index(&[("linux/amd64", &amd), ("linux/arm64", &arm)]);
        let mut tree = Tree::new("x", root.clone(), &"linux/arm64".parse().unwrap()).unwrap();
        let wanted = tree.wanted();
        assert_eq!(
            wanted.iter().map(|member| member.digest).collect::<Vec<_>>(),
            [arm.digest]
        );
        tree.add(arm.clone()).unwrap();
        assert!(tree.wanted().is_empty());
        let content = tree.finish();
        assert_eq!(content.root.digest, root.digest);
        assert_eq!(content.manifests, [root, arm]);
        assert_eq!(content.omitted[0].digest, amd.digest);
        assert_eq!(content.blobs.len(), 3);
    }

    #[test]
    fn what_is_not_offered_is_told_with_what_is() {
        let root = index(&[
            ("linux/amd64", &image(1)),
            ("windows(10.0.17763)/amd64", &image(2)),
        ]);
        let error = Tree::new("x", root, &"linux/s390x".parse().unwrap()).unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
        assert!(
            error
                .to_string()
                .contains("linux/amd64, windows(10.0.17763)/amd64"),
            "{error}"
        );
        let tree = Tree::new("x", image(1), &"linux/arm64".parse().unwrap()).unwrap();
        assert!(tree.unchecked_config().is_some());
        assert!(
            tree.check_config(br#"{"os":"linux","architecture":"amd64"}"#)
                .is_err()
        );
        assert!(
            tree.check_config(br#"{"os":"linux","architecture":"arm64","variant":"v8"}"#)
                .is_ok()
        );
    }

    #[test]
    fn shared_members_are_asked_for_once_and_depth_has_an_end() {
        let amd = image(1);
        let inner = index(&[("linux/amd64", &amd)]);
        let root = index(&[
            ("linux/amd64", &amd),
            ("linux/amd64", &inner),
            ("linux/amd64", &amd),
        ]);
        let mut tree = Tree::new("x", root, &PlatformSet::All).unwrap();
        assert_eq!(tree.wanted().len(), 2);
        tree.add(inner.clone()).unwrap();
        assert!(tree.wanted().is_empty());
        let error = (0..=MAX_MANIFESTS).find_map(|_| tree.add(inner.clone()).err());
        assert!(matches!(error, Some(TransferError::TooDeep { .. })));
    }
}
