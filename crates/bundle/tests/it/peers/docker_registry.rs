//! Debian's docker-registry.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landfall_bundle::mount;
use landfall_oci::{Algorithm, Digest, Repository, Target};
use landfall_store::Page;
use landfall_store::suite::{self, Held};
use landfall_testkit::peers::{Crane, DockerRegistry};
use landfall_testkit::{Workload, run};
use serde_json::json;

use super::{holds, is_absent};

/// One exchange; gives the head of the answer.
fn http(registry: &DockerRegistry, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(registry.address()).unwrap();
    let (host, len) = (registry.address(), body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {len}\r\n\r\n",
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn push_blob(registry: &DockerRegistry, name: &Repository, digest: &Digest, bytes: &[u8]) {
    const KIND: &str = "application/octet-stream";
    let begun = http(registry, "POST", &format!("/v2/{name}/blobs/uploads/"), KIND, b"");
    let location = begun
        .lines()
        .find_map(|line| line.strip_prefix("Location: "))
        .unwrap();
    let path = &location[location.find("/v2/").unwrap()..];
    let done = http(registry, "PUT", &format!("{path}&digest={digest}"), KIND, bytes);
    assert!(done.starts_with("HTTP/1.1 201"), "{done}");
}

fn push(registry: &DockerRegistry, held: &Held) {
    for (digest, bytes) in &held.blobs {
        push_blob(registry, &held.repository, digest, bytes);
    }
    let path = format!("/v2/{}/manifests/{}", held.repository, held.tag);
    let kind = held.manifest.media_type.as_str();
    let done = http(registry, "PUT", &path, kind, &held.manifest.bytes);
    assert!(done.starts_with("HTTP/1.1 201"), "{done}");
}

/// Pushes the workload as clients do, so that the tree is all the program's own.
fn fill(workload: &Workload) -> (DockerRegistry, DockerRegistry) {
    let source = DockerRegistry::with(workload);
    let registry = DockerRegistry::empty();
    let crane = Crane::new();
    for image in &workload.images {
        crane
            .copy(
                &image.name_in(&source.address()),
                &image.name_in(&registry.address()),
            )
            .ok();
    }
    (source, registry)
}

#[tokio::test]
async fn its_tree_is_served_in_place() {
    let mut workload = Workload::small(5);
    let (subject, name) = (workload.images[0].root, workload.images[0].repository.clone());
    let config = workload.add_blob(
        landfall_oci::MediaType::OCI_EMPTY,
        bytes::Bytes::from_static(b"{}"),
    );
    let about = workload.manifests[&subject].descriptor();
    let signature = workload.add_manifest(
        landfall_oci::MediaType::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": landfall_oci::MediaType::OCI_MANIFEST,
            "artifactType": "type/signature", "config": config, "layers": [config], "subject": about,
        }),
    );
    workload.tag(&format!("{name}:signature"), signature.digest);
    let (_source, registry) = fill(&workload);
    let store = mount(registry.root()).unwrap();
    for image in &workload.images {
        holds(&*store, &workload, image, image.repository.as_str()).await;
    }
    // Its version 2 has no referrers; its content has.
    let found = store
        .referrers(&name, &subject, None, Page::first(9))
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].digest, signature.digest);
}

#[tokio::test]
async fn its_tree_passes_the_reading_part_of_the_suite() {
    let registry = DockerRegistry::empty();
    let held = suite::samples();
    for image in &held {
        push(&registry, image);
    }
    let store = mount(registry.root()).unwrap();
    suite::reading(&*store, &held).await;
    suite::read_only(&*store, &held[0]).await;
    // By SHA-512 it takes blobs, and keeps them by SHA-256.
    let (name, bytes) = (&held[0].repository, b"by another digest");
    let sha512 = landfall_hash::digest(Algorithm::Sha512, bytes);
    push_blob(&registry, name, &sha512, bytes);
    assert_eq!(suite::read_blob(&*store, name, &sha512).await, &bytes[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_tree_is_served_while_it_is_written() {
    let mut workload = Workload::hello("team/one:1", "one\n");
    let other = Workload::hello("team/two:1", "two\n");
    workload.manifests.extend(other.manifests.clone());
    workload.blobs.extend(other.blobs.clone());
    workload.images.extend(other.images.clone());
    let (source, registry) = fill(&workload);
    let crane = Crane::new();
    let moving = format!("{}/team/moving:latest", registry.address());
    let roots: Vec<_> = workload.images.iter().map(|image| image.root).collect();
    crane
        .copy(&workload.images[0].name_in(&source.address()), &moving)
        .ok();
    let store = mount(registry.root()).unwrap();
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let is_done = Arc::clone(&is_done);
        let sources: Vec<_> = workload
            .images
            .iter()
            .map(|image| image.name_in(&source.address()))
            .collect();
        let (crane, moving) = (Crane::new(), moving.clone());
        move || {
            for turn in 0..20 {
                crane.copy(&sources[turn % 2], &moving).ok();
            }
            is_done.store(true, Ordering::Release);
        }
    });
    let here = suite::repository("team/moving");
    let latest = Target::Tag(suite::tag("latest"));
    let mut reads = 0;
    while !is_done.load(Ordering::Acquire) || reads < 100 {
        let found = store.manifest(&here, &latest).await.unwrap();
        assert!(roots.contains(&found.digest));
        for digest in workload.blobs_of(found.digest) {
            store.stat_blob(&here, &digest).await.unwrap();
        }
        let tags = store.tags(&here, Page::first(9)).await.unwrap();
        assert_eq!(tags.items, [suite::tag("latest")]);
        reads += 1;
    }
    writer.join().unwrap();
    let digest = crane.digest(&moving);
    assert_eq!(
        store.manifest(&here, &latest).await.unwrap().digest.to_string(),
        digest
    );
    // Deleted there, gone here; pushed again there, back here.
    let by_digest = format!("{}/team/moving@{digest}", registry.address());
    run(crane.crane().args(["delete", "--insecure", &by_digest])).ok();
    let target = Target::Digest(digest.parse().unwrap());
    assert!(is_absent(store.manifest(&here, &latest).await));
    assert!(is_absent(store.manifest(&here, &target).await));
    crane
        .copy(&workload.images[0].name_in(&source.address()), &moving)
        .ok();
    assert_eq!(store.manifest(&here, &latest).await.unwrap().digest, roots[0]);
}
