//! One door for whatever holds images on a disk: what Docker, podman, skopeo, crane, K3s, RKE2, hangar and hauler write.
//!
//! What can be read in place is: plain OCI layouts, zip archives whose entries are stored, folders. The rest (compressed
//! archives, layers that have to be compressed again) is unpacked once into a file without a name, which is gone as soon
//! as nobody uses it ([`spool`]). What comes out is a [`Bundle`] like any other.

mod docker;
mod docker_v1;
mod input;
mod intake;
mod oci;
mod spool;
mod stream;

use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_codec::Compression;

use self::input::Input;
use self::intake::{Intake, Keep};
use self::spool::Spool;
use crate::reader::not_a_bundle;
use crate::{Bundle, BundleError, sniff};

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

/// Opens whatever holds images at this path. Blocking; an archive that has to be unpacked takes its time and as much
/// room in the workshop's folder as its images will have.
///
/// # Errors
/// [`BundleError`]: not there, no images in it (and what it is instead), cut, damaged, hostile; no room.
pub fn open(path: &Path, workshop: &Workshop) -> Result<Bundle, BundleError> {
    let stat = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BundleError::NotFound {
            path: path.to_owned(),
        },
        _ => BundleError::io("examine", path)(error),
    })?;
    if stat.is_dir() {
        return Bundle::open(path);
    }
    if !stat.is_file() {
        return Err(not_a_bundle(path, "neither a file nor a directory"));
    }
    open_file(path, workshop)
}

fn open_file(path: &Path, workshop: &Workshop) -> Result<Bundle, BundleError> {
    let file = File::open(path).map_err(BundleError::io("open", path))?;
    match sniff::check(&file, path) {
        Err(BundleError::Compressed { .. }) => {}
        Err(error) => return Err(error),
        Ok(()) => match Bundle::open(path) {
            Err(BundleError::DockerArchive { .. }) => {}
            done => return done,
        },
    }
    let input = Input::new(vec![file], path)?;
    // Layers shrink, as a rule to less than half; what is compressed already does not.
    let needed = match input.compression {
        Compression::None => input.len / 4,
        _ => input.len,
    };
    let spool = Spool::on_disk(workshop, needed)?;
    let intake = Intake::of(input.read(workshop), path, workshop, spool, Keep::All)?;
    bundle(intake)
}

/// Makes a bundle of whatever was taken in.
fn bundle(intake: Intake<'_>) -> Result<Bundle, BundleError> {
    let has = |name| intake.find(name).is_some();
    let is_legacy = has("manifest.json") || has("repositories");
    let is_made_up = has("repositories") && has("manifest.json") && !has("landfall.json");
    match (has("index.json"), is_legacy) {
        (true, _) if !is_made_up => oci::bundle(intake, "index.json"),
        (_, true) if has("manifest.json") => docker::bundle(intake),
        (_, true) => docker_v1::bundle(intake),
        _ => Err(not_a_bundle(
            intake.path,
            "there is neither an index.json nor a manifest.json in it",
        )),
    }
}
