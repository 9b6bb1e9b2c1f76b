//! A bundle of a data set, as `save` writes it.

use std::path::Path;

use landfall_bundle::{BlobInfo, Bundle, BundleStore, Contents, Image, Layout, Writer};
use landfall_hash::Sink as _;
use landfall_oci::{Reference, Target};

use super::data::Data;

pub(super) fn write(data: &Data, repository: &str, path: &Path) -> BundleStore {
    let mut contents = Contents::default();
    for (tag, digest) in &data.tags {
        let target = Target::Tag(tag.parse().unwrap());
        let name = Reference::new("docker.io".parse().unwrap(), repository.parse().unwrap(), target);
        contents.images.push(Image {
            asked: name.familiar(),
            source: name.to_string(),
            reference: name,
            root: data.manifest_of(digest).descriptor(),
            platforms: Vec::new(),
        });
    }
    for manifest in &data.manifests {
        contents.manifests.insert(manifest.digest, manifest.clone());
    }
    for (digest, content) in &data.blobs {
        let size = content.len() as u64;
        contents.blobs.insert(
            *digest,
            BlobInfo {
                size,
                is_config: false,
            },
        );
    }
    let (writer, _) = Writer::open(path, Layout::plan(&contents).unwrap()).unwrap();
    for pending in writer.pending() {
        let (_, content) = data
            .blobs
            .iter()
            .find(|(digest, _)| *digest == pending.digest)
            .unwrap();
        let mut sink = writer.sink(&pending.digest, 0).unwrap();
        sink.write(content).unwrap();
        writer.complete(&pending.digest).unwrap();
    }
    writer.finish().unwrap();
    BundleStore::new(Bundle::open(path).unwrap())
}
