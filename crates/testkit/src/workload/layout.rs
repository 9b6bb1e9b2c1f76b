//! Writing a workload as an OCI image layout: a folder with `oci-layout`, `index.json` and `blobs/`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use landfall_oci::{Digest, annotation};
use serde_json::json;

use super::{Content, Workload};

impl Workload {
    /// Writes the layout; every image gets its full Docker Hub reference as name.
    pub fn write_layout(&self, folder: &Path) {
        self.try_write_layout(folder)
            .unwrap_or_else(|error| panic!("cannot write the layout {}: {error}", folder.display()));
    }

    fn try_write_layout(&self, folder: &Path) -> io::Result<()> {
        let place = |digest: &Digest| {
            folder
                .join("blobs")
                .join(digest.algorithm().as_str())
                .join(digest.hex())
        };
        for manifest in self.manifests.values() {
            put(&place(&manifest.digest), &manifest.bytes.clone().into())?;
        }
        for (digest, content) in &self.blobs {
            put(&place(digest), content)?;
        }
        let mut entries = Vec::new();
        for image in &self.images {
            let mut entry = self.manifests[&image.root].descriptor();
            let name = image.hub_reference().to_string();
            for key in [annotation::REF_NAME, annotation::CONTAINERD_NAME] {
                entry.annotations.insert(key.to_owned(), name.clone());
            }
            entries.push(entry);
        }
        let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries});
        fs::write(folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        fs::write(folder.join("index.json"), index.to_string())
    }
}

/// Writes content to a path: a hard link where it is a file already and the file system allows it.
pub(super) fn put(path: &Path, content: &Content) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if let Content::File { path: source, .. } = content
        && fs::hard_link(source, path).is_ok()
    {
        return Ok(());
    }
    io::copy(&mut content.reader(0)?, &mut File::create(path)?)?;
    Ok(())
}
