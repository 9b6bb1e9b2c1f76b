//! Manifests: what is taken and what is not, tags as parameters, the limit of their size.

use bytes::Bytes;
use http::Method;
use landfall_hash::digest;
use landfall_oci::{Algorithm, MAX_MANIFEST_BYTES, MediaType, RawManifest};
use serde_json::{Value, json};

use super::data::Data;
use super::steps::{delete, list, pull, push};
use super::{ALGORITHMS, REPO, Stand, manifest_path, stands};

#[tokio::test]
async fn tags_as_parameters() {
    for algorithm in ALGORITHMS {
        for stand in stands().await {
            let mut data = Data::by(algorithm);
            let one = data.image(13, 1, json!({}));
            let index = data.index(&[one], json!({}));
            push(&stand, &data).await;
            let tags: Vec<String> = (0..12).map(|n| format!("tag-param-{n:02}")).collect();
            let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
            // One of them twice: it is one tag.
            let path = format!("{}?{}&{}", index.digest, query.join("&"), query[0]);
            let done = stand.put_manifest(REPO, &path, &index).await;
            done.expect(201);
            let told = done.headers.get_all("oci-tag").iter();
            let told: Vec<&str> = told.map(|tag| tag.to_str().unwrap()).collect();
            assert_eq!(told, tags);
            assert_eq!(done.header("docker-content-digest"), index.digest.to_string());
            for tag in &tags {
                data.tag(tag, &index);
            }
            list(&stand, &data).await;
            pull(&stand, &data).await;
            for wrong in ["?tag=.x", "?tag=", "?tag=a%2Fb", "?tag=fine&tag=-no"] {
                let path = format!("{}{wrong}", index.digest);
                stand
                    .put_manifest(REPO, &path, &index)
                    .await
                    .expect_error(400, "TAG_INVALID");
            }
            stand.head(&manifest_path("fine")).await.expect(404);
            delete(&stand, &data).await;
        }
    }
}

#[tokio::test]
async fn a_tag_is_moved_by_the_next_push() {
    for stand in stands().await {
        let mut data = Data::default();
        let (one, two) = (data.image(31, 1, json!({})), data.image(32, 1, json!({})));
        push(&stand, &data).await;
        for manifest in [&one, &two, &one] {
            stand.put_manifest(REPO, "moving", manifest).await.expect(201);
            let found = stand.get(&manifest_path("moving")).await;
            assert_eq!(found.body, manifest.bytes);
            assert_eq!(found.header("docker-content-digest"), manifest.digest.to_string());
        }
        // Both are there still.
        pull(&stand, &data).await;
    }
}

#[tokio::test]
async fn of_another_digest_or_name_than_its_own() {
    for stand in stands().await {
        let mut data = Data::default();
        let image = data.image(16, 1, json!({}));
        push(&stand, &data).await;
        // Two spaces too many: another digest.
        let longer = RawManifest {
            bytes: Bytes::from([&image.bytes[..], b"  "].concat()),
            ..image.clone()
        };
        for (reference, manifest, code) in [
            ("sha256:baddigeststring".to_owned(), &image, "DIGEST_INVALID"),
            (image.digest.to_string(), &longer, "DIGEST_INVALID"),
            (
                digest(Algorithm::Sha512, b"x").to_string(),
                &image,
                "DIGEST_INVALID",
            ),
            (".hidden".to_owned(), &image, "TAG_INVALID"),
            ("x".repeat(129), &image, "TAG_INVALID"),
        ] {
            let refused = stand.put_manifest(REPO, &reference, manifest).await;
            refused.expect_error(400, code);
            let found = stand.get(&manifest_path(&reference)).await;
            assert_eq!(
                found.status == 200,
                reference == image.digest.to_string(),
                "{found:?}"
            );
        }
        // The longer one is itself under its own name, spaces and all.
        let own = digest(Algorithm::Sha256, &longer.bytes);
        stand
            .put_manifest(REPO, &own.to_string(), &longer)
            .await
            .expect(201);
        assert_eq!(stand.get(&manifest_path(own)).await.body, longer.bytes);
    }
}

#[tokio::test]
async fn that_are_none() {
    let image = MediaType::OCI_MANIFEST;
    for stand in stands().await {
        let mut data = Data::default();
        let config = data.empty();
        push(&stand, &data).await;
        let whole = json!({
            "schemaVersion": 2, "mediaType": image, "config": config, "layers": [],
        });
        let but = |field: &str, value: Value| {
            let mut changed = whole.clone();
            changed[field] = value;
            changed.to_string()
        };
        for body in [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            "\"text\"".to_owned(),
            but(
                "config",
                json!({"mediaType": "a/b", "digest": "sha256:x", "size": 2}),
            ),
            but("layers", json!([{"digest": config["digest"]}])),
            but("mediaType", json!(MediaType::OCI_INDEX)),
            but("schemaVersion", json!(1)),
            but(
                "subject",
                json!({"mediaType": image, "digest": "nothing", "size": 1}),
            ),
        ] {
            let headers = [("content-type", image.as_str())];
            let refused = stand
                .send(Method::PUT, &manifest_path("x"), &headers, body.clone())
                .await;
            assert_eq!(refused.status, 400, "{body}: {refused:?}");
            refused.expect_error(400, "MANIFEST_INVALID");
        }
        // With a parameter, or without any type, it is what it says itself.
        let typed = format!("{image}; charset=utf-8");
        for headers in [&[("content-type", typed.as_str())][..], &[]] {
            let put = stand
                .send(Method::PUT, &manifest_path("x"), headers, whole.to_string())
                .await;
            put.expect(201);
            let found = stand.get(&manifest_path("x")).await;
            assert_eq!(found.header("content-type"), image.as_str());
        }
    }
}

/// Spaces after the end are part of the bytes, and make any length.
fn of_length(image: &RawManifest, len: usize) -> RawManifest {
    let mut bytes = image.bytes.to_vec();
    bytes.resize(len, b' ');
    RawManifest {
        digest: digest(Algorithm::Sha256, &bytes),
        bytes: bytes.into(),
        ..image.clone()
    }
}

#[tokio::test]
async fn up_to_the_limit_and_no_further() {
    for stand in stands().await {
        let mut data = Data::default();
        let image = data.image(33, 1, json!({}));
        push(&stand, &data).await;
        let headers = [("content-type", image.media_type.as_str())];
        let fits = of_length(&image, MAX_MANIFEST_BYTES);
        let too_long = of_length(&image, MAX_MANIFEST_BYTES + 1);
        for chunked in [true, false] {
            let put = async |manifest: &RawManifest| {
                let (path, body) = (manifest_path("limit"), manifest.bytes.clone());
                match chunked {
                    true => stand.chunked(Method::PUT, &path, &headers, body).await,
                    false => stand.send(Method::PUT, &path, &headers, body).await,
                }
            };
            put(&fits).await.expect(201);
            put(&too_long).await.expect_error(413, "SIZE_INVALID");
            assert_eq!(stand.get(&manifest_path("limit")).await.body, fits.bytes);
        }
    }
}

#[tokio::test]
async fn whose_blobs_are_not_here() {
    for stand in stands().await {
        let mut data = Data::default();
        let image = data.image(34, 2, json!({}));
        // In another repository they are no help.
        for (_, content) in &data.blobs {
            stand.push_blob(super::REPO2, content).await;
        }
        let refused = stand.put_manifest(REPO, "x", &image).await;
        refused.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
        let answer = refused.json();
        let named = answer["errors"].as_array().unwrap().iter();
        let mut named: Vec<_> = named.map(|error| error["detail"]["digest"].clone()).collect();
        let mut missing: Vec<_> = data.blobs.iter().map(|(digest, _)| json!(digest)).collect();
        named.sort_by_key(Value::to_string);
        missing.sort_by_key(Value::to_string);
        assert_eq!(named, missing);
        stand.head(&manifest_path("x")).await.expect(404);
    }
}

/// A tag that a bundle above holds cannot be moved, and nobody is told that it was.
#[tokio::test]
async fn tags_of_a_bundle_above() {
    let stand = Stand::overlay(Default::default()).await;
    let mut data = Data::default();
    let image = data.image(35, 1, json!({}));
    push(&stand, &data).await;
    let (tag, below) = &stand.below.tags[0];
    let by_parameter = format!("{}?tag=free&tag={tag}", image.digest);
    for reference in [tag.as_str(), by_parameter.as_str()] {
        let refused = stand.put_manifest(REPO, reference, &image).await;
        refused.expect_error(405, "UNSUPPORTED");
    }
    stand.head(&manifest_path("free")).await.expect(404);
    let found = stand.get(&manifest_path(tag)).await;
    assert_eq!(found.header("docker-content-digest"), below.to_string());
}
