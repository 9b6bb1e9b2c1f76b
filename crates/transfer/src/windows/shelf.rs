//! Where members are looked for: the registries that images come from, a bundle, the registry that they go to.

use bytes::Bytes;
use landfall_bundle::Bundle;
use landfall_client::Client;
use landfall_images::Mapping;
use landfall_oci::{Descriptor, Platform, PlatformSet, RawManifest, Reference, Registry, Repository, Target};

use super::assemble::stated_platform;
use crate::fetch::blocking;
use crate::resolve::{Resolver, check_size, read};
use crate::supply::Way;
use crate::tree::{Content, Tree};
use crate::{Class, TransferError};

/// One such place.
pub(super) enum Shelf<'a> {
    /// The images' own registries, or the mirror in their stead.
    Upstream(Resolver<'a>),
    /// The bundle that is being loaded.
    Bundle(Bundle),
    /// The registry that is being filled: what was pushed there before, by us or by the scripts.
    Target {
        client: &'a Client,
        mapping: &'a Mapping,
    },
}

/// What a name points at.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Where it was found.
    pub(super) place: Reference,
    /// The manifest or index.
    pub(super) root: RawManifest,
}

impl Shelf<'_> {
    /// What a name points at; `None` when it is not there.
    ///
    /// # Errors
    /// [`TransferError`] when nobody can say whether it is.
    pub(super) async fn look(
        &self,
        reference: &Reference,
        written: &str,
    ) -> Result<Option<Seen>, TransferError> {
        let found = match self {
            Self::Upstream(resolver) => resolver.locate(reference, written).await,
            Self::Bundle(bundle) => {
                let image = bundle
                    .images()
                    .iter()
                    .find(|image| image.reference.as_ref() == Some(reference));
                let Some(digest) = image.map(|image| image.root.digest) else {
                    return Ok(None);
                };
                let bundle = bundle.clone();
                let root = blocking(move || bundle.manifest(&digest)).await?;
                Ok((reference.clone(), root))
            }
            Self::Target { client, mapping } => {
                let place = mapping.apply(reference, written)?;
                let manifest = client
                    .manifest(place.registry(), place.repository(), &place.target())
                    .await;
                manifest.map(|root| (place, root)).map_err(TransferError::from)
            }
        };
        match found {
            Ok((place, root)) => Ok(Some(Seen { place, root })),
            Err(error) if error.class() == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A manifest that an index found here lists.
    pub(super) async fn member(
        &self,
        place: &Reference,
        member: &Descriptor,
    ) -> Result<RawManifest, TransferError> {
        match self {
            Self::Upstream(resolver) => resolver.member(&origin(place), member.clone()).await,
            Self::Bundle(bundle) => {
                let (bundle, digest) = (bundle.clone(), member.digest);
                blocking(move || bundle.manifest(&digest)).await
            }
            Self::Target { client, .. } => {
                let target = Target::Digest(member.digest);
                Ok(client
                    .manifest(place.registry(), place.repository(), &target)
                    .await?)
            }
        }
    }

    /// The platform that an image's config states; `None` for an artifact, and where it states none.
    pub(super) async fn platform(
        &self,
        place: &Reference,
        manifest: &RawManifest,
    ) -> Result<Option<Platform>, TransferError> {
        let view = manifest.view().map_err(|source| TransferError::Manifest {
            name: place.to_string(),
            source,
        })?;
        let config = view.blobs().next().cloned();
        let Some(config) = config.filter(|config| config.media_type.is_image_config()) else {
            return Ok(None);
        };
        let bytes = match self {
            Self::Upstream(resolver) => resolver.config(&origin(place), &config).await?.into(),
            Self::Bundle(bundle) => from_bundle(bundle, &config).await?,
            Self::Target { client, .. } => {
                check_size(&config)?;
                let way = Way {
                    label: place.to_string().into(),
                    client: (*client).clone(),
                    registry: place.registry().clone(),
                    repository: place.repository().clone(),
                };
                read(&way, &config).await?.into()
            }
        };
        Ok(stated_platform(&bytes))
    }

    /// Everything below a manifest that was found here. Of what the target has, nothing needs to move.
    pub(super) async fn collect(
        &self,
        place: &Reference,
        root: &RawManifest,
    ) -> Result<Content, TransferError> {
        let mut tree = Tree::new(&place.to_string(), root.clone(), &PlatformSet::All)?;
        loop {
            let wanted = tree.wanted();
            if wanted.is_empty() || self.is_target() {
                break;
            }
            for member in wanted {
                match self.has(&member) {
                    true => tree.add(self.member(place, &member).await?)?,
                    false => tree.omit(member),
                }
            }
        }
        let mut content = tree.finish();
        match self {
            Self::Upstream(_) => {}
            // A foreign layer is pushed when the bundle carries it.
            Self::Bundle(bundle) => content
                .blobs
                .retain(|digest, blob| !blob.descriptor.is_foreign() || bundle.contains(digest)),
            Self::Target { .. } => content.blobs.clear(),
        }
        Ok(content)
    }

    /// Whether a listed manifest can be had here: a bundle may have been saved without some.
    pub(super) fn has(&self, member: &Descriptor) -> bool {
        match self {
            Self::Bundle(bundle) => bundle.contains(&member.digest),
            Self::Upstream(_) | Self::Target { .. } => true,
        }
    }

    /// Which platforms were asked for here.
    pub(super) fn platforms(&self) -> &PlatformSet {
        match self {
            Self::Upstream(resolver) => &resolver.options.platforms,
            Self::Bundle(_) | Self::Target { .. } => &PlatformSet::All,
        }
    }

    /// Whether this is where images come from, of which only what was asked for is taken.
    pub(super) fn is_upstream(&self) -> bool {
        matches!(self, Self::Upstream(_))
    }

    /// Whether this is where images go.
    pub(super) fn is_target(&self) -> bool {
        matches!(self, Self::Target { .. })
    }

    /// The repository that blobs can be fetched from.
    pub(super) fn origin(&self, place: &Reference) -> Option<(Registry, Repository)> {
        self.is_upstream().then(|| origin(place))
    }
}

fn origin(place: &Reference) -> (Registry, Repository) {
    (place.registry().clone(), place.repository().clone())
}

/// A config in a bundle, its digest checked.
async fn from_bundle(bundle: &Bundle, config: &Descriptor) -> Result<Bytes, TransferError> {
    check_size(config)?;
    let (bundle, digest, size) = (bundle.clone(), config.digest, config.size);
    let read = tokio::task::spawn_blocking(move || {
        let extent = bundle.blob(&digest).filter(|extent| extent.len == size)?;
        extent.read_at(0, usize::try_from(size).ok()?).ok()
    });
    let bytes = read.await?.ok_or(TransferError::BlobMissing { digest })?;
    let found = landfall_hash::digest(digest.algorithm(), &bytes);
    match found == digest {
        true => Ok(bytes),
        false => Err(TransferError::DamagedBlob {
            digest,
            found: Box::new(found),
        }),
    }
}
