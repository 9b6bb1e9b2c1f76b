//! The JSON documents: what Docker, containerd and we ourselves read.

use landfall_bundle::{Bundle, Layout, Missing};
use landfall_oci::{MediaType, annotation};
use serde_json::{Value, json};

use crate::support::{World, noise, scratch, world};

fn document(layout: &Layout, name: &str) -> Value {
    let entry = layout.entries().iter().find(|entry| entry.name == name).unwrap();
    serde_json::from_slice(entry.bytes.as_ref().unwrap()).unwrap()
}

#[test]
fn docker_gets_one_platform_per_name() {
    let mut world = world();
    let digest_only = world.images[1].root.digest;
    let other = world.image("linux/s390x", &[noise(7, 10)]);
    world.name(&format!("example.org/pinned@{}", other.digest), &other);
    let list = document(&world.layout(), "manifest.json");
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3);
    // Sorted by name; the index gives its linux/amd64 member though arm64 stands first.
    assert_eq!(list[0]["RepoTags"], json!(["docker.io/library/busybox:1.36"]));
    let amd = world.image("linux/amd64", &[noise(1, 5000), noise(2, 3000)]);
    let landfall_oci::View::Image(manifest) = amd.view().unwrap() else {
        panic!()
    };
    let blob = |digest: &landfall_oci::Digest| format!("blobs/sha256/{}", digest.hex());
    assert_eq!(list[0]["Config"], blob(&manifest.config.digest));
    assert_eq!(
        list[0]["Layers"],
        json!([blob(&manifest.layers[0].digest), blob(&manifest.layers[1].digest)])
    );
    // Two names of one image are one entry; a name with a digest alone has no tag.
    assert_eq!(
        list[1]["RepoTags"],
        json!(["docker.io/rancher/tool:1", "quay.io/team/app:v2"])
    );
    assert_eq!(list[2]["RepoTags"], Value::Null);
    assert_ne!(digest_only, other.digest);
}

#[test]
fn docker_gets_no_artifacts_and_nothing_with_holes() {
    let mut world = World::default();
    let chart = world.blob(
        "application/vnd.cncf.helm.config.v1+json".into(),
        b"{}".to_vec(),
        true,
    );
    let layer = world.blob(
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip".into(),
        noise(1, 9),
        false,
    );
    let chart = world.manifest(json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": chart, "layers": [layer],
    }));
    world.name("example.org/charts/x:1.0.0", &chart);
    let config = world.blob(MediaType::DOCKER_CONFIG, b"{ }".to_vec(), true);
    let foreign = world.blob(MediaType::DOCKER_FOREIGN_LAYER, noise(2, 9), false);
    let windows = world.manifest(json!({
        "schemaVersion": 2, "mediaType": MediaType::DOCKER_MANIFEST, "config": config, "layers": [foreign],
    }));
    world.blobs.remove(&foreign.digest);
    world.name("example.org/windows:1", &windows);
    let layout = world.layout();
    assert_eq!(document(&layout, "manifest.json"), json!([]));
    assert_eq!(
        document(&layout, "index.json")["manifests"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn an_index_names_every_image_twice() {
    let index = document(&world().layout(), "index.json");
    let names: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let name = |key: &str| entry["annotations"][key].as_str().unwrap().to_owned();
            assert_eq!(name(annotation::REF_NAME), name(annotation::CONTAINERD_NAME));
            name(annotation::REF_NAME)
        })
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/library/busybox:1.36",
            "docker.io/rancher/tool:1",
            "quay.io/team/app:v2"
        ]
    );
}

#[test]
fn what_was_asked_left_out_and_missing_is_written_down() {
    let mut world = world();
    let arm = world.image("linux/arm64", &[noise(3, 2500)]);
    let landfall_oci::View::Image(manifest) = arm.view().unwrap() else {
        panic!()
    };
    world.manifests.remove(&arm.digest);
    world.blobs.remove(&manifest.config.digest);
    world.blobs.remove(&manifest.layers[0].digest);
    let signature = world.manifest(json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
        "subject": world.images[1].root,
    }));
    let mut contents = world.contents();
    contents.missing.push(Missing {
        asked: "gone:1".to_owned(),
        reference: Some("gone:1".parse().unwrap()),
        reason: "no such tag".to_owned(),
    });
    let layout = Layout::plan(&contents).unwrap();
    let dir = scratch();
    let path = dir.path().join("b.tar");
    let (writer, _) = landfall_bundle::Writer::open(&path, layout).unwrap();
    world.fill(&writer);
    writer.finish().unwrap();
    let bundle = Bundle::open(&path).unwrap();
    let info = bundle.info().unwrap();
    assert_eq!(info.version, 1);
    assert_eq!(info.images.len(), 3);
    assert_eq!(info.images[0].name, "docker.io/library/busybox:1.36");
    assert_eq!(info.images[0].omitted.len(), 1);
    assert_eq!(info.images[0].omitted[0].platform.as_deref(), Some("linux/arm64"));
    assert_eq!(info.missing[0].name.as_deref(), Some("docker.io/library/gone:1"));
    assert_eq!(info.referrers[0].digest, signature.digest);
    // The sparse index itself is as its registry gave it.
    let root = &world.images[0].root;
    assert_eq!(
        bundle.manifest(&root.digest).unwrap().bytes,
        world.manifests[&root.digest].bytes
    );
    let subject = world.images[1].root.digest;
    let referrers = bundle.referrers(&subject);
    assert_eq!((referrers.len(), referrers[0].digest), (1, signature.digest));
    assert!(bundle.referrers(&signature.digest).is_empty());
}
