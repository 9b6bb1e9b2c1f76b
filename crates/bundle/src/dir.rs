//! Writes an OCI image layout as a directory (`pull -o dir`): each blob by temporary name, fsync and rename; the index
//! last and in one step, so that whoever looks sees whole images only. Blocking; the sink runs on the hash threads.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall_hash::{Hasher, Sink};
use landfall_oci::{Algorithm, Descriptor, Digest, Index, RawManifest, annotation};

use crate::{BundleError, Image, disk, documents, folder};

const CHUNK: u64 = 1 << 20;

/// A layout directory that is written to.
#[derive(Clone, Debug)]
pub struct LayoutDir {
    root: Arc<Path>,
    /// Numbers the temporary files.
    next: Arc<AtomicU64>,
}

/// A blob on its way into the directory. Dropped before [`NewBlob::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct NewBlob {
    file: Arc<File>,
    temporary: PathBuf,
    target: PathBuf,
    digest: Digest,
    size: u64,
    written: Arc<AtomicU64>,
    is_committed: bool,
}

/// Where the blob's bytes go.
#[derive(Debug)]
pub struct NewBlobSink {
    file: Arc<File>,
    path: PathBuf,
    digest: Digest,
    size: u64,
    written: Arc<AtomicU64>,
}

impl LayoutDir {
    /// Makes the directory a layout, or takes one that is there.
    ///
    /// # Errors
    /// [`BundleError::NotABundle`] when it holds other things; [`BundleError::Io`], [`BundleError::NoSpace`].
    pub fn open(root: &Path) -> Result<Self, BundleError> {
        let is_layout = root.join("oci-layout").exists();
        let is_used = std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
        if is_used && !is_layout {
            return Err(BundleError::NotABundle {
                path: root.to_owned(),
                found: "a directory with other things in it; choose an empty or a new one".to_owned(),
            });
        }
        // Only for sha256: readers may stumble over empty folders of what nobody uses.
        make_folder(&root.join("blobs").join(Algorithm::Sha256.as_str()))?;
        if !is_layout {
            disk::replace(&root.join("oci-layout"), documents::OCI_LAYOUT)?;
        }
        Ok(Self {
            root: Arc::from(root),
            next: Arc::default(),
        })
    }

    /// Whether the blob is there already: the size is compared, then every byte hashed. A wrong one counts as absent
    /// and is replaced by the next [`NewBlob::commit`].
    ///
    /// # Errors
    /// [`BundleError::Io`].
    pub fn has(&self, digest: &Digest, size: u64) -> Result<bool, BundleError> {
        let name = documents::blob_name(digest);
        let path = self.root.join(&name);
        let Some(file) = folder::open(&self.root, &name)? else {
            return Ok(false);
        };
        let stat = file.metadata().map_err(BundleError::io("examine", &path))?;
        if !stat.is_file() || stat.len() != size {
            return Ok(false);
        }
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; CHUNK as usize];
        let mut at = 0;
        while at < size {
            let len = usize::try_from(CHUNK.min(size - at)).unwrap_or(buffer.len());
            let piece = &mut buffer[..len];
            file.read_exact_at(piece, at)
                .map_err(BundleError::io("read", &path))?;
            hasher.update(piece);
            at += len as u64;
        }
        Ok(hasher.finish() == *digest)
    }

    /// Begins a blob. Give the sink to the hashing stream, compare the digest, then [`NewBlob::commit`].
    ///
    /// # Errors
    /// [`BundleError::NoSpace`], [`BundleError::FileTooLarge`], [`BundleError::Io`].
    pub fn blob(&self, digest: &Digest, size: u64) -> Result<(NewBlob, NewBlobSink), BundleError> {
        let target = self.root.join(documents::blob_name(digest));
        make_folder(disk::folder(&target))?;
        let (file, temporary) = temporary_file(&target, &self.next)?;
        let blob = NewBlob {
            file: Arc::new(file),
            temporary,
            target,
            digest: *digest,
            size,
            written: Arc::new(AtomicU64::new(0)),
            is_committed: false,
        };
        if size > 0 {
            disk::allocate(&blob.file, size, true)
                .map_err(|error| disk::write_error(error, &blob.file, &blob.target, size, size))?;
        }
        let sink = NewBlobSink {
            file: Arc::clone(&blob.file),
            path: blob.target.clone(),
            digest: *digest,
            size,
            written: Arc::clone(&blob.written),
        };
        Ok((blob, sink))
    }

    /// Stores a manifest's bytes.
    ///
    /// # Errors
    /// [`BundleError::NoSpace`], [`BundleError::Io`].
    pub fn manifest(&self, manifest: &RawManifest) -> Result<(), BundleError> {
        let size = manifest.bytes.len() as u64;
        if self.has(&manifest.digest, size)? {
            return Ok(());
        }
        let (blob, mut sink) = self.blob(&manifest.digest, size)?;
        sink.write(&manifest.bytes)
            .map_err(|error| disk::write_error(error, &blob.file, &blob.target, size, size))?;
        blob.commit()
    }

    /// Names the images in `index.json`, after all that they need is there. Entries of the same name are replaced,
    /// others kept.
    ///
    /// # Errors
    /// [`BundleError::Json`] when the index that is there cannot be read; [`BundleError::Locked`];
    /// [`BundleError::NoSpace`], [`BundleError::Io`].
    pub fn publish(&self, images: &[Image]) -> Result<(), BundleError> {
        // Two runs into one directory must not lose each other's names.
        let marker = self.root.join("oci-layout");
        let guard = File::open(&marker).map_err(BundleError::io("open", &marker))?;
        disk::lock(&guard, &marker)?;
        let mut entries = self.entries()?;
        for image in images {
            let name = image.reference.to_string();
            entries.retain(|entry| entry.annotations.get(annotation::REF_NAME) != Some(&name));
            entries.push(documents::named_descriptor(&name, &image.root));
        }
        let name_of = |entry: &Descriptor| entry.annotations.get(annotation::REF_NAME).cloned();
        entries.sort_by_key(|entry| (name_of(entry), entry.digest));
        let bytes = documents::encode_index(&entries)?;
        disk::replace(&self.root.join("index.json"), &bytes).map(|_| ())
    }

    fn entries(&self) -> Result<Vec<Descriptor>, BundleError> {
        let path = self.root.join("index.json");
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(BundleError::io("read", &path))?,
        };
        let index: Index = serde_json::from_slice(&bytes).map_err(|source| BundleError::Json {
            path: self.root.to_path_buf(),
            entry: "index.json".to_owned(),
            source,
        })?;
        Ok(index.manifests)
    }
}

impl NewBlob {
    /// Gives the blob its name, durably. The caller has compared the digest.
    ///
    /// # Errors
    /// [`BundleError::Incomplete`] when bytes are missing; [`BundleError::NoSpace`], [`BundleError::Io`].
    pub fn commit(mut self) -> Result<(), BundleError> {
        let written = self.written.load(Ordering::Acquire);
        if written != self.size {
            return Err(BundleError::Incomplete {
                path: self.target.clone(),
                what: format!("{} has {written} of {} bytes", self.digest, self.size),
            });
        }
        let synced = self.file.sync_all();
        synced.map_err(|error| disk::write_error(error, &self.file, &self.target, self.size, self.size))?;
        disk::rename(&self.temporary, &self.target)?;
        self.is_committed = true;
        disk::sync_folder(&self.target)
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.is_committed {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

impl Sink for NewBlobSink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let (at, len) = (self.written.load(Ordering::Acquire), chunk.len() as u64);
        if len > self.size - at {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{}: more than the {} bytes that its descriptor says",
                    self.digest, self.size
                ),
            ));
        }
        self.file.write_all_at(chunk, at).map_err(|error| {
            let kind = error.kind();
            let needed = self.size - at;
            io::Error::new(
                kind,
                disk::write_error(error, &self.file, &self.path, needed, self.size),
            )
        })?;
        self.written.store(at + len, Ordering::Release);
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<(), BundleError> {
    std::fs::create_dir_all(path).map_err(BundleError::io("create", path))
}

/// A new file beside the target, under a name that no reader takes for a blob.
fn temporary_file(target: &Path, next: &AtomicU64) -> Result<(File, PathBuf), BundleError> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let temporary = disk::beside(target, &format!(".tmp-{}-{number}", std::process::id()));
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .custom_flags(disk::nofollow())
            .open(&temporary);
        match opened {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(BundleError::io("create", &temporary)(error)),
        }
    }
}
