//! Case 8: what `rancher-load-images` is given, whatever it is compressed with and whatever it is called.

use std::num::NonZeroUsize;

use landfall_oci::{Digest, View, tar};
use landfall_testkit::{FakeRegistry, Workload};
use serde_json::{Value, json};

use super::{NAMES, load, saved, tags, upstream};
use crate::place::Place;

const TARGETS: [&str; 3] = ["quay.io/x/y:3", "rancher/a:1", "rancher/b:2"];

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = Vec::new();
    landfall_codec::gzip::compress(plain, &mut gzip, NonZeroUsize::MIN).unwrap();
    gzip
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        bytes.extend(tar::encode(name, content.len() as u64));
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// What `docker save` writes of one image under all the names.
fn docker_archive() -> Vec<u8> {
    let text = b"the layer";
    let layer = archive(&[("x".to_owned(), text.to_vec())]);
    let diff_id = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &layer);
    let config =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}});
    let list = json!([{"Config": "c.json", "RepoTags": NAMES, "Layers": ["l/layer.tar"]}]);
    archive(&[
        ("l/layer.tar".to_owned(), layer),
        ("c.json".to_owned(), config.to_string().into_bytes()),
        ("manifest.json".to_owned(), list.to_string().into_bytes()),
    ])
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What `docker save` writes with the containerd store: an OCI layout, and the docker-archive's list beside it.
fn oci_in_docker_archive() -> (Vec<u8>, Digest) {
    let workload = Workload::hello("rancher/a:1", "hello");
    let root = workload.images[0].root;
    let manifests = workload.manifests.values();
    let mut files: Vec<_> = manifests
        .map(|manifest| (blob(&manifest.digest), manifest.bytes.to_vec()))
        .collect();
    for (digest, content) in &workload.blobs {
        files.push((blob(digest), content.bytes().to_vec()));
    }
    let image = workload
        .closure(root)
        .into_iter()
        .find_map(|manifest| match manifest.view() {
            Ok(View::Image(image)) => Some(image),
            _ => None,
        });
    let image = image.unwrap();
    let layers: Vec<_> = image.layers.iter().map(|layer| blob(&layer.digest)).collect();
    let list = json!([{"Config": blob(&image.config.digest), "RepoTags": NAMES, "Layers": layers}]);
    let named = |name: &str| -> Value {
        let full = match name {
            "b:2" => "docker.io/library/b:2".to_owned(),
            name if name.starts_with("quay.io") => name.to_owned(),
            name => format!("docker.io/{name}"),
        };
        let tag = name.rsplit_once(':').unwrap().1;
        let mut entry = serde_json::to_value(workload.manifests[&root].descriptor()).unwrap();
        entry["annotations"] =
            json!({"io.containerd.image.name": full, "org.opencontainers.image.ref.name": tag});
        entry
    };
    let index = json!({"schemaVersion": 2, "manifests": NAMES.map(named)});
    for (name, text) in [
        ("index.json", index.to_string()),
        ("manifest.json", list.to_string()),
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string()),
    ] {
        files.push((name.to_owned(), text.into_bytes()));
    }
    (archive(&files), root)
}

#[test]
fn archives_are_told_by_their_content() {
    let source = upstream(&NAMES);
    let place = saved(&source, &NAMES);
    let ours = place.read("rancher-images.tar.gz");
    let (oci, root) = oci_in_docker_archive();
    for (kind, plain) in [("ours", ours), ("docker", docker_archive()), ("oci", oci)] {
        let zstd = zstd::encode_all(&plain[..], 3).unwrap();
        for (packed, bytes) in [("gzip", gzip(&plain)), ("zstd", zstd), ("plain", plain)] {
            // The name says gzip each time.
            place.scratch.write("rancher-images.tar.gz", bytes);
            let target = FakeRegistry::empty();
            load(&place, &target, &[]).ok();
            assert_eq!(tags(&target), TARGETS, "{kind} {packed}");
            if kind == "oci" {
                assert_eq!(target.tags()["rancher/a:1"], root);
            }
        }
    }
}

#[test]
fn what_is_no_archive_pushes_nothing() {
    let place = Place::new();
    place.scratch.write("rancher-images.txt", NAMES.join("\n"));
    let whole = gzip(&docker_archive());
    for bytes in [&whole[..whole.len() / 2], b"no archive", b""] {
        place.scratch.write("rancher-images.tar.gz", bytes);
        let target = FakeRegistry::empty();
        let outcome = load(&place, &target, &[]);
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        assert!(tags(&target).is_empty(), "nothing half-pushed");
    }
    std::fs::remove_file(place.path("rancher-images.tar.gz")).unwrap();
    assert_ne!(load(&place, &FakeRegistry::empty(), &[]).code(), Some(0));
}
