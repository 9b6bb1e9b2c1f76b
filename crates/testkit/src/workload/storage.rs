//! Laying a workload down as the storage of a docker-registry (distribution 2.x, driver `filesystem`): the same
//! files that pushing would leave, without the pushing.
//!
//! ```text
//! docker/registry/v2/blobs/sha256/ab/abcd…/data
//! docker/registry/v2/repositories/NAME/_layers/sha256/HEX/link
//! docker/registry/v2/repositories/NAME/_manifests/revisions/sha256/HEX/link
//! docker/registry/v2/repositories/NAME/_manifests/tags/TAG/{current/link,index/sha256/HEX/link}
//! ```

use std::fs;
use std::io;
use std::path::Path;

use landfall_oci::Digest;

use super::layout::put;
use super::{Content, Image, Workload};

impl Workload {
    /// Writes the storage tree below a docker-registry's root folder.
    pub fn write_registry_storage(&self, root: &Path) {
        let base = root.join("docker/registry/v2");
        let written = self.write_data(&base).and_then(|()| {
            let mut images = self.images.iter();
            images.try_for_each(|image| self.write_links(&base, image))
        });
        written.unwrap_or_else(|error| panic!("cannot write the storage {}: {error}", root.display()));
    }

    fn write_data(&self, base: &Path) -> io::Result<()> {
        let place = |digest: &Digest| {
            let hex = digest.hex();
            base.join("blobs")
                .join(digest.algorithm().as_str())
                .join(&hex[..2])
                .join(&hex)
                .join("data")
        };
        for manifest in self.manifests.values() {
            put(&place(&manifest.digest), &Content::from(manifest.bytes.clone()))?;
        }
        self.blobs
            .iter()
            .try_for_each(|(digest, content)| put(&place(digest), content))
    }

    fn write_links(&self, base: &Path, image: &Image) -> io::Result<()> {
        let repository = base.join("repositories").join(image.repository.as_str());
        for manifest in self.closure(image.root) {
            link(&repository.join("_manifests/revisions"), &manifest.digest)?;
        }
        for blob in self.blobs_of(image.root) {
            link(&repository.join("_layers"), &blob)?;
        }
        let tag = repository.join("_manifests/tags").join(image.tag.as_str());
        link(&tag.join("index"), &image.root)?;
        write_link(&tag.join("current"), &image.root)
    }
}

fn link(folder: &Path, digest: &Digest) -> io::Result<()> {
    write_link(
        &folder.join(digest.algorithm().as_str()).join(digest.hex()),
        digest,
    )
}

fn write_link(folder: &Path, digest: &Digest) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("link"), digest.to_string())
}
