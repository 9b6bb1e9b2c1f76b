//! A bundle keeps the promise of every store: the suite that the directory and the overlay pass.

use std::collections::BTreeMap;

use landfall_bundle::{BlobInfo, Bundle, BundleStore, Contents, Image, Layout, Writer};
use landfall_hash::Sink;
use landfall_oci::{Reference, Target};
use landfall_store::suite::{self, Held};

use crate::support::scratch;

/// The suite's samples below a host, as a bundle shows images of hosts other than Docker Hub.
fn samples() -> Vec<Held> {
    let below = |held: Held| Held {
        repository: suite::repository(&format!("r.example/{}", held.repository)),
        ..held
    };
    suite::samples().into_iter().map(below).collect()
}

fn bundle_of(held: &[Held]) -> (tempfile::TempDir, BundleStore) {
    let mut contents = Contents::default();
    let mut bytes = BTreeMap::new();
    for held in held {
        let path = held.repository.as_str().trim_start_matches("r.example/");
        let target = Target::Tag(held.tag.clone());
        let name = Reference::new("r.example".parse().unwrap(), path.parse().unwrap(), target);
        contents.images.push(Image {
            asked: name.familiar(),
            source: name.to_string(),
            reference: name,
            root: held.manifest.descriptor(),
            platforms: Vec::new(),
        });
        contents
            .manifests
            .insert(held.manifest.digest, held.manifest.clone());
        for (position, (digest, blob)) in held.blobs.iter().enumerate() {
            let info = BlobInfo {
                size: blob.len() as u64,
                is_config: position == 0,
            };
            contents.blobs.insert(*digest, info);
            bytes.insert(*digest, blob.clone());
        }
    }
    let folder = scratch();
    let path = folder.path().join("bundle.tar");
    let (writer, _) = Writer::open(&path, Layout::plan(&contents).unwrap()).unwrap();
    for pending in writer.pending() {
        let mut sink = writer.sink(&pending.digest, 0).unwrap();
        sink.write(&bytes[&pending.digest]).unwrap();
        writer.complete(&pending.digest).unwrap();
    }
    writer.finish().unwrap();
    (folder, BundleStore::new(Bundle::open(&path).unwrap()))
}

#[tokio::test]
async fn a_bundle_passes_the_suite() {
    let held = samples();
    let (_folder, store) = bundle_of(&held);
    suite::reading(&store, &held).await;
    for image in &held {
        suite::read_only(&store, image).await;
    }
}
