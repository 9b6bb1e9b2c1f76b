//! crane, from go-containerregistry: the library below ko, cosign, Tekton and many more.

use landfall_testkit::Workload;
use landfall_testkit::digest::sha256;
use landfall_testkit::peers::{Crane, DockerRegistry};
use landfall_testkit::run;
use landfall_testkit::workload::Image;

use super::fleet::{
    ALL, ATTESTED, BIG, DOCKER, DOCKER_LIST, QUAY, SINGLE, add_big, fleet, only, root, saved,
};
use super::serving::Serving;
use super::stored;
use crate::place::{Place, same_bytes};

/// Every name answers with its digest, its bytes and its tags; what crane can validate is valid.
#[track_caller]
fn assert_reads(crane: &Crane, workload: &Workload, registry: &str) {
    for image in &workload.images {
        let name = image.name_in(registry);
        assert_eq!(crane.digest(&name), image.root.to_string());
        let manifest = run(crane.crane().args(["manifest", "--insecure", &name])).ok();
        assert_eq!(sha256(manifest.as_bytes()), image.root, "{name}");
        assert_eq!(crane.tags(name.rsplit_once(':').unwrap().0), [image.tag.as_str()]);
        // It takes an attestation's statement for a layer, whatever the registry; the big layer is no tar.
        if ![ATTESTED, BIG].contains(&image.name().as_str()) {
            crane.validate(&name).ok();
        }
    }
}

#[test]
fn reads_the_registry_that_we_loaded() {
    let workload = fleet();
    let place = saved(&workload);
    let registry = DockerRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &registry.address()])
        .ok();
    assert_reads(&Crane::new(), &workload, &registry.address());
}

#[test]
fn what_it_pulls_we_push() {
    let workload = fleet();
    let upstream = DockerRegistry::with(&workload);
    let registry = DockerRegistry::empty();
    let (crane, place) = (Crane::new(), Place::new());
    for (n, name) in ALL.into_iter().enumerate() {
        let layout = place.path(&format!("layout{n}"));
        crane
            .pull("oci", &[&format!("{}/{name}", upstream.address())], &layout)
            .ok();
        let target = format!("{}/pushed/image{n}:1", registry.address());
        place.landfall(&["push", layout.to_str().unwrap(), &target]).ok();
        assert_eq!(crane.digest(&target), root(&workload, name));
    }
}

#[test]
fn what_it_pulls_under_names_we_load() {
    let workload = only(&[DOCKER, ATTESTED, QUAY]);
    let upstream = DockerRegistry::with(&workload);
    let registry = DockerRegistry::empty();
    let (crane, place) = (Crane::new(), Place::new());
    let mut pull = crane.crane();
    pull.args(["pull", "--insecure", "--format", "oci", "--annotate-ref"]);
    pull.args([DOCKER, ATTESTED, QUAY].map(|name| format!("{}/{name}", upstream.address())));
    run(pull.arg(place.path("layout"))).ok();
    let load = ["load", "layout", "-r", &registry.address()];
    let refused = place.landfall(&load);
    assert_eq!(refused.code(), Some(2), "a port in a name: {refused}");
    let map = format!("{}=", upstream.address());
    place.landfall(&[&load[..], &["--map", &map]].concat()).ok();
    stored::assert_holds(&registry, &workload);
}

#[test]
fn pushes_what_we_pull() {
    let workload = only(&[SINGLE, DOCKER_LIST]);
    let upstream = DockerRegistry::with(&workload);
    let registry = DockerRegistry::empty();
    let (crane, place) = (Crane::new(), Place::new());
    for (name, options) in [(SINGLE, &[][..]), (DOCKER_LIST, &["--index"])] {
        place
            .landfall(&["pull", &format!("{}/{name}", upstream.address()), "-o", "layout"])
            .ok();
        crane
            .push(
                &place.path("layout"),
                &format!("{}/{name}", registry.address()),
                options,
            )
            .ok();
        std::fs::remove_dir_all(place.path("layout")).unwrap();
    }
    let single = only(&[SINGLE]);
    stored::assert_holds(&registry, &single);
    // With --index it pushes the layout's own index, whose only member is ours.
    let pushed = registry.stored_manifest("rancher/agent", "v1").unwrap();
    assert!(
        String::from_utf8(pushed)
            .unwrap()
            .contains(&root(&workload, DOCKER_LIST))
    );
    // Our single-platform tar is a docker-archive to it.
    let docker = only(&[DOCKER]);
    let place = saved(&docker);
    let target = format!("{}/tarball:1", registry.address());
    crane.push(&place.path("bundle.tar"), &target, &[]).ok();
    crane.validate(&target).ok();
}

#[test]
fn reads_and_copies_from_bundles_in_place() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let crane = Crane::new();
    assert_reads(&crane, &workload, serving.address());
    let catalog = run(crane.crane().args(["catalog", "--insecure", serving.address()])).ok();
    let mut names: Vec<_> = workload
        .images
        .iter()
        .map(|image| image.repository.to_string())
        .collect();
    names.sort();
    for name in &names {
        assert!(
            catalog.lines().any(|line| line == name),
            "{name} is not in {catalog}"
        );
    }
    let registry = DockerRegistry::empty();
    for name in ALL {
        crane
            .copy(&serving.name(name), &format!("{}/{name}", registry.address()))
            .ok();
    }
    stored::assert_holds(&registry, &workload);
    crane
        .pull("oci", &[&serving.name(QUAY)], &place.path("layout"))
        .ok();
    crane
        .pull("tarball", &[&serving.name(DOCKER)], &place.path("tarball"))
        .ok();
    let refused = crane.copy(&serving.name(SINGLE), &serving.name("new/hello:1"));
    assert!(!refused.is_ok(), "{refused}");
}

#[test]
fn copies_and_pushes_into_our_registry() {
    let mut workload = fleet();
    add_big(&mut workload);
    let place = saved(&workload);
    let upstream = DockerRegistry::with(&workload);
    let serving = Serving::start_private(&place, "s3cret", &["--root", "store"]);
    let crane = Crane::new();
    let target = serving.name(SINGLE);
    assert!(
        !crane
            .copy(&format!("{}/{SINGLE}", upstream.address()), &target)
            .is_ok()
    );
    crane.login(serving.address(), "admin", "s3cret").ok();
    for name in workload.images.iter().map(Image::name) {
        crane
            .copy(&format!("{}/{name}", upstream.address()), &serving.name(&name))
            .ok();
    }
    assert_reads(&crane, &workload, serving.address());
    let args = [
        "save",
        "-l",
        "list.txt",
        "-o",
        "again.tar",
        "--from",
        serving.address(),
        "--tls-ca",
        "tls/ca.crt",
    ];
    let mut save = place.command(&args);
    run(save
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", "s3cret"))
    .ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("again.tar")));
    crane
        .pull("oci", &[&serving.name(SINGLE)], &place.path("layout"))
        .ok();
    crane
        .push(&place.path("layout"), &serving.name("pushed/hello:1"), &[])
        .ok();
    assert_eq!(
        crane.digest(&serving.name("pushed/hello:1")),
        root(&workload, SINGLE)
    );
    run(crane
        .crane()
        .args(["delete", "--insecure"])
        .arg(serving.name(&format!("pushed/hello@{}", root(&workload, SINGLE)))))
    .ok();
    assert!(!crane.validate(&serving.name("pushed/hello:1")).is_ok());
}

/// crane's builders: a layer on top, labels changed, tags moved and taken away; each is a push of its own shape.
#[test]
fn builds_and_deletes_in_our_registry() {
    let workload = only(&[SINGLE, DOCKER]);
    let place = saved(&workload);
    let private = Serving::start_private(&place, "s3cret", &["bundle.tar", "--root", "private"]);
    let open = Serving::start(&place, &["bundle.tar", "--root", "open"]);
    let layer = place.path("layer.tar");
    place.scratch.write("note.txt", "a file more\n");
    run(std::process::Command::new("tar")
        .args(["cf", "layer.tar", "note.txt"])
        .current_dir(place.scratch.path()))
    .ok();
    for serving in [private, open] {
        let crane = Crane::new();
        crane.login(serving.address(), "admin", "s3cret").ok();
        let crane_does = |args: &[&str]| run(crane.crane().arg("--insecure").args(args));
        // The base is in the bundle, the image upon it in the directory.
        let (base, built) = (serving.name(DOCKER), serving.name("built/hello:1"));
        let layer = layer.to_str().unwrap();
        crane_does(&[
            "append",
            "--base",
            &base,
            "--new_layer",
            layer,
            "--new_tag",
            &built,
        ])
        .ok();
        crane.validate(&built).ok();
        assert!(crane_does(&["export", &built, "-"]).ok().contains("a file more"));
        let labelled = serving.name("built/hello:labelled");
        crane_does(&["mutate", &built, "--label", "made=here", "--tag", &labelled]).ok();
        crane.validate(&labelled).ok();
        assert!(
            crane_does(&["config", &labelled])
                .ok()
                .contains("\"made\":\"here\"")
        );
        assert_ne!(crane.digest(&built), crane.digest(&labelled));
        crane_does(&["tag", &built, "2"]).ok();
        let repository = serving.name("built/hello");
        assert_eq!(crane.tags(&repository), ["1", "2", "labelled"]);
        // One tag goes, the image stays; then the image, and its other tag with it.
        crane_does(&["delete", &built]).ok();
        assert_eq!(crane.tags(&repository), ["2", "labelled"]);
        let two = serving.name("built/hello:2");
        crane.validate(&two).ok();
        crane_does(&["delete", &format!("{repository}@{}", crane.digest(&two))]).ok();
        assert_eq!(crane.tags(&repository), ["labelled"]);
        let catalog = crane_does(&["catalog", serving.address()]).ok();
        let all: Vec<_> = catalog.lines().collect();
        assert_eq!(all, ["built/hello", "library/hello", "rancher/hello"]);
    }
}
