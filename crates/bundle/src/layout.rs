//! Pure planning: from what a bundle is to hold to every byte's place in it.
//!
//! All sizes are known from descriptors, so all offsets are known before the first layer moves: blobs can be written
//! in any order, by many tasks, each at once at its final place. No I/O here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use landfall_hash::Hasher;
use landfall_oci::{Algorithm, Digest, tar};

use crate::contents::Contents;
use crate::documents;
use crate::info::Info;
use crate::{BlobInfo, BundleError};

/// Two blocks of zeros end a tar.
const END: u64 = 2 * tar::BLOCK;

/// A piece of the finished file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub len: u64,
}

/// One entry of the tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Offset of its header (of the pax record before it, for a long name).
    pub header: u64,
    /// Where its content lies.
    pub content: Span,
    /// The content, where it is known already; `None` for what must be fetched.
    pub bytes: Option<Bytes>,
}

/// Every entry's place in a bundle that need not exist yet.
#[derive(Clone, Debug)]
pub struct Layout {
    entries: Vec<Entry>,
    by_digest: BTreeMap<Digest, usize>,
    total: u64,
    fingerprint: Digest,
}

impl Layout {
    /// Plans a bundle.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when the contents contradict themselves: a manifest or blob that is referred to
    /// but not there, two sizes for one digest, one name for two images, more bytes than 64 bits can count.
    pub fn plan(contents: &Contents) -> Result<Self, BundleError> {
        check(contents)?;
        let info = Info::of(contents)?;
        let mut builder = Builder::default();
        builder.add("oci-layout", documents::OCI_LAYOUT.to_vec().into())?;
        builder.add("index.json", documents::index_json(&contents.images)?.into())?;
        builder.add("manifest.json", documents::docker_manifest_json(contents)?.into())?;
        builder.add("landfall.json", documents::encode("landfall.json", &info)?.into())?;
        let (configs, layers): (Vec<_>, Vec<_>) = contents.blobs.iter().partition(|(_, info)| info.is_config);
        let mut front: BTreeMap<Digest, Result<Bytes, BlobInfo>> = BTreeMap::new();
        front.extend(configs.into_iter().map(|(digest, info)| (*digest, Err(*info))));
        let manifests = contents.manifests.iter();
        front.extend(manifests.map(|(digest, manifest)| (*digest, Ok(manifest.bytes.clone()))));
        for (digest, content) in front {
            match content {
                Ok(bytes) => builder.add_blob(digest, bytes.len() as u64, Some(bytes))?,
                Err(info) => builder.add_blob(digest, info.size, None)?,
            }
        }
        for (digest, info) in layers {
            // The same bytes may be a manifest here and a layer there; they are kept once.
            if !contents.manifests.contains_key(digest) {
                builder.add_blob(*digest, info.size, None)?;
            }
        }
        builder.finish()
    }

    /// The entries in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Length of the finished file in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Where the content of a manifest, config or layer lies.
    #[must_use]
    pub fn extent_of(&self, digest: &Digest) -> Option<Span> {
        Some(self.entries[*self.by_digest.get(digest)?].content)
    }

    /// Configs and layers, which are not at hand, in the order of the file.
    pub fn to_fetch(&self) -> impl Iterator<Item = (Digest, Span)> {
        let mut blobs: Vec<_> = self
            .by_digest
            .iter()
            .filter(|(_, at)| self.entries[**at].bytes.is_none())
            .map(|(digest, at)| (*digest, self.entries[*at].content))
            .collect();
        blobs.sort_by_key(|(digest, span)| (span.offset, *digest));
        blobs.into_iter()
    }

    /// A digest of the layout: two layouts with the same one describe the same file, byte for byte.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Whether the file at `path` is what this plan would make, as far as that shows without hashing its blobs: the
    /// length, and every byte that is known beforehand. Blocking.
    ///
    /// # Errors
    /// [`BundleError::Io`] when the file cannot be read; one that is not there is just not it.
    pub fn is_at(&self, path: &Path) -> Result<bool, BundleError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(BundleError::io("open", path))?,
        };
        let about = file.metadata().map_err(BundleError::io("examine", path))?;
        if !about.is_file() || about.len() != self.total {
            return Ok(false);
        }
        for (offset, known) in self.pieces() {
            let mut found = vec![0; known.len()];
            file.read_exact_at(&mut found, offset)
                .map_err(BundleError::io("read", path))?;
            if found != known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The known bytes as runs to be written: padding of the entry before, header, content where known, and the end
    /// marker. Together with the fetched blobs they cover every byte of the file.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let mut position = 0;
        let ends = std::iter::once(None);
        self.entries.iter().map(Some).chain(ends).map(move |entry| {
            let start = position;
            let Some(entry) = entry else {
                return (start, vec![0; usize::try_from(self.total - start).unwrap_or(0)]);
            };
            let padding = usize::try_from(entry.header - start).unwrap_or(0);
            let mut bytes = vec![0; padding];
            bytes.extend_from_slice(&tar::encode(&entry.name, entry.content.len));
            bytes.extend_from_slice(entry.bytes.as_deref().unwrap_or_default());
            position = entry.content.offset + entry.content.len;
            (start, bytes)
        })
    }
}

/// Refuses contents that would make a bundle with holes nobody declared.
fn check(contents: &Contents) -> Result<(), BundleError> {
    for image in &contents.images {
        let size = contents
            .manifests
            .get(&image.root.digest)
            .map(|root| root.bytes.len() as u64);
        if size != Some(image.root.size) {
            return Err(BundleError::inconsistent(format!(
                "the manifest {} of {} is not at hand with its {} bytes",
                image.root.digest, image.reference, image.root.size
            )));
        }
    }
    for (digest, manifest) in &contents.manifests {
        let view = manifest
            .view()
            .map_err(|source| BundleError::inconsistent(format!("manifest {digest}: {source}")))?;
        for blob in view.blobs() {
            let size = match contents.manifests.get(&blob.digest) {
                Some(manifest) => Some(manifest.bytes.len() as u64),
                None => contents.blobs.get(&blob.digest).map(|info| info.size),
            };
            if size.is_some_and(|size| size != blob.size) || size.is_none() && !blob.is_foreign() {
                return Err(BundleError::inconsistent(format!(
                    "{digest} needs {} of {} bytes, which is {}",
                    blob.digest,
                    blob.size,
                    size.map_or_else(|| "not planned".to_owned(), |size| format!("planned with {size}"))
                )));
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Builder {
    entries: Vec<Entry>,
    by_digest: BTreeMap<Digest, usize>,
    position: u64,
}

impl Builder {
    fn add(&mut self, name: &str, bytes: Bytes) -> Result<(), BundleError> {
        self.push(name.to_owned(), bytes.len() as u64, Some(bytes))
    }

    fn add_blob(&mut self, digest: Digest, size: u64, bytes: Option<Bytes>) -> Result<(), BundleError> {
        self.by_digest.insert(digest, self.entries.len());
        self.push(documents::blob_name(&digest), size, bytes)
    }

    fn push(&mut self, name: String, len: u64, bytes: Option<Bytes>) -> Result<(), BundleError> {
        let too_large = || BundleError::inconsistent(format!("`{name}` of {len} bytes is beyond any file"));
        // Files end at 2^63; staying below also keeps the padding from overflowing.
        let limit = i64::MAX as u64 - END - tar::BLOCK;
        let header = self.position;
        let offset = header + tar::encoded_len(&name);
        let end = offset
            .checked_add(len)
            .filter(|end| *end <= limit)
            .ok_or_else(too_large)?;
        self.position = tar::padded(end);
        self.entries.push(Entry {
            name,
            header,
            content: Span { offset, len },
            bytes,
        });
        Ok(())
    }

    fn finish(self) -> Result<Layout, BundleError> {
        let mut layout = Layout {
            total: self.position + END,
            entries: self.entries,
            by_digest: self.by_digest,
            fingerprint: Digest::Sha256([0; 32]),
        };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (offset, bytes) in layout.pieces() {
            hasher.update(&offset.to_le_bytes());
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
        layout.fingerprint = hasher.finish();
        Ok(layout)
    }
}
