//! Referrers that clients kept under a tag of their own are shown by the endpoint.

use std::sync::Arc;

use landfall_oci::{Descriptor, Digest, RawManifest};
use landfall_server::{Registry, RegistryOptions};
use landfall_store::{Overlay, Store, suite};
use serde_json::{Value, json};

use crate::client::{Scene, directory};

const SIGNATURE: &str = "application/x.sig";
const SBOM: &str = "application/x.sbom";

/// An artifact without a subject: only a fallback tag says what it is about.
fn artifact(number: usize, artifact_type: &str) -> RawManifest {
    let config = suite::blob("{}");
    suite::raw(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": artifact_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.0, "size": 2},
        "layers": [],
        "annotations": {"number": number.to_string()},
    }))
}

fn index(members: &[Value]) -> RawManifest {
    suite::raw(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": members,
    }))
}

/// Only what a descriptor must say.
fn bare(manifest: &RawManifest) -> Value {
    json!({"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len()})
}

fn tag_of(subject: &Digest) -> String {
    subject.to_string().replace(':', "-")
}

async fn push(scene: &Scene, name: &str, manifests: &[RawManifest]) {
    scene.push_blob(name, &suite::blob("{}").1).await;
    for manifest in manifests {
        let path = manifest.digest.to_string();
        scene.put_manifest(name, &path, manifest).await.expect(201);
    }
}

/// Follows the links; what each page held, in order.
async fn pages(scene: &Scene, path: &str) -> Vec<Vec<Descriptor>> {
    let mut path = path.to_owned();
    let mut pages = Vec::new();
    loop {
        let page = scene.get(&path).await;
        page.expect(200);
        pages.push(serde_json::from_value(page.json()["manifests"].clone()).unwrap());
        assert!(pages.len() < 100, "it ends");
        match page.header("link").strip_prefix('<') {
            Some(link) => path = link.split_once('>').unwrap().0.to_owned(),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn what_the_tag_lists_is_shown_once_with_type_and_annotations() {
    let scene = Scene::new().await;
    let (signature, sbom) = (artifact(1, SIGNATURE), artifact(2, SBOM));
    let absent = artifact(3, SIGNATURE);
    let image = artifact(4, "application/x.image");
    push(&scene, "a", &[signature.clone(), sbom.clone(), image.clone()]).await;
    // One that the store knows too.
    let known = suite::image(&[suite::blob("{}")], Some(&image), Some(SIGNATURE));
    push(&scene, "a", std::slice::from_ref(&known)).await;
    let members = [&signature, &sbom, &absent, &known, &signature].map(bare);
    let fallback = index(&members);
    let path = format!("/v2/a/referrers/{}", image.digest);
    assert_eq!(pages(&scene, &path).await.concat().len(), 1);
    scene
        .put_manifest("a", &tag_of(&image.digest), &fallback)
        .await
        .expect(201);

    let found = pages(&scene, &path).await.concat();
    let mut expected = [&signature, &sbom, &known].map(|manifest| manifest.digest.to_string());
    expected.sort();
    let digests: Vec<String> = found.iter().map(|found| found.digest.to_string()).collect();
    assert_eq!(digests, expected);
    let of = |manifest: &RawManifest| {
        found
            .iter()
            .find(|found| found.digest == manifest.digest)
            .unwrap()
    };
    assert_eq!(of(&signature).artifact_type.as_deref(), Some(SIGNATURE));
    assert_eq!(of(&signature).annotations["number"], "1");
    assert_eq!(of(&sbom).size, sbom.bytes.len() as u64);

    let filtered = scene.get(&format!("{path}?artifactType={SBOM}")).await;
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    let filtered: Vec<Descriptor> = serde_json::from_value(filtered.json()["manifests"].clone()).unwrap();
    assert_eq!(
        filtered.iter().map(|found| found.digest).collect::<Vec<_>>(),
        [sbom.digest]
    );

    // Nobody else's.
    let other = scene.get(&format!("/v2/a/referrers/{}", sbom.digest)).await;
    assert_eq!(other.json()["manifests"], json!([]));
    // A member that is deleted is not shown although the tag lists it.
    scene
        .delete(&format!("/v2/a/manifests/{}", sbom.digest))
        .await
        .expect(202);
    assert_eq!(pages(&scene, &path).await.concat().len(), 2);
}

#[tokio::test]
async fn what_the_index_says_itself_is_believed_except_what_the_store_knows_better() {
    let scene = Scene::new().await;
    let signature = artifact(1, SIGNATURE);
    push(&scene, "a", std::slice::from_ref(&signature)).await;
    let subject = Digest::Sha256([7; 32]);
    let mut member = bare(&signature);
    member["artifactType"] = json!("application/x.other");
    member["annotations"] = json!({"said": "so"});
    member["size"] = json!(1);
    scene
        .put_manifest("a", &tag_of(&subject), &index(&[member]))
        .await
        .expect(201);
    let found = pages(&scene, &format!("/v2/a/referrers/{subject}"))
        .await
        .concat();
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/x.other"));
    assert_eq!(found[0].annotations["said"], "so");
    assert_eq!(found[0].size, signature.bytes.len() as u64);
}

#[tokio::test]
async fn pages_hold_everything_once_whoever_knows_it() {
    let scene = Scene::new().await;
    let subject = artifact(0, "application/x.image");
    let mut all = vec![subject.clone()];
    let mut members = Vec::new();
    for number in 1..=30 {
        let kind = if number % 3 == 0 { SBOM } else { SIGNATURE };
        if number % 2 == 0 {
            let manifest = artifact(number, kind);
            members.push(bare(&manifest));
            all.push(manifest);
        } else {
            let blobs = [suite::blob("{}"), suite::blob(format!("layer {number}"))];
            scene.push_blob("a", &blobs[1].1).await;
            all.push(suite::image(&blobs, Some(&subject), Some(kind)));
        }
    }
    push(&scene, "a", &all).await;
    scene
        .put_manifest("a", &tag_of(&subject.digest), &index(&members))
        .await
        .expect(201);
    for (filter, count) in [("", 30), (SBOM, 10)] {
        for n in [1, 4, 7, 30, 1000] {
            let path = format!("/v2/a/referrers/{}?n={n}&artifactType={filter}", subject.digest);
            let pages = pages(&scene, &path).await;
            assert!(pages.iter().all(|page| page.len() <= n));
            let digests: Vec<String> = pages
                .concat()
                .iter()
                .map(|found| found.digest.to_string())
                .collect();
            assert_eq!(digests.len(), count, "{filter} {n}");
            assert!(digests.is_sorted_by(|a, b| a < b));
        }
    }
}

#[tokio::test]
async fn a_tag_that_is_no_index_changes_nothing() {
    let scene = Scene::new().await;
    let image = artifact(1, SIGNATURE);
    push(&scene, "a", std::slice::from_ref(&image)).await;
    scene
        .put_manifest("a", &tag_of(&image.digest), &image)
        .await
        .expect(201);
    let found = scene.get(&format!("/v2/a/referrers/{}", image.digest)).await;
    assert_eq!(found.json()["manifests"], json!([]));
}

#[tokio::test]
async fn a_layer_below_brings_its_tags_along() {
    let below = Scene::new().await;
    let (subject, signature) = (Digest::Sha512([9; 64]), artifact(1, SIGNATURE));
    push(&below, "quay.io/a", std::slice::from_ref(&signature)).await;
    let tag = &tag_of(&subject)[..7 + 64];
    below
        .put_manifest("quay.io/a", tag, &index(&[bare(&signature)]))
        .await
        .expect(201);
    let root = tempfile::tempdir().unwrap();
    let upper: Arc<dyn Store> = Arc::new(directory(root.path()).await);
    let lower = Arc::new(suite::Frozen(Arc::clone(&below.store)));
    let store: Arc<dyn Store> = Arc::new(Overlay::new(vec![upper, lower]).unwrap());
    let scene = Scene {
        registry: Arc::new(Registry::new(Arc::clone(&store), RegistryOptions::default())),
        store,
        root,
    };
    let blobs = [suite::blob("{}"), suite::blob("above")];
    for (_, content) in &blobs {
        scene.push_blob("quay.io/a", content).await;
    }
    let mut above: Value = serde_json::from_slice(&suite::image(&blobs, None, Some(SBOM)).bytes).unwrap();
    above["subject"] =
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1});
    let above = suite::raw(&above);
    scene.put_manifest("quay.io/a", "sbom", &above).await.expect(201);
    let answer = scene.get(&format!("/v2/a/referrers/{subject}?ns=quay.io")).await;
    assert_eq!(answer.header("oci-namespace"), "quay.io");
    let found: Vec<Descriptor> = serde_json::from_value(answer.json()["manifests"].clone()).unwrap();
    let mut expected = [signature.digest.to_string(), above.digest.to_string()];
    expected.sort();
    assert_eq!(
        found
            .iter()
            .map(|found| found.digest.to_string())
            .collect::<Vec<_>>(),
        expected
    );
}
