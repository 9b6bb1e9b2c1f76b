//! Reads bundles in place: any OCI image layout, in a plain tar (entries in any order) or in a directory.
//!
//! Opening reads headers and the index only; digests are checked when bytes are used ([`Bundle::manifest`]) or all at
//! once ([`crate::verify`]). Memory is proportional to the number of entries. Everything here blocks: call it from
//! `spawn_blocking`, and hand the extents to asynchronous code.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use landfall_oci::{Digest, Index, MAX_MANIFEST_BYTES, RawManifest, Reference};
use landfall_store::Extent;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalog::{BundleImage, Catalog};
use crate::graph::Graph;
use crate::info::{self, Info};
use crate::{BundleError, Span, folder, sniff, walk};

/// The largest `index.json` or `landfall.json` that is read: some hundred thousand images.
pub(crate) const MAX_DOCUMENT: u64 = 128 << 20;
const MAX_OCI_LAYOUT: u64 = 64 << 10;

/// An opened bundle. Clones share it.
#[derive(Clone, Debug)]
pub struct Bundle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: Arc<Path>,
    place: Arc<Place>,
    catalog: Catalog,
    info: Option<Info>,
    refused: Arc<[Refused]>,
    graph: OnceLock<Graph>,
}

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Place {
    /// Pieces of one file: the bundle itself, or what was unpacked of it.
    File {
        file: Arc<File>,
        /// For messages.
        path: Arc<Path>,
        blobs: HashMap<Digest, Span>,
    },
    /// The files of a layout.
    Folder { blobs: HashMap<Digest, u64> },
    /// Pieces of several kinds.
    Mixed(Mixed),
}

/// What another program keeps in its own way, with what was made of it.
#[derive(Debug)]
pub(crate) struct Mixed {
    /// The bundle's file, when it is one.
    pub(crate) file: Option<Arc<File>>,
    /// What was made.
    pub(crate) made: Arc<File>,
    pub(crate) blobs: HashMap<Digest, Piece>,
}

/// One blob of [`Mixed`].
#[derive(Debug)]
pub(crate) enum Piece {
    /// A file below the bundle's folder, and its length.
    File(Box<str>, u64),
    /// A piece of the bundle's file.
    InFile(Span),
    /// A piece of what was made.
    Made(Span),
}

/// An image of another program's archive that cannot be used; the others of the archive can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its name as it was written, else its config's.
    pub name: String,
    /// Its full name, where it has one.
    pub reference: Option<Reference>,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutMarker {
    image_layout_version: String,
}

impl Bundle {
    /// Opens a bundle file or an OCI layout directory. Blocking.
    ///
    /// # Errors
    /// [`BundleError`]: not there, not a bundle (and what it is instead), truncated, damaged or hostile.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let stat = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BundleError::NotFound {
                path: path.to_owned(),
            },
            _ => BundleError::io("examine", path)(error),
        })?;
        if stat.is_dir() {
            Self::open_folder(path)
        } else if stat.is_file() {
            Self::open_tar(path)
        } else {
            Err(not_a_bundle(path, "neither a file nor a directory"))
        }
    }

    fn open_tar(path: &Path) -> Result<Self, BundleError> {
        let file = File::open(path).map_err(BundleError::io("open", path))?;
        sniff::check(&file, path)?;
        let walked = walk::walk(&file, path)?;
        let file = Arc::new(file);
        let shared_path: Arc<Path> = Arc::from(path);
        let document = |name: &str| {
            let span = walked.documents.get(name)?;
            Some(span.of(&file, &shared_path))
        };
        let documents = Documents::read(path, |name| Ok(document(name)))?;
        let place = Place::File {
            file: Arc::clone(&file),
            path: Arc::clone(&shared_path),
            blobs: walked.blobs,
        };
        Ok(documents.into_bundle(path, place))
    }

    fn open_folder(path: &Path) -> Result<Self, BundleError> {
        let documents = Documents::read(path, |name| folder_extent(path, name))?;
        let place = Place::Folder {
            blobs: folder::blobs(path)?,
        };
        Ok(documents.into_bundle(path, place))
    }

    /// A bundle of what another program's archive was found to hold.
    pub(crate) fn of_parts(
        path: &Path,
        place: Place,
        images: Vec<BundleImage>,
        refused: Vec<Refused>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: Arc::from(path),
                place: Arc::new(place),
                catalog: Catalog::new(images),
                info: None,
                refused: refused.into(),
                graph: OnceLock::new(),
            }),
        }
    }

    /// Its path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The entries of `index.json`, in its order.
    #[must_use]
    pub fn images(&self) -> &[BundleImage] {
        &self.inner.catalog.images
    }

    /// The same bundle, its images that have only a tag in `repository` of `registry` (layouts written by other tools
    /// often keep no more than the tag).
    #[must_use]
    pub fn with_repository(
        &self,
        registry: &landfall_oci::Registry,
        repository: &landfall_oci::Repository,
    ) -> Self {
        self.with_images(|image| image.in_repository(registry, repository))
    }

    /// As [`Self::with_repository`]; there are also those that have no name at all, by their digests.
    #[must_use]
    pub fn with_names_below(
        &self,
        registry: &landfall_oci::Registry,
        repository: &landfall_oci::Repository,
    ) -> Self {
        self.with_images(|image| {
            image
                .in_repository(registry, repository)
                .by_digest(registry, repository)
        })
    }

    pub(crate) fn with_images(&self, renamed: impl Fn(BundleImage) -> BundleImage) -> Self {
        let named = self.inner.catalog.images.iter().cloned().map(renamed);
        Self {
            inner: Arc::new(Inner {
                path: Arc::clone(&self.inner.path),
                place: Arc::clone(&self.inner.place),
                catalog: Catalog::new(named.collect()),
                info: self.inner.info.clone(),
                refused: Arc::clone(&self.inner.refused),
                graph: OnceLock::new(),
            }),
        }
    }

    /// `landfall.json`; `None` for a layout that Landfall did not write.
    #[must_use]
    pub fn info(&self) -> Option<&Info> {
        self.inner.info.as_ref()
    }

    /// Images of another program's archive that cannot be used, each with the reason; they are not among
    /// [`Self::images`].
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.inner.refused
    }

    /// Whether a manifest, config or layer is here.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.size_of(digest).is_some()
    }

    /// The length of a manifest, config or layer in bytes.
    #[must_use]
    pub fn size_of(&self, digest: &Digest) -> Option<u64> {
        match &*self.inner.place {
            Place::File { blobs, .. } => blobs.get(digest).map(|span| span.len),
            Place::Folder { blobs } => blobs.get(digest).copied(),
            Place::Mixed(mixed) => mixed.blobs.get(digest).map(Piece::len),
        }
    }

    /// Everything under `blobs/` (manifests too) with its length, by digest.
    #[must_use]
    pub fn blobs(&self) -> Vec<(Digest, u64)> {
        let mut all: Vec<_> = match &*self.inner.place {
            Place::File { blobs, .. } => blobs.iter().map(|(digest, span)| (*digest, span.len)).collect(),
            Place::Folder { blobs } => blobs.iter().map(|(digest, size)| (*digest, *size)).collect(),
            Place::Mixed(mixed) => mixed
                .blobs
                .iter()
                .map(|(digest, blob)| (*digest, blob.len()))
                .collect(),
        };
        all.sort_unstable();
        all
    }

    /// Where a manifest's, config's or layer's bytes are; `None` when they are not here. Not checked against the
    /// digest. Opens a file when the layout is a directory; one that cannot be opened counts as not here.
    #[must_use]
    pub fn blob(&self, digest: &Digest) -> Option<Extent> {
        self.extent(digest).unwrap_or_else(|error| {
            tracing::warn!(%error, "a blob of the layout cannot be opened");
            None
        })
    }

    /// As [`Self::blob`], with the reason.
    pub(crate) fn extent(&self, digest: &Digest) -> Result<Option<Extent>, BundleError> {
        match &*self.inner.place {
            Place::File { file, path, blobs } => Ok(blobs.get(digest).map(|span| span.of(file, path))),
            Place::Folder { blobs } if blobs.contains_key(digest) => {
                folder_extent(self.path(), &crate::documents::blob_name(digest))
            }
            Place::Folder { .. } => Ok(None),
            Place::Mixed(mixed) => match (mixed.blobs.get(digest), &mixed.file) {
                (Some(Piece::File(name, _)), _) => folder_extent(self.path(), name),
                (Some(Piece::InFile(span)), Some(file)) => Ok(Some(span.of(file, &self.inner.path))),
                (Some(Piece::Made(span)), _) => Ok(Some(span.of(&mixed.made, &self.inner.path))),
                _ => Ok(None),
            },
        }
    }

    /// Reads a manifest and checks its digest.
    ///
    /// # Errors
    /// [`BundleError::NotInBundle`], [`BundleError::WrongDigest`], [`BundleError::Manifest`], [`BundleError::Io`].
    pub fn manifest(&self, digest: &Digest) -> Result<RawManifest, BundleError> {
        let extent = self.extent(digest)?.ok_or_else(|| BundleError::NotInBundle {
            path: self.path().to_owned(),
            digest: Box::new(*digest),
        })?;
        let invalid = |source| BundleError::Manifest {
            path: self.path().to_owned(),
            digest: Box::new(*digest),
            source,
        };
        if extent.len > MAX_MANIFEST_BYTES as u64 {
            return Err(invalid(landfall_oci::ManifestError::TooLarge));
        }
        let bytes = read_all(&extent)?;
        let found = landfall_hash::digest(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(BundleError::WrongDigest {
                path: self.path().to_owned(),
                expected: Box::new(*digest),
                found: Box::new(found),
            });
        }
        RawManifest::new(None, *digest, bytes).map_err(invalid)
    }

    /// The names, by repository.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// How the manifests hang together; read once, when first asked for.
    pub(crate) fn graph(&self) -> &Graph {
        self.inner.graph.get_or_init(|| Graph::read(self))
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::File(_, len) => *len,
            Self::InFile(span) | Self::Made(span) => span.len,
        }
    }
}

impl Span {
    /// The piece of this file.
    pub(crate) fn of(&self, file: &Arc<File>, path: &Arc<Path>) -> Extent {
        Extent {
            file: Arc::clone(file),
            path: Arc::clone(path),
            offset: self.offset,
            len: self.len,
        }
    }
}

/// The JSON documents at the top of a layout.
pub(crate) struct Documents {
    catalog: Catalog,
    info: Option<Info>,
}

impl Documents {
    pub(crate) fn read(
        path: &Path,
        find: impl Fn(&str) -> Result<Option<Extent>, BundleError>,
    ) -> Result<Self, BundleError> {
        let Some(index) = find("index.json")? else {
            let found = match find("oci-layout")? {
                Some(_) => "an OCI layout without its index.json",
                None => "there is no index.json in it",
            };
            return Err(not_a_bundle(path, found));
        };
        if let Some(marker) = find("oci-layout")? {
            let marker: LayoutMarker = read_json(path, "oci-layout", &marker, MAX_OCI_LAYOUT)?;
            if !marker.image_layout_version.starts_with("1.") {
                let found = format!("an OCI layout of version {}", marker.image_layout_version);
                return Err(not_a_bundle(path, found));
            }
        }
        let index: Index = read_json(path, "index.json", &index, MAX_DOCUMENT)?;
        let info: Option<Info> = match find("landfall.json")? {
            Some(extent) => Some(read_json(path, "landfall.json", &extent, MAX_DOCUMENT)?),
            None => None,
        };
        match &info {
            Some(info) if info.version > info::VERSION => Err(BundleError::NewerFormat {
                path: path.to_owned(),
                version: info.version,
            }),
            _ => Ok(Self {
                catalog: Catalog::new(index.manifests.into_iter().map(BundleImage::of).collect()),
                info,
            }),
        }
    }

    pub(crate) fn into_bundle(self, path: &Path, place: Place) -> Bundle {
        Bundle {
            inner: Arc::new(Inner {
                path: Arc::from(path),
                place: Arc::new(place),
                catalog: self.catalog,
                info: self.info,
                refused: Arc::default(),
                graph: OnceLock::new(),
            }),
        }
    }
}

pub(crate) fn not_a_bundle(path: &Path, found: impl Into<String>) -> BundleError {
    BundleError::NotABundle {
        path: path.to_owned(),
        found: found.into(),
    }
}

pub(crate) fn folder_extent(root: &Path, name: &str) -> Result<Option<Extent>, BundleError> {
    let path = root.join(name);
    let file = folder::open(root, name)?;
    let extent = file.map(|file| Extent::whole(file, &path)).transpose();
    extent.map_err(BundleError::io("examine", &path))
}

pub(crate) fn read_all(extent: &Extent) -> Result<bytes::Bytes, BundleError> {
    let len = usize::try_from(extent.len).unwrap_or(usize::MAX);
    extent
        .read_at(0, len)
        .map_err(BundleError::io("read", &extent.path))
}

pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    entry: &str,
    extent: &Extent,
    limit: u64,
) -> Result<T, BundleError> {
    if extent.len > limit {
        return Err(BundleError::TooLarge {
            path: path.to_owned(),
            entry: entry.to_owned(),
            size: extent.len,
            limit,
        });
    }
    serde_json::from_slice(&read_all(extent)?).map_err(|source| BundleError::Json {
        path: path.to_owned(),
        entry: entry.to_owned(),
        source,
    })
}
