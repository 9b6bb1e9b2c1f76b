//! What is done with a data set: pushed, listed, pulled, asked for what refers to it, deleted.

use bytes::Bytes;
use http::Method;
use landfall_oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::data::Data;
use super::{INDEX, REPO, Stand, blob_path, expect_blob, manifest_path};
use crate::client::Scene;

/// All of it.
pub(super) async fn run_in(stand: &Stand, data: &Data) {
    push(stand, data).await;
    list(stand, data).await;
    pull(stand, data).await;
    referrers(stand, data).await;
    delete(stand, data).await;
    // What was there before still is.
    list(stand, &Data::default()).await;
    pull(stand, &stand.below).await;
}

/// Blobs in each of the ways in turn, manifests by digest, then tags.
pub(super) async fn push(stand: &Scene, data: &Data) {
    for (position, (digest, content)) in data.blobs.iter().enumerate() {
        match position % 3 {
            0 => {
                let path = format!("/v2/{REPO}/blobs/uploads/?digest={digest}");
                stand
                    .send(Method::POST, &path, &[], content.clone())
                    .await
                    .expect(201);
            }
            1 => {
                let location = super::begin(stand).await;
                stand
                    .chunked(Method::PATCH, &location, &[], content.clone())
                    .await
                    .expect(202);
                let path = format!("{location}?digest={digest}");
                stand
                    .send(Method::PUT, &path, &[], Bytes::new())
                    .await
                    .expect(201);
            }
            _ => {
                stand.push_blob_as(REPO, content, data.algorithm()).await;
            }
        }
    }
    for manifest in &data.manifests {
        let done = stand
            .put_manifest(REPO, &manifest.digest.to_string(), manifest)
            .await;
        done.expect(201);
        assert_eq!(done.header("docker-content-digest"), manifest.digest.to_string());
        let subject = manifest
            .view()
            .unwrap()
            .subject()
            .map(|subject| subject.digest.to_string());
        assert_eq!(done.header("oci-subject"), subject.unwrap_or_default());
        assert_eq!(stand.get(done.header("location")).await.body, manifest.bytes);
    }
    // A tag of another algorithm than sha256 needs the tag parameter.
    if data.algorithm() == Algorithm::Sha256 {
        for (tag, digest) in &data.tags {
            let manifest = data.manifest_of(digest);
            let done = stand.put_manifest(REPO, tag, manifest).await;
            done.expect(201);
            assert_eq!(done.header("docker-content-digest"), digest.to_string());
        }
    }
}

/// The list holds these tags, those of the layer below, and no others; `last` cuts it anywhere.
pub(super) async fn list(stand: &Stand, data: &Data) {
    let below = stand.below.tags.iter();
    let mut tags: Vec<&str> = data
        .tags
        .iter()
        .chain(below)
        .map(|(tag, _)| tag.as_str())
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let path = format!("/v2/{REPO}/tags/list");
    let all = stand.get(&path).await;
    if tags.is_empty() {
        assert!(matches!(all.status.as_u16(), 200 | 404), "{all:?}");
        return;
    }
    all.expect(200);
    assert_eq!(all.json(), json!({"name": REPO, "tags": tags}));
    assert_eq!(
        stand.head(&path).await.header("content-length"),
        all.body.len().to_string()
    );
    for (position, tag) in tags.iter().enumerate() {
        let rest = stand.get(&format!("{path}?last={tag}")).await.json();
        assert_eq!(rest["tags"], json!(tags[position + 1..]));
    }
}

/// Every manifest by tag and digest, every blob: the exact bytes and headers.
pub(super) async fn pull(scene: &Scene, data: &Data) {
    let by_tag = data.tags.iter().map(|(tag, digest)| (tag.clone(), *digest));
    let by_digest = data
        .manifests
        .iter()
        .map(|found| (found.digest.to_string(), found.digest));
    for (reference, digest) in by_tag.chain(by_digest) {
        let manifest = data.manifest_of(&digest);
        let path = manifest_path(reference);
        let oci = [
            ("accept", INDEX),
            ("accept", "application/vnd.oci.image.manifest.v1+json"),
        ];
        let get = scene.send(Method::GET, &path, &oci, "").await;
        for answer in [&get, &scene.head(&path).await] {
            answer.expect(200);
            assert_eq!(answer.header("content-type"), manifest.media_type.as_str());
            assert_eq!(answer.header("content-length"), manifest.bytes.len().to_string());
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
            assert_eq!(answer.header("etag"), format!("\"{digest}\""));
        }
        assert_eq!(get.body, manifest.bytes);
    }
    for (digest, content) in &data.blobs {
        expect_blob(scene, &blob_path(digest), digest, content).await;
        let head = scene.head(&blob_path(digest)).await;
        head.expect(200);
        assert_eq!(head.header("content-length"), content.len().to_string());
        assert_eq!(head.header("docker-content-digest"), digest.to_string());
    }
}

/// What is about each subject, whole and by type; nothing else is among it.
pub(super) async fn referrers(scene: &Scene, data: &Data) {
    for subject in data.referrers.iter().map(|referrer| referrer.subject) {
        let expected = |kind: Option<&str>| {
            let of_subject = data.referrers.iter().filter(|found| found.subject == subject);
            let mut wanted: Vec<_> = of_subject
                .filter(|found| kind.is_none() || found.kind() == kind)
                .collect();
            wanted.sort_by_key(|found| found.digest());
            Value::from_iter(wanted.into_iter().map(|found| found.descriptor.clone()))
        };
        let path = format!("/v2/{REPO}/referrers/{subject}");
        let all = scene.get(&path).await;
        all.expect(200);
        assert_eq!(all.header("content-type"), INDEX);
        assert_eq!(all.header("oci-filters-applied"), "");
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": expected(None)});
        assert_eq!(all.json(), index);
        assert_eq!(
            scene.head(&path).await.header("content-length"),
            all.body.len().to_string()
        );
        for kind in data.referrers.iter().filter_map(|referrer| referrer.kind()) {
            // As Go's client encodes it, and as others do not.
            for text in [kind.replace('+', "%2B"), kind.to_owned()] {
                let some = scene.get(&format!("{path}?artifactType={text}")).await;
                assert_eq!(some.header("oci-filters-applied"), "artifactType");
                assert_eq!(some.json()["manifests"], expected(Some(kind)));
            }
        }
        let none = scene
            .get(&format!("{path}?artifactType=application/x.none"))
            .await;
        none.expect(200);
        assert_eq!(none.json()["manifests"], json!([]));
        assert_eq!(none.header("oci-filters-applied"), "artifactType");
    }
}

/// Tags, then manifests in reverse, then blobs; each is gone at once.
pub(super) async fn delete(scene: &Scene, data: &Data) {
    let gone = async |path: String, code: &str| {
        scene.delete(&path).await.expect(202);
        scene.head(&path).await.expect(404);
        scene.get(&path).await.expect_error(404, code);
        scene.delete(&path).await.expect_error(404, code);
    };
    for (tag, _) in &data.tags {
        gone(manifest_path(tag), "MANIFEST_UNKNOWN").await;
    }
    for manifest in data.manifests.iter().rev() {
        gone(manifest_path(manifest.digest), "MANIFEST_UNKNOWN").await;
    }
    for (digest, _) in &data.blobs {
        gone(blob_path(digest), "BLOB_UNKNOWN").await;
    }
    let subjects: Vec<Digest> = data.referrers.iter().map(|referrer| referrer.subject).collect();
    for subject in subjects {
        let none = scene.get(&format!("/v2/{REPO}/referrers/{subject}")).await;
        assert_eq!(none.json()["manifests"], json!([]));
    }
}
