//! What is asked for and not here is remembered, as a list that `save` can read.

use std::sync::Arc;

use http::Method;
use landfall_oci::{Digest, RawManifest, Reference};
use landfall_server::wanted::{image_list, json};
use landfall_server::{RegistryOptions, Wanted};
use landfall_store::suite;
use serde_json::json as value;

use crate::client::{PEER, Scene};

const DOCKER: &str = "docker/24.0.7 go/go1.20.10 kernel/6.5 os/linux arch/arm64 UpstreamClient(x)";

async fn scene(wanted: &Arc<Wanted>) -> Scene {
    let options = RegistryOptions {
        wanted: Some(Arc::clone(wanted)),
        ..RegistryOptions::default()
    };
    Scene::with(options).await
}

fn names(wanted: &Wanted) -> Vec<String> {
    wanted.list().into_iter().map(|image| image.written).collect()
}

async fn push(scene: &Scene, name: &str, tag: &str, content: &str) -> RawManifest {
    let blobs = [suite::blob(content.to_owned())];
    scene.push_blob(name, &blobs[0].1).await;
    let manifest = suite::image(&blobs, None, None);
    scene.put_manifest(name, tag, &manifest).await.expect(201);
    manifest
}

#[tokio::test]
async fn what_is_missing_is_listed_until_it_comes() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    let missing = landfall_hash::digest(landfall_oci::Algorithm::Sha256, b"x");
    for path in [
        "/v2/a/b/manifests/1?ns=quay.io".to_owned(),
        "/v2/library/nginx/manifests/1.27?ns=docker.io".to_owned(),
        "/v2/quay.io/c/d/manifests/v2".to_owned(),
        format!("/v2/e/manifests/{missing}"),
    ] {
        for answer in [scene.head(&path).await, scene.get(&path).await] {
            answer.expect(404);
        }
    }
    let asked = [("user-agent", DOCKER)];
    scene
        .send(Method::GET, "/v2/f/manifests/1", &asked, "")
        .await
        .expect(404);
    let all = ["quay.io/a/b:1", "quay.io/c/d:v2", "nginx:1.27", "f:1"];
    let by_digest = format!("e@{missing}");
    let mut found = names(&wanted);
    found.sort();
    let mut expected: Vec<&str> = all.iter().copied().chain([by_digest.as_str()]).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let nginx = wanted
        .list()
        .into_iter()
        .find(|image| image.written == "nginx:1.27")
        .unwrap();
    assert_eq!(
        (nginx.count, nginx.clients[0].to_string().as_str()),
        (2, "127.0.0.1")
    );
    let f = wanted
        .list()
        .into_iter()
        .find(|image| image.written == "f:1")
        .unwrap();
    assert_eq!(f.platforms, ["linux/arm64"]);

    // Pushed to its own path, read through a namespace, pushed where it was asked for.
    push(&scene, "quay.io/a/b", "1", "one").await;
    push(&scene, "nginx", "1.27", "two").await;
    assert!(!names(&wanted).contains(&"nginx:1.27".to_owned()));
    scene
        .get("/v2/library/nginx/manifests/1.27?ns=docker.io")
        .await
        .expect(200);
    assert!(wanted.forget(&Reference::parse("quay.io/c/d:v2").unwrap()));
    assert!(!wanted.forget(&Reference::parse("quay.io/c/d:v2").unwrap()));
    let mut left = names(&wanted);
    left.sort();
    assert_eq!(left, [by_digest, "f:1".to_owned()]);
}

#[tokio::test]
async fn a_member_that_is_missing_is_its_index_for_a_platform() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    let here = push(&scene, "a/b", "amd64", "one").await;
    let absent = suite::image(&[suite::blob("two".to_owned())], None, None);
    let mut members = [here.descriptor(), absent.descriptor()];
    for (member, text) in members.iter_mut().zip(["linux/amd64", "linux/arm/v7"]) {
        member.platform = Some(text.parse().unwrap());
    }
    let index = index(&members);
    scene.put_manifest("a/b", "1", &index).await.expect(201);
    // As containerd does: the tag, the index, the member.
    scene.head("/v2/a/b/manifests/1").await.expect(200);
    scene
        .get(&format!("/v2/a/b/manifests/{}", index.digest))
        .await
        .expect(200);
    scene
        .get(&format!("/v2/a/b/manifests/{}", absent.digest))
        .await
        .expect(404);
    let expect = |members: &[Digest]| {
        let list = wanted.list();
        assert_eq!(list.len(), usize::from(!members.is_empty()), "{list:?}");
        for image in list {
            assert_eq!(image.written, "a/b:1");
            assert_eq!(image.platforms, ["linux/arm/v7"]);
            assert_eq!(image.members, members);
        }
    };
    expect(&[absent.digest]);
    // The index is found again; its member is still not there.
    scene.get("/v2/a/b/manifests/1").await.expect(200);
    expect(&[absent.digest]);
    push(&scene, "a/b", "arm", "two").await;
    expect(&[]);
}

fn index(members: &[landfall_oci::Descriptor]) -> RawManifest {
    suite::raw(&value!({
        "schemaVersion": 2,
        "mediaType": landfall_oci::MediaType::OCI_INDEX,
        "manifests": members,
    }))
}

#[tokio::test]
async fn tags_that_are_only_looked_for_and_things_that_are_no_images_are_not_wanted() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    let hex = "0".repeat(64);
    for path in [
        format!("/v2/a/manifests/sha256-{hex}"),
        format!("/v2/a/manifests/sha256-{hex}.sig"),
        format!("/v2/a/blobs/sha256:{hex}"),
        "/v2/a/tags/list".to_owned(),
        "/v2/A/manifests/x".to_owned(),
        "/v2/a/manifests/.x".to_owned(),
    ] {
        scene.get(&path).await;
    }
    assert_eq!(wanted.list(), []);
    // Found things are not either.
    push(&scene, "a", "1", "one").await;
    scene.get("/v2/a/manifests/1").await.expect(200);
    assert!(wanted.is_empty());
}

#[tokio::test]
async fn the_list_survives_a_restart_and_a_file_that_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wanted.json");
    let wanted = Arc::new(Wanted::open(&path).await.unwrap());
    let first = scene(&wanted).await;
    for name in ["a", "quay.io/b", "c"] {
        first.get(&format!("/v2/{name}/manifests/1")).await.expect(404);
    }
    wanted.flush().await.unwrap();
    let before = wanted.list();
    let wanted = Arc::new(Wanted::open(&path).await.unwrap());
    assert_eq!(wanted.list(), before);
    assert_eq!(wanted.len(), 3);
    // One is forgotten, and one arrives: both last.
    assert!(wanted.forget(&Reference::parse("c:1").unwrap()));
    push(&scene(&wanted).await, "a", "1", "one").await;
    wanted.flush().await.unwrap();
    assert_eq!(names(&wanted), ["quay.io/b:1"]);
    assert_eq!(names(&Wanted::open(&path).await.unwrap()), ["quay.io/b:1"]);
    std::fs::write(&path, "{\"version\":1,").unwrap();
    let wanted = Wanted::open(&path).await.unwrap();
    assert!(wanted.is_empty());
    assert!(path.with_added_extension("unreadable").exists());
    wanted.flush().await.unwrap();
}

#[tokio::test]
async fn it_is_written_while_it_runs_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wanted.json");
    let wanted = Arc::new(Wanted::open(&path).await.unwrap());
    let scene = scene(&wanted).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let keeper = {
        let wanted = Arc::clone(&wanted);
        tokio::spawn(async move {
            wanted
                .keep(std::time::Duration::from_secs(3600), async {
                    drop(stopped.await)
                })
                .await;
        })
    };
    scene.get("/v2/a/manifests/1").await.expect(404);
    assert!(!path.exists(), "not in the path of a request");
    stop.send(()).unwrap();
    keeper.await.unwrap();
    assert_eq!(names(&Wanted::open(&path).await.unwrap()), ["a:1"]);
}

#[tokio::test]
async fn the_list_is_one_that_save_reads() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    let asked = [("user-agent", DOCKER)];
    for _ in 0..2 {
        scene
            .send(Method::GET, "/v2/library/x/manifests/1", &asked, "")
            .await;
    }
    scene.get("/v2/a/b/manifests/2?ns=quay.io").await;
    let text = image_list(&wanted.list());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[1], lines[3], lines.len()),
        ("library/x:1", "quay.io/a/b:2", 4)
    );
    assert!(lines[0].starts_with("# 2 times, last 2"), "{text}");
    assert!(lines[0].ends_with("by 127.0.0.1, for linux/arm64"), "{text}");
    assert!(lines[2].starts_with("# once, last "), "{text}");
    assert!(text.ends_with('\n'));
    let json = json(&wanted.list());
    assert_eq!(json["images"][0]["reference"], "docker.io/library/x:1");
    assert_eq!(json["images"][0]["name"], "library/x:1");
    assert_eq!(json["images"][0]["count"], 2);
    assert!(json["images"][1]["first"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_flood_of_names_is_bounded() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    for number in 0..1500 {
        scene
            .get(&format!("/v2/scan/manifests/{number}"))
            .await
            .expect(404);
    }
    assert_eq!(wanted.len(), 1000, "one client has a share");
}

#[tokio::test]
async fn a_client_is_its_network_however_many_addresses_it_has() {
    let wanted = Arc::new(Wanted::in_memory());
    let scene = scene(&wanted).await;
    for number in 0..1500_u32 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number as u16);
        let peer = landfall_server::Peer {
            addr: (address, 4711).into(),
            ..PEER
        };
        let path = format!("/v2/scan/manifests/{number}");
        scene
            .send_from(peer, Method::GET, &path, &[], "")
            .await
            .expect(404);
    }
    assert_eq!(wanted.len(), 1000, "one client has a share");
}
