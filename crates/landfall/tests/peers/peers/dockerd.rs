//! Debian's Docker: still where most images of private clusters are built, loaded and pushed from.

use landfall_testkit::peers::{Crane, DockerRegistry, Dockerd};
use landfall_testkit::{Workload, run};

use super::fleet::{ALL, DOCKER, DOCKER_LIST, QUAY, SINGLE, familiar, fleet, only, saved, saved_with, says};
use super::serving::Serving;
use super::stored;
use crate::place::Place;

#[test]
fn loads_our_bundles_and_runs_what_is_in_them() {
    let workload = fleet();
    for options in [&[][..], &["--platform", "linux/amd64"]] {
        let place = saved_with(&workload, options);
        let docker = Dockerd::start();
        docker.load(&place.path("bundle.tar")).ok();
        let mut names: Vec<_> = ALL.map(familiar).to_vec();
        let mut found = docker.images();
        names.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, names);
        for name in ALL {
            assert_eq!(docker.run(familiar(name)).ok(), says(name));
            assert_eq!(
                image_id(&docker, familiar(name)),
                config(&workload, name),
                "{name}"
            );
        }
    }
}

/// Docker's name for an image: the digest of its config.
fn image_id(docker: &Dockerd, name: &str) -> String {
    run(docker
        .docker()
        .args(["image", "inspect", "--format", "{{.Id}}", name]))
    .ok()
    .trim()
    .to_owned()
}

/// The digest of the config of an image, of its first platform where it has several.
fn config(workload: &Workload, name: &str) -> String {
    let manifest = workload.closure(workload.image(name).root)[0];
    manifest
        .view()
        .unwrap()
        .blobs()
        .next()
        .unwrap()
        .digest
        .to_string()
}

/// What a pulled image is known by: the digest that its registry gave.
fn pulled_digest(docker: &Dockerd, name: &str) -> String {
    let digests = run(docker.docker().args([
        "image",
        "inspect",
        "--format",
        "{{join .RepoDigests \" \"}}",
        name,
    ]))
    .ok();
    let repository = name.rsplit_once(':').unwrap().0;
    let found = digests
        .split_whitespace()
        .find_map(|digest| digest.strip_prefix(repository)?.strip_prefix('@'));
    found.unwrap_or_else(|| panic!("{name}: {digests}")).to_owned()
}

/// Pulls every image of the fleet from a registry, runs it, compares the digests.
#[track_caller]
fn assert_pulls(docker: &Dockerd, workload: &Workload, registry: &str) {
    for image in &workload.images {
        let name = image.name_in(registry);
        docker.pull(&name).ok();
        assert_eq!(docker.run(&name).ok(), says(&image.name()));
        assert_eq!(pulled_digest(docker, &name), image.root.to_string(), "{name}");
    }
}

#[test]
fn pulls_from_the_registry_that_we_loaded() {
    let workload = fleet();
    let place = saved(&workload);
    let registry = DockerRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &registry.address()])
        .ok();
    assert_pulls(&Dockerd::start(), &workload, &registry.address());
}

#[test]
fn what_it_pushes_and_saves_we_pull_and_load() {
    let workload = only(&[SINGLE, DOCKER]);
    let place = saved(&workload);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    let registry = DockerRegistry::empty();
    let name = format!("{}/built/hello:v2", registry.address());
    docker.tag(DOCKER, &name).ok();
    docker.push(&name).ok();
    let root = stored::tag(&registry, "built/hello", "v2").unwrap();
    place.scratch.write("list.txt", "built/hello:v2\n");
    place.save(&registry.address(), "built.tar", &[]).ok();
    place.landfall(&["verify", "built.tar"]).ok();
    let about = place.landfall(&["inspect", "built.tar", "--output", "json"]).ok();
    assert!(about.contains(&root.to_string()), "{about}");
}

#[test]
fn pulls_from_bundles_in_place() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    assert_pulls(&Dockerd::start(), &workload, serving.address());
}

#[test]
fn pulls_by_its_own_names_when_we_are_its_mirror() {
    let workload = only(&[SINGLE, DOCKER, DOCKER_LIST]);
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let docker = Dockerd::start_with(&["--registry-mirror", serving.url()]);
    for name in [SINGLE, DOCKER, DOCKER_LIST] {
        docker.pull(familiar(name)).ok();
        assert_eq!(docker.run(familiar(name)).ok(), says(name));
    }
}

#[test]
fn logs_in_and_pushes_into_our_registry() {
    let workload = only(&[DOCKER, QUAY]);
    let place = saved(&workload);
    let serving = Serving::start_private(&place, "s3cret", &["--root", "store"]);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    for name in [DOCKER, QUAY] {
        docker.tag(name, &serving.name(name)).ok();
    }
    assert!(!docker.push(&serving.name(DOCKER)).is_ok());
    let refused = docker.login(serving.address(), "admin", "wrong");
    assert!(!refused.is_ok() && refused.stderr.contains("401"), "{refused}");
    docker.login(serving.address(), "admin", "s3cret").ok();
    for name in [DOCKER, QUAY] {
        docker.push(&serving.name(name)).ok();
    }
    assert_pushed(&place, &serving, &docker, &workload);
}

/// What was pushed, we pull as whole images; and Docker pulls it again and runs it.
#[track_caller]
fn assert_pushed(place: &Place, serving: &Serving, docker: &Dockerd, workload: &Workload) {
    place.scratch.write("list.txt", format!("{DOCKER}\n{QUAY}\n"));
    let args = [
        "save",
        "-l",
        "list.txt",
        "-o",
        "pushed.tar",
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
    place.landfall(&["verify", "pushed.tar"]).ok();
    let crane = Crane::new();
    crane.login(serving.address(), "admin", "s3cret").ok();
    for name in [DOCKER, QUAY] {
        let given = pulled_digest(docker, &serving.name(name));
        assert_eq!(crane.digest(&serving.name(name)), given);
        docker.remove(&serving.name(name)).ok();
        docker.remove(name).ok();
        docker.pull(&serving.name(name)).ok();
        assert_eq!(docker.run(&serving.name(name)).ok(), says(name));
        assert_eq!(
            image_id(docker, &serving.name(name)),
            config(workload, name),
            "{name}"
        );
    }
}

/// On loopback Docker needs no TLS, and where nobody asks for a password no login.
#[test]
fn loads_pushes_and_pulls_over_plain_http() {
    let workload = only(&[DOCKER]);
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar", "--root", "store"]);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    // Its layers are in the bundle: what is pushed there stands beside them.
    for name in [
        serving.name("rancher/hello:v2"),
        serving.name("elsewhere/hello:v1"),
    ] {
        docker.tag(DOCKER, &name).ok();
        docker.push(&name).ok();
        let given = pulled_digest(&docker, &name);
        docker.remove(&name).ok();
        docker.pull(&name).ok();
        assert_eq!(docker.run(&name).ok(), says(DOCKER));
        assert_eq!(pulled_digest(&docker, &name), given);
        assert_eq!(image_id(&docker, &name), config(&workload, DOCKER));
    }
    // What the bundle holds cannot be moved.
    let shadowed = serving.name(DOCKER);
    docker.tag(DOCKER, &shadowed).ok();
    let refused = docker.push(&shadowed);
    assert!(!refused.is_ok(), "{refused}");
}
