//! The plan: offsets, order, refusal of what does not fit together; and the file that comes of it, read by others.

use std::collections::BTreeMap;
use std::io::Read;

use landfall_bundle::{BundleError, Contents, Layout};
use landfall_oci::{Algorithm, Digest, MediaType};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{World, noise, scratch, world};

fn random_world() -> impl Strategy<Value = World> {
    let layer = (0_u64..40, 0_usize..2000, any::<bool>());
    let image = proptest::collection::vec(layer, 0..5);
    proptest::collection::vec(image, 0..5).prop_map(|images| {
        let mut world = World::default();
        for (number, layers) in images.into_iter().enumerate() {
            let config = json!({"n": number}).to_string().into_bytes();
            let config = world.blob(MediaType::OCI_CONFIG, config, true);
            let blob = |(seed, len, is_long): (u64, usize, bool)| {
                let algorithm = if is_long {
                    Algorithm::Sha512
                } else {
                    Algorithm::Sha256
                };
                world.blob_by(algorithm, MediaType::OCI_LAYER, noise(seed, len), false)
            };
            let layers: Vec<_> = layers.into_iter().map(blob).collect();
            let manifest = world.manifest(json!({
                "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
            }));
            world.name(&format!("example.org/image-{number}:1"), &manifest);
        }
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_has_one_place(world in random_world()) {
        let layout = world.layout();
        let mut position = 0;
        for entry in layout.entries() {
            prop_assert_eq!(entry.header, position);
            prop_assert_eq!(entry.header % 512, 0);
            prop_assert_eq!(entry.content.offset % 512, 0);
            prop_assert!(entry.content.offset > entry.header);
            position = (entry.content.offset + entry.content.len).next_multiple_of(512);
        }
        prop_assert_eq!(layout.total(), position + 1024);
        for digest in world.blobs.keys().chain(world.manifests.keys()) {
            let span = layout.extent_of(digest).unwrap();
            let entry = layout.entries().iter().find(|entry| entry.content == span && entry.name.contains(&digest.hex()));
            prop_assert!(entry.is_some());
        }
    }

    #[test]
    fn another_tar_reader_finds_every_file(world in random_world()) {
        let dir = scratch();
        let path = world.write(&dir.path().join("b.tar"));
        prop_assert_eq!(std::fs::read(&path).unwrap(), world.expected());
        let mut archive = tar::Archive::new(std::fs::File::open(&path).unwrap());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let header = entry.header();
            let plain = (header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap());
            prop_assert_eq!(plain, (0, 0, 0o644));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            prop_assert!(found.insert(name, bytes).is_none());
        }
        let blobs = world.blobs.iter().map(|(digest, (bytes, _))| (digest, bytes.as_slice()));
        let manifests = world.manifests.iter().map(|(digest, manifest)| (digest, &manifest.bytes[..]));
        for (digest, bytes) in blobs.chain(manifests) {
            let name = format!("blobs/{}/{}", digest.algorithm(), digest.hex());
            let there = found.remove(&name);
            prop_assert_eq!(there.as_deref(), Some(bytes));
        }
        prop_assert_eq!(found.into_keys().collect::<Vec<_>>(), ["index.json", "landfall.json", "manifest.json", "oci-layout"]);
    }
}

#[test]
fn documents_first_then_manifests_and_configs_then_layers() {
    let world = world();
    let layout = world.layout();
    let names: Vec<_> = layout.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names[..4],
        ["oci-layout", "index.json", "manifest.json", "landfall.json"]
    );
    let name = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let (configs, layers): (Vec<_>, Vec<_>) = world.blobs.iter().partition(|(_, (_, is_config))| *is_config);
    let mut front: Vec<_> = configs.iter().map(|(digest, _)| name(digest)).collect();
    front.extend(world.manifests.keys().map(name));
    front.sort();
    let layers: Vec<_> = layers.iter().map(|(digest, _)| name(digest)).collect();
    assert_eq!(names[4..4 + front.len()], front);
    assert_eq!(names[4 + front.len()..], layers);
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let mut turned = world();
    turned.images.reverse();
    let repeated = turned.images[0].clone();
    turned.images.push(repeated);
    assert_eq!(turned.expected(), world().expected());
    assert_eq!(turned.layout().fingerprint(), world().layout().fingerprint());
    turned.images[0].asked.push('!');
    assert_ne!(turned.layout().fingerprint(), world().layout().fingerprint());
}

fn refusal(contents: &Contents) -> String {
    match Layout::plan(contents) {
        Err(error @ BundleError::Inconsistent { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_contradicts_itself_is_not_planned() {
    let good = world().contents();
    let layer = *good.blobs.iter().find(|(_, info)| !info.is_config).unwrap().0;

    let mut contents = good.clone();
    contents.blobs.remove(&layer);
    assert!(refusal(&contents).contains("not planned"));

    let mut contents = good.clone();
    contents.blobs.get_mut(&layer).unwrap().size += 1;
    assert!(refusal(&contents).contains("planned with"));

    let mut contents = good.clone();
    contents.manifests.clear();
    assert!(refusal(&contents).contains("not at hand"));

    let mut contents = good.clone();
    let (first, second) = (
        contents.images[0].root.clone(),
        contents.images[1].reference.clone(),
    );
    contents.images.push(landfall_bundle::Image {
        reference: second,
        root: first,
        ..contents.images[0].clone()
    });
    assert!(refusal(&contents).contains("stands for both"));

    let mut contents = good.clone();
    let index = contents.images[0].root.digest;
    contents
        .manifests
        .retain(|digest, manifest| *digest == index || manifest.digest == contents.images[1].root.digest);
    assert!(refusal(&contents).contains("no member of the index"));
}

#[test]
fn sizes_beyond_any_file_are_refused_not_wrapped() {
    let mut contents = Contents::default();
    for (byte, size) in [(1, u64::MAX / 2), (2, u64::MAX / 2), (3, u64::MAX)] {
        let info = landfall_bundle::BlobInfo {
            size,
            is_config: false,
        };
        contents.blobs.insert(Digest::Sha256([byte; 32]), info);
        assert!(refusal(&contents).contains("beyond any file"));
    }
}

#[test]
fn gathering_takes_the_blobs_from_the_manifests() {
    let world = world();
    let gathered =
        Contents::gather(world.images.clone(), world.manifests.clone(), Vec::new(), false).unwrap();
    assert_eq!(gathered, world.contents());
}

#[test]
fn foreign_layers_may_stay_out() {
    let mut world = World::default();
    let config = world.blob(MediaType::DOCKER_CONFIG, b"{}".to_vec(), true);
    let mut foreign = world.blob(MediaType::DOCKER_FOREIGN_LAYER, noise(1, 100), false);
    foreign.urls = vec!["https://example.org/layer".to_owned()];
    let manifest = world.manifest(json!({
        "schemaVersion": 2, "mediaType": MediaType::DOCKER_MANIFEST, "config": config, "layers": [foreign],
    }));
    world.name("example.org/windows:1", &manifest);
    let gather = |foreign| {
        Contents::gather(world.images.clone(), world.manifests.clone(), Vec::new(), foreign).unwrap()
    };
    assert_eq!((gather(false).blobs.len(), gather(true).blobs.len()), (1, 2));
    assert!(Layout::plan(&gather(false)).is_ok() && Layout::plan(&gather(true)).is_ok());
}
