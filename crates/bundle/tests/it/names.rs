//! Look-ups by repository and tag, as a registry that serves the bundle answers them.

use landfall_bundle::Bundle;
use landfall_oci::{Registry, Repository, Target};
use serde_json::json;

use crate::support::{noise, scratch, tar_of, world};

fn repository(text: &str) -> Repository {
    text.parse().unwrap()
}

fn registry(text: &str) -> Registry {
    text.parse().unwrap()
}

#[test]
fn images_are_where_people_look_for_them() {
    let mut world = world();
    let hidden = world.image("linux/amd64", &[noise(8, 8)]);
    world.name("reg.local:5000/team/hidden:1", &hidden);
    let dir = scratch();
    let bundle = Bundle::open(&world.write(&dir.path().join("b.tar"))).unwrap();
    let listed: Vec<_> = bundle.repositories().iter().map(ToString::to_string).collect();
    assert_eq!(listed, ["library/busybox", "quay.io/team/app", "rancher/tool"]);
    let find = |path: &str, ns: Option<&str>, target: &str| {
        let ns = ns.map(registry);
        let target: Target = target.parse().unwrap();
        bundle
            .resolve(&repository(path), ns.as_ref(), &target)
            .map(|found| found.digest)
    };
    let (index, plain) = (world.images[0].root.digest, world.images[1].root.digest);
    assert_eq!(find("library/busybox", None, "1.36"), Some(index));
    assert_eq!(find("busybox", None, "1.36"), Some(index));
    assert_eq!(find("busybox", Some("docker.io"), "1.36"), Some(index));
    assert_eq!(find("busybox", Some("index.docker.io"), "1.36"), Some(index));
    assert_eq!(find("busybox", None, "1.37"), None);
    assert_eq!(find("quay.io/team/app", None, "v2"), Some(plain));
    assert_eq!(find("team/app", None, "v2"), None);
    assert_eq!(find("team/app", Some("quay.io"), "v2"), Some(plain));
    assert_eq!(find("team/app", Some("docker.io"), "v2"), None);
    assert_eq!(
        find("team/hidden", Some("reg.local:5000"), "1"),
        Some(hidden.digest)
    );
    assert_eq!(find("team/hidden", None, "1"), None);
    let tags = bundle.tags(&repository("busybox"), None).unwrap();
    assert_eq!(tags, ["1.36".parse().unwrap()]);
    assert_eq!(bundle.tags(&repository("nothing"), None), None);
}

#[test]
fn digests_belong_to_the_repositories_that_lead_to_them() {
    let world = world();
    let dir = scratch();
    let bundle = Bundle::open(&world.write(&dir.path().join("b.tar"))).unwrap();
    let member = world.manifests[&world.images[0].root.digest]
        .view()
        .unwrap()
        .children()[0]
        .digest;
    let find = |path: &str| bundle.resolve(&repository(path), None, &Target::Digest(member));
    assert_eq!(find("library/busybox").unwrap().digest, member);
    assert_eq!(find("quay.io/team/app"), None);
    let layer = world.blobs.keys().next().unwrap();
    let target = Target::Digest(*layer);
    assert_eq!(
        bundle.resolve(&repository("library/busybox"), None, &target),
        None
    );
}

#[test]
fn names_of_other_tools_are_understood() {
    let mut world = world();
    let image = world.image("linux/amd64", &[noise(8, 8)]);
    let root = image.descriptor();
    let named = |annotations: serde_json::Value| json!({"mediaType": root.media_type, "digest": root.digest, "size": root.size, "annotations": annotations});
    let index = json!({"schemaVersion": 2, "manifests": [
        named(json!({"io.containerd.image.name": "docker.io/library/a:1", "org.opencontainers.image.ref.name": "1"})),
        named(json!({"org.opencontainers.image.ref.name": "quay.io/b/c"})),
        named(json!({"org.opencontainers.image.ref.name": "v7"})),
        named(json!({})),
    ]});
    let dir = scratch();
    let path = dir.path().join("other.tar");
    std::fs::write(&path, tar_of(&[("./index.json", index.to_string().as_bytes())])).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    let references = |bundle: &Bundle| {
        let all = bundle
            .images()
            .iter()
            .map(|image| image.reference.as_ref().map(ToString::to_string));
        all.collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        references(&bundle),
        [
            some("docker.io/library/a:1"),
            some("quay.io/b/c:latest"),
            None,
            None
        ]
    );
    assert_eq!(bundle.images()[2].name, "v7");
    assert_eq!(bundle.images()[3].name, "");
    let named = bundle.with_repository(&registry("example.org"), &repository("team/x"));
    assert_eq!(references(&named)[2..], [some("example.org/team/x:v7"), None]);
    let target: Target = "v7".parse().unwrap();
    assert!(
        named
            .resolve(&repository("example.org/team/x"), None, &target)
            .is_some()
    );
}
