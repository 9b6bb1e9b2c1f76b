//! Archives that other programs write, built here byte for byte as they build them.

mod docker;
mod hostile;
mod others;
mod zips;

use std::io::Write;
use std::path::{Path, PathBuf};

use landfall_bundle::foreign::{self, Workshop};
use landfall_bundle::{Bundle, BundleError};
use landfall_oci::{Algorithm, Digest, tar};
use serde_json::{Value, json};

use crate::support::scratch;

/// A tar with links.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    pub(crate) fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.bytes.extend(tar::encode(name, bytes.len() as u64));
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn json(self, name: &str, value: &Value) -> Self {
        self.file(name, value.to_string().as_bytes())
    }

    pub(crate) fn folder(mut self, name: &str) -> Self {
        self.bytes.extend(tar::encode_directory(name));
        self
    }

    pub(crate) fn link(mut self, kind: ::tar::EntryType, name: &str, target: &str) -> Self {
        let mut header = ::tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(0);
        let field = &mut header.as_old_mut().linkname;
        field[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.link(::tar::EntryType::Symlink, name, target)
    }

    /// Without the end marker, to go on by hand.
    pub(crate) fn open_end(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn done(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    landfall_hash::digest(Algorithm::Sha256, bytes)
}

/// A layer: a tar of one file.
pub(crate) fn layer(name: &str, bytes: &[u8]) -> Vec<u8> {
    Archive::default().file(name, bytes).done()
}

/// A config of these layers.
pub(crate) fn config(architecture: &str, layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<_> = layers.iter().map(|layer| sha256(layer)).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": ids},
    });
    config.to_string().into_bytes()
}

/// A place with an archive in it and a spool folder, which has to be empty at the end.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = scratch();
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        Self { folder }
    }

    pub(crate) fn workshop(&self) -> Workshop {
        Workshop::new(self.folder.path().join("spool"))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Bundle, BundleError> {
        let opened = foreign::open(path, &self.workshop());
        let left = std::fs::read_dir(self.folder.path().join("spool"))
            .unwrap()
            .count();
        assert_eq!(left, 0, "something was left in the spool");
        opened
    }

    pub(crate) fn open_bytes(&self, bytes: &[u8]) -> Result<Bundle, BundleError> {
        self.open(&self.write("archive", bytes))
    }
}

/// Every image by name with its root, sorted.
pub(crate) fn images(bundle: &Bundle) -> Vec<(String, Digest)> {
    let name = |image: &landfall_bundle::BundleImage| match &image.reference {
        Some(reference) => reference.to_string(),
        None => image.name.clone(),
    };
    let mut all: Vec<_> = bundle
        .images()
        .iter()
        .map(|image| (name(image), image.root.digest))
        .collect();
    all.sort();
    all
}

pub(crate) fn names(bundle: &Bundle) -> Vec<String> {
    images(bundle).into_iter().map(|(name, _)| name).collect()
}

/// Reads every blob and compares it with its name, and every image with what it needs.
pub(crate) fn assert_whole(bundle: &Bundle) {
    for (digest, size) in bundle.blobs() {
        let extent = bundle.blob(&digest).unwrap();
        assert_eq!(extent.len, size);
        let bytes = extent.read_at(0, usize::try_from(size).unwrap()).unwrap();
        assert_eq!(landfall_hash::digest(digest.algorithm(), &bytes), digest);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = landfall_hash::HashService::new(std::num::NonZeroUsize::MIN);
    let report = runtime
        .block_on(landfall_bundle::verify(bundle, &service, |_| {}))
        .unwrap();
    assert_eq!(report.findings, []);
}

/// What is in a blob.
pub(crate) fn bytes(bundle: &Bundle, digest: &Digest) -> Vec<u8> {
    let extent = bundle.blob(digest).unwrap();
    extent
        .read_at(0, usize::try_from(extent.len).unwrap())
        .unwrap()
        .to_vec()
}
