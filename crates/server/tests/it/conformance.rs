//! The checks of the OCI conformance suite (the table of its API and data tests), as our own tests.

use bytes::Bytes;
use http::Method;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, RawManifest};
use landfall_server::RegistryOptions;
use serde_json::{Value, json};

use crate::client::{Scene, bytes};

const REPO: &str = "conformance/repo1";
const REPO2: &str = "conformance/repo2";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

fn blob_path(digest: &Digest) -> String {
    format!("/v2/{REPO}/blobs/{digest}")
}

async fn begin(scene: &Scene) -> String {
    let begun = scene.post(&format!("/v2/{REPO}/blobs/uploads/")).await;
    begun.expect(202);
    assert_eq!(begun.header("range"), "0-0");
    assert!(
        begun
            .header("location")
            .ends_with(begun.header("docker-upload-uuid"))
    );
    begun.header("location").to_owned()
}

async fn expect_blob(scene: &Scene, location: &str, digest: &Digest, content: &Bytes) {
    let found = scene.get(location).await;
    found.expect(200);
    assert_eq!(found.body, content);
    assert_eq!(found.header("docker-content-digest"), digest.to_string());
}

#[tokio::test]
async fn ping() {
    let scene = Scene::new().await;
    for path in ["/v2/", "/v2"] {
        scene.get(path).await.expect(200);
        scene.head(path).await.expect(200);
    }
    scene.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn empty_repository() {
    let scene = Scene::new().await;
    scene
        .get(&format!("/v2/{REPO}/tags/list"))
        .await
        .expect_error(404, "NAME_UNKNOWN");
    let subject = digest(Algorithm::Sha256, b"nothing");
    let found = scene.get(&format!("/v2/{REPO}/referrers/{subject}")).await;
    found.expect(200);
    assert_eq!(found.header("content-type"), INDEX);
    assert_eq!(
        found.json(),
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    );
    scene
        .get(&blob_path(&subject))
        .await
        .expect_error(404, "BLOB_UNKNOWN");
    scene.head(&blob_path(&subject)).await.expect(404);
    let bad = scene.get(&format!("/v2/{REPO}/referrers/sha256:bad")).await;
    bad.expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn blob_in_one_request() {
    let scene = Scene::new().await;
    for algorithm in ALGORITHMS {
        for content in [bytes(1, 512), Bytes::new(), Bytes::from("{}")] {
            let digest = digest(algorithm, &content);
            let path = format!("/v2/{REPO}/blobs/uploads/?digest={digest}");
            let done = scene.send(Method::POST, &path, &[], content.clone()).await;
            done.expect(201);
            assert_eq!(done.header("docker-content-digest"), digest.to_string());
            expect_blob(&scene, done.header("location"), &digest, &content).await;
        }
    }
    assert_eq!(
        std::fs::read_dir(scene.root.path().join("uploads"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn blob_in_two_requests() {
    let scene = Scene::new().await;
    for algorithm in ALGORITHMS {
        for (seed, len) in [(2, 512), (3, 0), (4, 300_000)] {
            let content = bytes(seed, len);
            let digest = scene.push_blob_as(REPO, &content, algorithm).await;
            expect_blob(&scene, &blob_path(&digest), &digest, &content).await;
            let head = scene.head(&blob_path(&digest)).await;
            head.expect(200);
            assert_eq!(head.header("content-length"), len.to_string());
            assert_eq!(head.header("docker-content-digest"), digest.to_string());
            assert_eq!(head.header("accept-ranges"), "bytes");
        }
    }
}

/// Chunks of `size`; with `last_in_put` the last one rides in the PUT; with `disorder` each is preceded by a wrong
/// one, which must be refused, and the true range asked for.
async fn chunked(algorithm: Algorithm, len: usize, size: usize, last_in_put: bool, disorder: bool) {
    let scene = Scene::new().await;
    let content = bytes(5, len);
    let digest = digest(algorithm, &content);
    let mut location = begin(&scene).await;
    let mut start = 0;
    while start < len {
        let end = len.min(start + size);
        let is_last = end == len && last_in_put;
        let (method, path) = match is_last {
            true => (Method::PUT, format!("{location}?digest={digest}")),
            false => (Method::PATCH, location.clone()),
        };
        if disorder {
            let wrong = if start + size < len { start + size } else { 0 };
            let wrong_end = len.min(wrong + size);
            let range = format!("{wrong}-{}", wrong_end - 1);
            let headers = [("content-range", range.as_str())];
            let part = content.slice(wrong..wrong_end);
            if wrong != start {
                let refused = scene.send(method.clone(), &path, &headers, part).await;
                refused.expect_error(416, "BLOB_UPLOAD_INVALID");
                assert_eq!(refused.header("location"), location);
            }
            let state = scene.get(&location).await;
            state.expect(204);
            assert_eq!(state.header("range"), format!("0-{}", start.saturating_sub(1)));
            assert_eq!(state.header("location"), location);
        }
        let range = format!("{start}-{}", end - 1);
        let headers = [("content-range", range.as_str())];
        let taken = scene
            .send(method, &path, &headers, content.slice(start..end))
            .await;
        taken.expect(if is_last { 201 } else { 202 });
        if !is_last {
            assert_eq!(taken.header("range"), format!("0-{}", end - 1));
        }
        location = taken.header("location").to_owned();
        start = end;
    }
    if !last_in_put {
        let done = scene
            .send(Method::PUT, &format!("{location}?digest={digest}"), &[], "")
            .await;
        done.expect(201);
        location = done.header("location").to_owned();
    }
    expect_blob(&scene, &location, &digest, &content).await;
}

#[tokio::test]
async fn blob_in_chunks() {
    for algorithm in ALGORITHMS {
        chunked(algorithm, 512, 1024, false, false).await;
        for last_in_put in [false, true] {
            for disorder in [false, true] {
                chunked(algorithm, 3 * 1024 - 5, 1024, last_in_put, disorder).await;
            }
        }
    }
}

#[tokio::test]
async fn blob_as_a_stream() {
    let scene = Scene::new().await;
    for algorithm in ALGORITHMS {
        let content = bytes(6, 100_000);
        let digest = digest(algorithm, &content);
        let location = begin(&scene).await;
        let taken = scene
            .chunked(Method::PATCH, &location, &[], content.clone())
            .await;
        taken.expect(202);
        assert_eq!(taken.header("range"), "0-99999");
        let path = format!("{location}?digest={digest}");
        scene.send(Method::PUT, &path, &[], "").await.expect(201);
        expect_blob(&scene, &blob_path(&digest), &digest, &content).await;
    }
}

#[tokio::test]
async fn mounts() {
    let scene = Scene::new().await;
    for algorithm in ALGORITHMS {
        let named = bytes(7, 512);
        let digest = scene.push_blob_as(REPO2, &named, algorithm).await;
        let path = format!("/v2/{REPO}/blobs/uploads/?mount={digest}&from={REPO2}");
        let mounted = scene.post(&path).await;
        mounted.expect(201);
        expect_blob(&scene, mounted.header("location"), &digest, &named).await;
        let anonymous = bytes(8, 512);
        let digest = scene.push_blob_as(REPO2, &anonymous, algorithm).await;
        let path = format!("/v2/{REPO}/blobs/uploads/?mount={digest}");
        let mounted = scene.post(&path).await;
        mounted.expect(201);
        expect_blob(&scene, mounted.header("location"), &digest, &anonymous).await;
        // Not to be had: an upload, which then works.
        for (seed, from) in [
            (9, format!("&from={REPO2}")),
            (30, String::new()),
            (31, "&from=NOT+A+NAME".into()),
        ] {
            let missing = bytes(seed, 512);
            let digest = landfall_hash::digest(algorithm, &missing);
            let path = format!("/v2/{REPO}/blobs/uploads/?mount={digest}{from}");
            let begun = scene.post(&path).await;
            begun.expect(202);
            let path = format!("{}?digest={digest}", begun.header("location"));
            scene
                .send(Method::PUT, &path, &[], missing.clone())
                .await
                .expect(201);
            expect_blob(&scene, &blob_path(&digest), &digest, &missing).await;
        }
    }
}

#[tokio::test]
async fn upload_cancelled() {
    let scene = Scene::new().await;
    let location = begin(&scene).await;
    scene.send(Method::PATCH, &location, &[], "abc").await.expect(202);
    scene.delete(&location).await.expect(204);
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let gone = scene.send(method, &location, &[], "x").await;
        gone.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn bad_digests() {
    let scene = Scene::new().await;
    for algorithm in ALGORITHMS {
        let wrong = digest(algorithm, b"something else");
        let path = format!("/v2/{REPO}/blobs/uploads/?digest={wrong}");
        let refused = scene.send(Method::POST, &path, &[], "this").await;
        refused.expect_error(400, "DIGEST_INVALID");
        let put = format!("{}?digest={wrong}", begin(&scene).await);
        let refused = scene.send(Method::PUT, &put, &[], "this").await;
        refused.expect_error(400, "DIGEST_INVALID");
        let location = begin(&scene).await;
        let headers = [("content-range", "0-3")];
        scene
            .send(Method::PATCH, &location, &headers, "this")
            .await
            .expect(202);
        let refused = scene
            .send(Method::PUT, &format!("{location}?digest={wrong}"), &[], "")
            .await;
        refused.expect_error(400, "DIGEST_INVALID");
        let location = begin(&scene).await;
        scene
            .chunked(Method::PATCH, &location, &[], "this")
            .await
            .expect(202);
        let refused = scene
            .send(Method::PUT, &format!("{location}?digest={wrong}"), &[], "")
            .await;
        refused.expect_error(400, "DIGEST_INVALID");
        scene.head(&blob_path(&wrong)).await.expect(404);
    }
    for text in ["", "?digest=", "?digest=sha256:x", "?digest=md5:00"] {
        let put = format!("{}{text}", begin(&scene).await);
        scene
            .send(Method::PUT, &put, &[], "x")
            .await
            .expect_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn blob_deleted() {
    let scene = Scene::new().await;
    let digest = scene.push_blob(REPO, &bytes(10, 512)).await;
    scene.delete(&blob_path(&digest)).await.expect(202);
    scene.head(&blob_path(&digest)).await.expect(404);
    scene
        .delete(&blob_path(&digest))
        .await
        .expect_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn ranges() {
    let scene = Scene::new().await;
    let content = bytes(11, 2048);
    let path = blob_path(&scene.push_blob(REPO, &content).await);
    for (range, start, end) in [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=2000-5000", 2000, 2048),
    ] {
        let part = scene.send(Method::GET, &path, &[("range", range)], "").await;
        part.expect(206);
        assert_eq!(part.body, content[start..end]);
        assert_eq!(
            part.header("content-range"),
            format!("bytes {start}-{}/2048", end - 1)
        );
        let head = scene.send(Method::HEAD, &path, &[("range", range)], "").await;
        assert_eq!(head.header("content-length"), (end - start).to_string());
    }
    for range in ["bytes=500-0", "bytes=5000-10000"] {
        let none = scene.send(Method::GET, &path, &[("range", range)], "").await;
        none.expect_error(416, "RANGE_INVALID");
        assert_eq!(none.header("content-range"), "bytes */2048");
    }
}

// === data sets ===

/// Blobs and manifests of one data set, manifests in the order in which they are pushed.
#[derive(Default)]
struct Data {
    blobs: Vec<(Digest, Bytes)>,
    manifests: Vec<RawManifest>,
    tags: Vec<(String, Digest)>,
    /// Subject, referrer, artifact type.
    referrers: Vec<(Digest, Digest, String)>,
    algorithm: Option<Algorithm>,
}

impl Data {
    fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Sha256)
    }

    fn blob(&mut self, media_type: MediaType, content: Bytes) -> Value {
        let digest = digest(self.algorithm(), &content);
        let descriptor = Descriptor::new(media_type, digest, content.len() as u64);
        self.blobs.push((digest, content));
        json!(descriptor)
    }

    fn manifest(&mut self, manifest: &Value) -> RawManifest {
        let bytes = Bytes::from(serde_json::to_vec(manifest).unwrap());
        let raw = RawManifest::new(None, digest(self.algorithm(), &bytes), bytes).unwrap();
        self.manifests.push(raw.clone());
        raw
    }

    fn image(&mut self, seed: u64, layers: usize, more: Value) -> RawManifest {
        let config = self.blob(MediaType::OCI_CONFIG, Bytes::from(format!("{{\"seed\":{seed}}}")));
        let layers: Vec<Value> = (0..layers)
            .map(|n| self.blob(MediaType::OCI_LAYER, bytes(seed + 100 * n as u64, 700)))
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
        });
        manifest
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.manifest(&manifest)
    }

    fn index(&mut self, members: &[RawManifest], more: Value) -> RawManifest {
        let manifests: Vec<_> = members.iter().map(RawManifest::descriptor).collect();
        let mut index =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests});
        index
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.manifest(&index)
    }

    fn tag(&mut self, tag: &str, manifest: &RawManifest) {
        self.tags.push((tag.to_owned(), manifest.digest));
    }

    fn refers(&mut self, subject: &Digest, referrer: &RawManifest) {
        let view = referrer.view().unwrap();
        let kind = view.artifact_type().unwrap_or_default().to_owned();
        self.referrers.push((*subject, referrer.digest, kind));
    }
}

/// Push, list, pull, referrers, delete: each step as the suite takes it.
async fn run(data: Data) {
    run_in(&Scene::new().await, data).await;
}

async fn run_in(scene: &Scene, data: Data) {
    push(scene, &data).await;
    list(scene, &data).await;
    pull(scene, &data).await;
    referrers(scene, &data).await;
    delete(scene, &data).await;
}

async fn push(scene: &Scene, data: &Data) {
    for (_, content) in &data.blobs {
        scene.push_blob_as(REPO, content, data.algorithm()).await;
    }
    for manifest in &data.manifests {
        let done = scene
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
        assert_eq!(scene.get(done.header("location")).await.body, manifest.bytes);
    }
    // A tag of another algorithm than sha256 needs the tag parameter.
    if data.algorithm() == Algorithm::Sha256 {
        for (tag, digest) in &data.tags {
            let manifest = data
                .manifests
                .iter()
                .find(|found| found.digest == *digest)
                .unwrap();
            scene.put_manifest(REPO, tag, manifest).await.expect(201);
        }
    }
}

async fn list(scene: &Scene, data: &Data) {
    let mut tags: Vec<&str> = data.tags.iter().map(|(tag, _)| tag.as_str()).collect();
    tags.sort_unstable();
    let path = format!("/v2/{REPO}/tags/list");
    let all = scene.get(&path).await;
    all.expect(200);
    assert_eq!(all.json(), json!({"name": REPO, "tags": tags}));
    for (position, tag) in tags.iter().enumerate() {
        let rest = scene.get(&format!("{path}?last={tag}")).await.json();
        assert_eq!(rest["tags"], json!(tags[position + 1..]));
    }
}

async fn pull(scene: &Scene, data: &Data) {
    let by_tag = data.tags.iter().map(|(tag, digest)| (tag.clone(), *digest));
    let by_digest = data
        .manifests
        .iter()
        .map(|found| (found.digest.to_string(), found.digest));
    for (reference, digest) in by_tag.chain(by_digest) {
        let manifest = data
            .manifests
            .iter()
            .find(|found| found.digest == digest)
            .unwrap();
        let path = format!("/v2/{REPO}/manifests/{reference}");
        for answer in [scene.get(&path).await, scene.head(&path).await] {
            answer.expect(200);
            assert_eq!(answer.header("content-type"), manifest.media_type.as_str());
            assert_eq!(answer.header("content-length"), manifest.bytes.len().to_string());
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        }
        assert_eq!(scene.get(&path).await.body, manifest.bytes);
    }
    for (digest, content) in &data.blobs {
        expect_blob(scene, &blob_path(digest), digest, content).await;
    }
}

async fn referrers(scene: &Scene, data: &Data) {
    for (subject, _, _) in &data.referrers {
        let of_subject = |kind: Option<&str>| {
            let mut wanted: Vec<String> = data
                .referrers
                .iter()
                .filter(|(found, _, _)| found == subject)
                .filter(|(_, _, found)| kind.is_none_or(|kind| found == kind))
                .map(|(_, digest, _)| digest.to_string())
                .collect();
            wanted.sort();
            wanted
        };
        let path = format!("/v2/{REPO}/referrers/{subject}");
        let digests = |answer: &Value| -> Vec<String> {
            let manifests = answer["manifests"].as_array().unwrap();
            manifests
                .iter()
                .map(|found| found["digest"].as_str().unwrap().to_owned())
                .collect()
        };
        let all = scene.get(&path).await;
        all.expect(200);
        assert_eq!(all.header("content-type"), INDEX);
        assert_eq!(all.header("oci-filters-applied"), "");
        assert_eq!(digests(&all.json()), of_subject(None));
        for (_, _, kind) in &data.referrers {
            // As Go's client encodes it, and as others do not.
            for text in [kind.replace('+', "%2B"), kind.clone()] {
                let some = scene.get(&format!("{path}?artifactType={text}")).await;
                assert_eq!(some.header("oci-filters-applied"), "artifactType");
                assert_eq!(digests(&some.json()), of_subject(Some(kind)));
            }
        }
    }
}

async fn delete(scene: &Scene, data: &Data) {
    for (tag, _) in &data.tags {
        let path = format!("/v2/{REPO}/manifests/{tag}");
        scene.delete(&path).await.expect(202);
        scene.head(&path).await.expect(404);
        scene.get(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
    }
    for manifest in data.manifests.iter().rev() {
        let path = format!("/v2/{REPO}/manifests/{}", manifest.digest);
        scene.delete(&path).await.expect(202);
        scene.head(&path).await.expect(404);
    }
    for (digest, _) in &data.blobs {
        let gone = scene.delete(&blob_path(digest)).await;
        assert!(matches!(gone.status.as_u16(), 202 | 404));
        scene.head(&blob_path(digest)).await.expect(404);
    }
    for (subject, _, _) in &data.referrers {
        let none = scene.get(&format!("/v2/{REPO}/referrers/{subject}")).await;
        assert_eq!(none.json()["manifests"], json!([]));
    }
}

#[tokio::test]
async fn images() {
    let mut data = Data::default();
    let image = data.image(1, 2, json!({}));
    data.tag("image", &image);
    let custom = data.image(2, 1, json!({"org.example.unknown": {"deep": [1, 2, null]}}));
    data.tag("custom-fields", &custom);
    let bare = data.image(3, 0, json!({}));
    data.tag("no-layers", &bare);
    run(data).await;
}

#[tokio::test]
async fn a_manifest_of_almost_four_megabytes() {
    let mut data = Data::default();
    let annotations: serde_json::Map<String, Value> = (0..390)
        .map(|n| (format!("large-annotation-{n}"), json!("A".repeat(10_000))))
        .collect();
    let large = data.image(4, 1, json!({"annotations": annotations}));
    assert!(large.bytes.len() > 3_900_000);
    data.tag("large-manifest", &large);
    run(data).await;
}

#[tokio::test]
async fn indexes() {
    let mut data = Data::default();
    let (one, two) = (data.image(5, 1, json!({})), data.image(6, 1, json!({})));
    let index = data.index(&[one, two], json!({}));
    data.tag("index", &index);
    let nested = data.index(&[index], json!({}));
    data.tag("index-of-index", &nested);
    let empty = data.index(&[], json!({"annotations": {"empty": "yes"}}));
    data.tag("empty-index", &empty);
    run(data).await;
}

#[tokio::test]
async fn artifacts_and_subjects() {
    let mut data = Data::default();
    let image = data.image(7, 1, json!({}));
    data.tag("image", &image);
    let plain = data.image(8, 1, json!({"subject": image.descriptor()}));
    data.refers(&image.digest, &plain);
    for (n, kind) in [
        (1, "application/vnd.example.one+json"),
        (2, "application/vnd.example.two"),
    ] {
        let more = json!({
            "artifactType": kind, "subject": image.descriptor(), "annotations": {"org.example": "hello"},
        });
        let artifact = data.image(8 + n, 1, more);
        data.tag(&format!("tagged-artifact{n}"), &artifact);
        data.refers(&image.digest, &artifact);
    }
    let index = data.index(
        &[],
        json!({"subject": image.descriptor(), "artifactType": "application/x.index"}),
    );
    data.refers(&image.digest, &index);
    let missing = Descriptor::new(
        MediaType::OCI_MANIFEST,
        digest(Algorithm::Sha256, b"missing content"),
        123,
    );
    let lost = data.image(
        12,
        1,
        json!({"subject": missing, "artifactType": "application/x.lost"}),
    );
    data.refers(&missing.digest, &lost);
    run(data).await;
}

#[tokio::test]
async fn data_field_and_layers_that_stay_elsewhere() {
    let mut data = Data::default();
    let config = data.blob(MediaType::OCI_CONFIG, Bytes::from("{}"));
    let mut with_data = config.clone();
    with_data["data"] = json!("e30=");
    let image = data.manifest(&json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": with_data, "layers": [],
    }));
    data.tag("data-field", &image);
    let foreign: Vec<Value> = ["tar+gzip", "tar"]
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
    let image = data.manifest(&json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": foreign,
    }));
    data.tag("non-distributable-image", &image);
    run(data).await;
}

#[tokio::test]
async fn sha512_trees_and_tag_parameters() {
    for algorithm in ALGORITHMS {
        let scene = Scene::new().await;
        let mut data = Data {
            algorithm: Some(algorithm),
            ..Data::default()
        };
        let one = data.image(13, 1, json!({}));
        let index = data.index(&[one], json!({}));
        push(&scene, &data).await;
        let tags: Vec<String> = (0..12).map(|n| format!("tag-param-{n:02}")).collect();
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let path = format!("{}?{}", index.digest, query.join("&"));
        let done = scene.put_manifest(REPO, &path, &index).await;
        done.expect(201);
        let told: Vec<&str> = done
            .headers
            .get_all("oci-tag")
            .iter()
            .map(|tag| tag.to_str().unwrap())
            .collect();
        assert_eq!(told, tags);
        for tag in &tags {
            data.tag(tag, &index);
        }
        list(&scene, &data).await;
        pull(&scene, &data).await;
        delete(&scene, &data).await;
        let bad = scene
            .put_manifest(REPO, &format!("{}?tag=.x", index.digest), &index)
            .await;
        bad.expect_error(400, "TAG_INVALID");
    }
}

#[tokio::test]
async fn the_algorithm_may_be_told_beforehand() {
    let scene = Scene::new().await;
    let content = bytes(14, 5000);
    for (hint, algorithm, status) in [
        ("sha512", Algorithm::Sha512, 202),
        ("sha512", Algorithm::Sha256, 202),
        ("md5", Algorithm::Sha256, 400),
    ] {
        let begun = scene
            .post(&format!("/v2/{REPO}/blobs/uploads/?digest-algorithm={hint}"))
            .await;
        begun.expect(status);
        if status == 202 {
            let digest = digest(algorithm, &content);
            let put = format!("{}?digest={digest}", begun.header("location"));
            scene
                .send(Method::PUT, &put, &[], content.clone())
                .await
                .expect(201);
        }
    }
}

#[tokio::test]
async fn sparse_content() {
    let mut data = Data::default();
    let one = data.image(15, 2, json!({}));
    let absent = RawManifest {
        media_type: MediaType::OCI_MANIFEST,
        digest: digest(Algorithm::Sha256, b"no such manifest"),
        bytes: Bytes::from(vec![b' '; 1024]),
    };
    let index = data.index(&[one.clone(), absent], json!({}));
    data.tag("sparse-index", &index);
    let (missing, _) = data.blobs.remove(1);
    // By default an image must be whole, and the index of what is partly absent is fine.
    let strict = Scene::new().await;
    for (_, content) in &data.blobs {
        strict.push_blob(REPO, content).await;
    }
    let refused = strict.put_manifest(REPO, "sparse", &one).await;
    refused.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(refused.json()["errors"][0]["detail"]["digest"], json!(missing));
    strict
        .put_manifest(REPO, "sparse-index", &index)
        .await
        .expect(201);
    let options = RegistryOptions {
        sparse: true,
        ..RegistryOptions::default()
    };
    run_in(&Scene::with(options).await, data).await;
}

#[tokio::test]
async fn manifest_errors() {
    let scene = Scene::new().await;
    let nothing = digest(Algorithm::Sha256, b"nothing");
    for reference in [nothing.to_string(), "no-such-tag".into()] {
        let path = format!("/v2/{REPO}/manifests/{reference}");
        scene.get(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
        scene.head(&path).await.expect(404);
        scene.delete(&path).await.expect_error(404, "MANIFEST_UNKNOWN");
    }
    let mut data = Data::default();
    let image = data.image(16, 1, json!({}));
    push(&scene, &data).await;
    let bad = scene.put_manifest(REPO, "sha256:baddigeststring", &image).await;
    bad.expect_error(400, "DIGEST_INVALID");
    let path = format!("/v2/{REPO}/manifests/sha256:baddigeststring");
    scene.get(&path).await.expect_error(400, "DIGEST_INVALID");
    // Two spaces too many: another digest.
    let longer = RawManifest {
        bytes: Bytes::from([&image.bytes[..], b"  "].concat()),
        ..image.clone()
    };
    let refused = scene.put_manifest(REPO, &image.digest.to_string(), &longer).await;
    refused.expect_error(400, "DIGEST_INVALID");
    let bad_tag = scene.put_manifest(REPO, ".hidden", &image).await;
    bad_tag.expect_error(400, "TAG_INVALID");
    scene
        .get(&format!("/v2/{REPO}/manifests/.hidden"))
        .await
        .expect_error(404, "MANIFEST_UNKNOWN");
    scene
        .get("/v2/UPPER/manifests/x")
        .await
        .expect_error(400, "NAME_INVALID");
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    let scene = Scene::new().await;
    let mut data = Data::default();
    let (image, other) = (data.image(17, 1, json!({})), data.image(18, 1, json!({})));
    data.tag("one", &image);
    data.tag("two", &image);
    data.tag("other", &other);
    push(&scene, &data).await;
    let path = format!("/v2/{REPO}/manifests/{}", image.digest);
    scene.delete(&path).await.expect(202);
    for tag in ["one", "two"] {
        scene
            .get(&format!("/v2/{REPO}/manifests/{tag}"))
            .await
            .expect(404);
    }
    let left = scene.get(&format!("/v2/{REPO}/tags/list")).await.json();
    assert_eq!(left["tags"], json!(["other"]));
}

#[tokio::test]
async fn lists_in_pages() {
    let scene = Scene::new().await;
    let mut data = Data::default();
    let image = data.image(19, 0, json!({}));
    for n in 0..7 {
        data.tag(&format!("t{n}"), &image);
    }
    push(&scene, &data).await;
    let none = scene.get(&format!("/v2/{REPO}/tags/list?n=0")).await;
    assert_eq!(
        (none.json()["tags"].clone(), none.header("link")),
        (json!([]), "")
    );
    let mut path = format!("/v2/{REPO}/tags/list?n=3");
    let mut seen = Vec::new();
    loop {
        let page = scene.get(&path).await;
        let tags = page.json()["tags"].as_array().unwrap().clone();
        assert!(tags.len() <= 3);
        seen.extend(tags);
        let Some((next, _)) = page
            .header("link")
            .strip_prefix('<')
            .and_then(|link| link.split_once(">; rel=\"next\""))
        else {
            break;
        };
        path = next.to_owned();
    }
    assert_eq!(json!(seen), json!(["t0", "t1", "t2", "t3", "t4", "t5", "t6"]));
    for name in ["a", "a-b", "a/b"] {
        let config = Bytes::from("{\"seed\":19}");
        scene.push_blob(name, &config).await;
        scene.put_manifest(name, "x", &image).await.expect(201);
    }
    let first = scene.get("/v2/_catalog?n=2").await;
    assert_eq!(first.json(), json!({"repositories": ["a", "a-b"]}));
    assert_eq!(first.header("link"), "</v2/_catalog?n=2&last=a-b>; rel=\"next\"");
    let rest = scene.get("/v2/_catalog?n=2&last=a-b").await;
    assert_eq!(rest.json(), json!({"repositories": ["a/b", REPO]}));
    assert_eq!(rest.header("link"), "");
    assert_eq!(
        scene.get("/v2/_catalog?n=0").await.json(),
        json!({"repositories": []})
    );
    for list in ["/v2/_catalog".to_owned(), format!("/v2/{REPO}/tags/list")] {
        for wrong in ["-1", "x", "", "1.5"] {
            scene
                .get(&format!("{list}?n={wrong}"))
                .await
                .expect_error(400, "PAGINATION_NUMBER_INVALID");
        }
    }
}

#[tokio::test]
async fn referrers_in_pages() {
    let scene = Scene::new().await;
    let mut data = Data::default();
    let image = data.image(20, 0, json!({}));
    for n in 0..5 {
        let more = json!({"subject": image.descriptor(), "artifactType": "application/x.page+json", "n": n});
        let referrer = data.image(21 + n, 0, more);
        data.refers(&image.digest, &referrer);
    }
    push(&scene, &data).await;
    let mut path = format!(
        "/v2/{REPO}/referrers/{}?n=2&artifactType=application/x.page%2Bjson",
        image.digest
    );
    let mut pages = Vec::new();
    loop {
        let page = scene.get(&path).await;
        pages.push(page.json()["manifests"].as_array().unwrap().len());
        assert_eq!(page.header("oci-filters-applied"), "artifactType");
        let Some((next, _)) = page
            .header("link")
            .strip_prefix('<')
            .and_then(|link| link.split_once('>'))
        else {
            break;
        };
        path = next.to_owned();
    }
    assert_eq!(pages, [2, 2, 1]);
}
