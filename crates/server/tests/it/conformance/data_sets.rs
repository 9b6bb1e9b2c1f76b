//! The table of data sets: each is pushed, listed, pulled, asked about and deleted, on every stand that takes pushes,
//! and read from a bundle.

use bytes::Bytes;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Descriptor, MediaType, RawManifest};
use serde_json::{Value, json};

use super::data::Data;
use super::steps::{list, pull, referrers, run_in};
use super::{ALGORITHMS, REPO, Stand, manifest_path, sparse_stands, stands};

const ONE: &str = "application/vnd.example.one+json";
const TWO: &str = "application/vnd.example.two";

fn sets() -> Vec<(&'static str, Data)> {
    vec![
        ("image", image()),
        ("image of a large manifest", large()),
        ("no layers", no_layers()),
        ("custom fields", custom_fields()),
        ("index", index()),
        ("nested index", nested_index()),
        ("empty index", empty_index()),
        ("artifact", artifact()),
        ("artifact without layers", artifact_without_layers()),
        ("artifact index", artifact_index()),
        ("artifacts with a subject", artifacts_with_subject()),
        ("index with a subject", index_with_subject()),
        ("missing subject", missing_subject()),
        ("data field", data_field()),
        ("layers that stay elsewhere", foreign_layers()),
    ]
}

fn image() -> Data {
    let mut data = Data::default();
    let image = data.image(1, 2, json!({}));
    data.tag("image", &image);
    // Uncompressed, and a second tag for the same.
    let layer = data.blob(
        MediaType::new("application/vnd.oci.image.layer.v1.tar"),
        Bytes::from("tar"),
    );
    let config = data.blob(MediaType::OCI_CONFIG, Bytes::from("{\"plain\":1}"));
    let plain = data.manifest(&json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [layer],
    }));
    data.tag("image-uncompressed", &plain);
    data.tag("image_uncompressed.again-1", &plain);
    data
}

fn large() -> Data {
    let mut data = Data::default();
    let annotations: serde_json::Map<String, Value> = (0..390)
        .map(|n| (format!("large-annotation-{n}"), json!("A".repeat(10_000))))
        .collect();
    let large = data.image(4, 1, json!({"annotations": annotations}));
    assert!(large.bytes.len() > 3_900_000);
    data.tag("large-manifest", &large);
    data
}

fn no_layers() -> Data {
    let mut data = Data::default();
    let bare = data.image(3, 0, json!({}));
    data.tag("no-layers", &bare);
    data
}

fn custom_fields() -> Data {
    let mut data = Data::default();
    let odd = json!({"org.example.unknown": {"deep": [1, 2, null]}});
    let member = data.image(2, 1, odd.clone());
    let index = data.index(&[member], odd);
    data.tag("custom-fields", &index);
    data
}

fn index() -> Data {
    let mut data = Data::default();
    let members = [data.image(5, 1, json!({})), data.image(6, 2, json!({}))];
    let index = data.index(&members, json!({}));
    data.tag("index", &index);
    data
}

fn nested_index() -> Data {
    let mut data = index();
    let inner = data.manifests.last().unwrap().clone();
    let other = data.image(7, 1, json!({}));
    let other = data.index(&[other], json!({}));
    let outer = data.index(&[inner, other], json!({}));
    data.tag("index-of-index", &outer);
    data
}

fn empty_index() -> Data {
    let mut data = Data::default();
    let empty = data.index(&[], json!({"annotations": {"empty": "yes"}}));
    data.tag("empty-index", &empty);
    data
}

fn artifact() -> Data {
    let mut data = Data::default();
    let artifact = data.artifact(8, ONE, json!({}));
    data.tag("artifact", &artifact);
    data
}

fn artifact_without_layers() -> Data {
    let mut data = Data::default();
    let artifact = data.artifact(0, ONE, json!({}));
    data.tag("artifact-without-layers", &artifact);
    data
}

fn artifact_index() -> Data {
    let mut data = Data::default();
    let members = [
        data.artifact(9, ONE, json!({})),
        data.artifact(10, ONE, json!({})),
    ];
    let index = data.index(&members, json!({"artifactType": ONE}));
    data.tag("artifact-index", &index);
    data
}

fn artifacts_with_subject() -> Data {
    let mut data = Data::default();
    let image = data.image(11, 1, json!({}));
    data.tag("subject", &image);
    let subject = image.descriptor();
    // An image about an image: its config's type is its type.
    let plain = data.image(12, 1, json!({"subject": subject}));
    data.refers(&image.digest, &plain);
    for (n, kind) in [(13, ONE), (14, TWO)] {
        let notes = json!({"subject": subject, "annotations": {"org.example": "hello", "n": n.to_string()}});
        let artifact = data.artifact(n, kind, notes);
        data.tag(&format!("tagged-artifact-{n}"), &artifact);
        data.refers(&image.digest, &artifact);
    }
    // About something that is about something.
    let first = data.manifests[2].clone();
    let deeper = data.artifact(15, TWO, json!({"subject": first.descriptor()}));
    data.tag("about-artifact", &deeper);
    data.refers(&first.digest, &deeper);
    data
}

fn index_with_subject() -> Data {
    let mut data = index();
    let subject = data.manifests.last().unwrap().clone();
    let member = data.artifact(16, ONE, json!({}));
    let typed = json!({
        "subject": subject.descriptor(), "artifactType": ONE, "annotations": {"org.example": "index"},
    });
    let typed = data.index(std::slice::from_ref(&member), typed);
    data.tag("tagged-artifact-index", &typed);
    data.refers(&subject.digest, &typed);
    // An index that says no type has none.
    let untyped = data.index(&[member], json!({"subject": subject.descriptor()}));
    data.tag("untyped-index", &untyped);
    data.refers(&subject.digest, &untyped);
    data
}

fn missing_subject() -> Data {
    let mut data = Data::default();
    let missing = digest(Algorithm::Sha256, b"missing content");
    let missing = Descriptor::new(MediaType::OCI_MANIFEST, missing, 123);
    let lost = data.artifact(17, ONE, json!({"subject": missing}));
    data.tag("tagged-artifact", &lost);
    data.refers(&missing.digest, &lost);
    data
}

fn data_field() -> Data {
    let mut data = Data::default();
    let mut config = data.empty();
    config["data"] = json!("e30=");
    let image = data.manifest(&json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [config],
    }));
    data.tag("data-field", &image);
    data
}

fn foreign_layers() -> Data {
    let mut data = Data::default();
    let config = data.blob(MediaType::OCI_CONFIG, Bytes::from("{}"));
    let mut layers: Vec<Value> = ["tar+gzip", "tar"]
        .iter()
        .map(|kind| {
            let media_type = format!("application/vnd.oci.image.layer.nondistributable.v1.{kind}");
            let digest = digest(Algorithm::Sha256, kind.as_bytes());
            json!({
                "mediaType": media_type, "digest": digest, "size": 123_456,
                "urls": [format!("https://store.example.com/blobs/{digest}")],
            })
        })
        .collect();
    layers.push(data.blob(MediaType::OCI_LAYER, Bytes::from("here")));
    let image = data.manifest(&json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
    }));
    data.tag("non-distributable-image", &image);
    data
}

#[tokio::test]
async fn each_is_pushed_read_and_deleted() {
    for (name, data) in sets() {
        for stand in stands().await {
            eprintln!("{name}");
            run_in(&stand, &data).await;
        }
    }
}

/// All together, so that nothing is found which belongs to another.
#[tokio::test]
async fn all_in_one_repository() {
    for stand in stands().await {
        for (name, data) in sets() {
            eprintln!("{name}");
            super::steps::push(&stand, &data).await;
        }
        for (name, data) in sets() {
            eprintln!("{name}");
            pull(&stand, &data).await;
            referrers(&stand, &data).await;
        }
    }
}

#[tokio::test]
async fn each_is_read_from_a_bundle() {
    for (name, data) in sets() {
        eprintln!("{name}");
        let stand = Stand::bundle(data.clone());
        list(&stand, &data).await;
        pull(&stand, &data).await;
        referrers(&stand, &data).await;
    }
}

/// The suite never says beforehand which digest will come.
#[tokio::test]
async fn trees_of_every_algorithm() {
    for algorithm in ALGORITHMS {
        for stand in stands().await {
            let mut data = Data::by(algorithm);
            let one = data.image(21, 2, json!({}));
            let index = data.index(&[one], json!({}));
            let artifact = data.artifact(22, ONE, json!({"subject": index.descriptor()}));
            data.refers(&index.digest, &artifact);
            run_in(&stand, &data).await;
        }
    }
}

/// On purpose only: an image without one of its layers, an index without one of its members.
#[tokio::test]
async fn what_is_there_in_part() {
    let mut data = Data::default();
    let one = data.image(15, 2, json!({}));
    let absent = RawManifest {
        media_type: MediaType::OCI_MANIFEST,
        digest: digest(Algorithm::Sha256, b"no such manifest"),
        bytes: Bytes::from(vec![b' '; 1024]),
    };
    let index = data.index(&[one.clone(), absent], json!({}));
    data.tag("sparse-image", &one);
    data.tag("sparse-index", &index);
    let (missing, _) = data.blobs.remove(1);
    for strict in stands().await {
        // An image must be whole; an index is fine without what nobody has fetched.
        for (_, content) in &data.blobs {
            strict.push_blob(REPO, content).await;
        }
        let refused = strict.put_manifest(REPO, "sparse", &one).await;
        refused.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
        assert_eq!(refused.json()["errors"][0]["detail"]["digest"], json!(missing));
        strict.head(&manifest_path("sparse")).await.expect(404);
        strict.head(&manifest_path(one.digest)).await.expect(404);
        strict
            .put_manifest(REPO, "sparse-index", &index)
            .await
            .expect(201);
    }
    for lenient in sparse_stands().await {
        run_in(&lenient, &data).await;
    }
}
