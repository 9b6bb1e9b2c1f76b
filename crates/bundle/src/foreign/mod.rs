//! One door for whatever holds images on a disk: what Docker, podman, skopeo, crane, K3s, RKE2, hangar and hauler write.
//!
//! What can be read in place is: plain OCI layouts, zip archives whose entries are stored, folders. The rest (compressed
//! archives, layers that have to be compressed again) is unpacked once into a file without a name, which is gone as soon
//! as nobody uses it ([`spool`]). What comes out is a [`Bundle`] like any other.

mod docker;
mod docker_v1;
mod hangar;
mod hauler;
mod input;
mod intake;
mod kinds;
mod oci;
mod parts;
mod pieces;
mod skopeo;
mod spool;
mod stream;
mod zip;

use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_codec::Compression;
use landfall_oci::{Digest, Platform};

use self::input::Input;
use self::intake::{Intake, Keep};
use self::spool::Spool;
use crate::reader::{Documents, Place, not_a_bundle};
use crate::{Bundle, BundleError, Span, sniff, walk};

/// Where and how archives are unpacked.
#[derive(Clone)]
pub struct Workshop {
    /// The folder for temporary files. Nothing is left in it.
    pub folder: PathBuf,
    /// Threads that compress layers.
    pub threads: NonZeroUsize,
    /// Told how far the reading of an archive is.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

/// How far an archive has been read, in bytes of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Read so far.
    pub read: u64,
    /// All of it.
    pub of: u64,
}

impl Workshop {
    /// Unpacks in this folder, on as many threads as there are processors.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            progress: None,
        }
    }

    /// Unpacks where programs of this kind do: archives of images are too large for many a `/tmp`.
    #[must_use]
    pub fn usual() -> Self {
        let large = Path::new("/var/tmp");
        Self::new(if large.is_dir() {
            large.to_owned()
        } else {
            std::env::temp_dir()
        })
    }

    fn tell(&self, progress: Progress) {
        if let Some(listener) = &self.progress {
            listener(progress);
        }
    }
}

impl fmt::Debug for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workshop")
            .field("folder", &self.folder)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// What can be said of an archive without unpacking it.
#[derive(Clone, Debug)]
pub enum Look {
    /// All of it: it is read in place, or has its manifests. Its layers may not be at hand.
    Bundle(Bundle),
    /// A docker-archive: its manifests are made when it is opened.
    Docker(Vec<Looked>),
}

/// One image of a docker-archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Its names as they are written; none for an image without.
    pub names: Vec<String>,
    /// What identifies it: the digest of its config.
    pub config: Digest,
    /// What it runs on.
    pub platform: Platform,
    /// Its layers.
    pub layers: usize,
    /// Their bytes as they are in the archive.
    pub bytes: u64,
}

/// Opens whatever holds images at this path. Blocking; an archive that has to be unpacked takes its time, and as much
/// room in the workshop's folder as its images will have.
///
/// # Errors
/// [`BundleError`]: not there, no images in it (and what it is instead), cut, damaged, hostile; no room.
pub fn open(path: &Path, workshop: &Workshop) -> Result<Bundle, BundleError> {
    let bundle = match find(path)? {
        Found::Bundle(bundle) => bundle,
        Found::Archive(input) => {
            // Layers shrink, as a rule to less than half; what is compressed already does not.
            let needed = match input.compression {
                // To look costs little here, and what is refused is refused before anything is written.
                Compression::None => {
                    kinds::check(documents(input.again(path)?, path, workshop)?)?;
                    input.len / 4
                }
                _ => input.len,
            };
            let spool = Spool::on_disk(workshop, needed)?;
            let intake = Intake::of(input.read(workshop), path, workshop, spool, Keep::All)?;
            kinds::bundle(intake)?
        }
    };
    Ok(hauler::named(bundle))
}

/// As [`open`], but unpacks no layer: for those who only want to know what is there. Blocking; a compressed archive is
/// read to its end all the same.
///
/// # Errors
/// As [`open`].
pub fn look(path: &Path, workshop: &Workshop) -> Result<Look, BundleError> {
    let look = match find(path)? {
        Found::Bundle(bundle) => Look::Bundle(bundle),
        Found::Archive(input) => kinds::look(documents(input, path, workshop)?)?,
    };
    Ok(match look {
        Look::Bundle(bundle) => Look::Bundle(hauler::named(bundle)),
        docker => docker,
    })
}

fn documents<'a>(input: Input, path: &'a Path, workshop: &'a Workshop) -> Result<Intake<'a>, BundleError> {
    Intake::of(
        input.read(workshop),
        path,
        workshop,
        Spool::in_memory()?,
        Keep::Documents,
    )
}

/// What lies at a path.
enum Found {
    /// Read in place.
    Bundle(Bundle),
    /// To be unpacked.
    Archive(Input),
}

fn find(path: &Path) -> Result<Found, BundleError> {
    let stat = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BundleError::NotFound {
            path: path.to_owned(),
        },
        _ => BundleError::io("examine", path)(error),
    })?;
    if stat.is_dir() {
        return folder(path).map(Found::Bundle);
    }
    if !stat.is_file() {
        return Err(not_a_bundle(path, "neither a file nor a directory"));
    }
    let files = parts::open(path)?;
    let Some(first) = files.first() else {
        return Err(not_a_bundle(path, "the file is empty"));
    };
    match sniff::check(first, path) {
        Err(BundleError::Compressed { kind: sniff::ZIP, .. }) => {
            return zipped(files, path).map(Found::Bundle);
        }
        Err(BundleError::Compressed {
            kind: sniff::SEVEN_ZIP,
            ..
        }) => {
            return Err(not_a_bundle(path, "a 7-zip file; unpack it first"));
        }
        Err(BundleError::Compressed { .. }) => {}
        Err(error) => return Err(error),
        Ok(()) if files.len() > 1 => {}
        Ok(()) => match Bundle::open(path) {
            Err(BundleError::DockerArchive { .. }) => {}
            Err(BundleError::NotABundle { .. }) if parts::begins(first) => {}
            Ok(bundle) if bundle.images().is_empty() => {}
            done => return done.map(Found::Bundle),
        },
    }
    Input::new(files, path).map(Found::Archive)
}

fn folder(path: &Path) -> Result<Bundle, BundleError> {
    let has = |name: &str| path.join(name).symlink_metadata().is_ok();
    if has("index.json") {
        return Bundle::open(path);
    }
    if has("docker/registry/v2") || has("landfall-store") {
        return Err(not_a_bundle(
            path,
            "the storage of a registry; `landfall serve` reads it, then copy from there",
        ));
    }
    match skopeo::bundle(path)? {
        Some(bundle) => Ok(bundle),
        None => Bundle::open(path),
    }
}

fn zipped(mut files: Vec<File>, path: &Path) -> Result<Bundle, BundleError> {
    let file = Arc::new(files.swap_remove(0));
    let entries = zip::read(&file, path)?;
    if let Some(bundle) = hangar::bundle(&file, path, &entries)? {
        return Ok(bundle);
    }
    let shared: Arc<Path> = Arc::from(path);
    let documents = Documents::read(path, |name| {
        Ok(entries.get(name).map(|span| span.of(&file, &shared)))
    })?;
    let blob = |(name, span): (&String, &Span)| Some((walk::blob_digest(name)?, *span));
    let blobs = entries.iter().filter_map(blob).collect();
    let place = Place::File {
        file: Arc::clone(&file),
        path: shared,
        blobs,
    };
    Ok(documents.into_bundle(path, place))
}
