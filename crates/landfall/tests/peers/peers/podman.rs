//! Debian's podman: Docker's commands without its daemon, over the libraries that skopeo and CRI-O share.

use landfall_testkit::peers::{Crane, DockerRegistry, Podman};
use landfall_testkit::run;

use super::fleet::{ALL, DOCKER, DOCKER_LIST, SINGLE, fleet, full, only, saved, saved_with, says};
use super::serving::Serving;
use super::stored;

#[test]
fn loads_our_bundles_and_runs_what_is_in_them() {
    let one = saved(&only(&[SINGLE]));
    let podman = Podman::new();
    podman.load(&one.path("bundle.tar")).ok();
    assert_eq!(podman.run(&full(SINGLE)).ok(), says(SINGLE));
    for options in [&[][..], &["--platform", "linux/amd64"]] {
        let place = saved_with(&fleet(), options);
        let podman = Podman::new();
        podman.load(&place.path("bundle.tar")).ok();
        let mut names: Vec<_> = ALL.map(full).to_vec();
        let mut found = podman.images();
        names.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, names);
        for name in ALL {
            assert_eq!(podman.run(&full(name)).ok(), says(name));
        }
    }
}

#[test]
fn what_it_saves_we_push_and_load() {
    let workload = only(&[SINGLE, DOCKER]);
    let place = saved(&workload);
    let podman = Podman::new();
    podman.load(&place.path("bundle.tar")).ok();
    podman
        .save("oci-archive", &[&full(SINGLE)], &place.path("podman.tar"))
        .ok();
    let registry = DockerRegistry::empty();
    let target = format!("{}/from/podman:1", registry.address());
    place.landfall(&["push", "podman.tar", &target]).ok();
    place
        .landfall(&["load", "podman.tar", "-r", &registry.address()])
        .ok();
    assert!(stored::tag(&registry, "from/podman", "1").is_some());
    assert_eq!(
        stored::tag(&registry, "hello", "1"),
        stored::tag(&registry, "from/podman", "1")
    );
    let other = Podman::new();
    other.pull(&target).ok();
    assert_eq!(other.run(&target).ok(), says(SINGLE));
}

#[test]
fn pulls_from_bundles_in_place_and_pushes_into_our_registry() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let store = Serving::start_private(&place, "s3cret", &["--root", "store"]);
    let podman = Podman::new();
    assert!(!podman.login(store.address(), "admin", "wrong").is_ok());
    podman.login(store.address(), "admin", "s3cret").ok();
    let crane = Crane::new();
    crane.login(store.address(), "admin", "s3cret").ok();
    for name in [SINGLE, DOCKER_LIST] {
        podman.pull(&serving.name(name)).ok();
        assert_eq!(podman.run(&serving.name(name)).ok(), says(name));
        podman.push(&serving.name(name), &store.name(name)).ok();
        crane.validate(&store.name(name)).ok();
        let other = Podman::new();
        assert!(!other.pull(&store.name(name)).is_ok());
        other.login(store.address(), "admin", "s3cret").ok();
        other.pull(&store.name(name)).ok();
        assert_eq!(other.run(&store.name(name)).ok(), says(name));
    }
    let back = [
        "pull",
        &store.name(SINGLE),
        "-o",
        "back.tar",
        "--tls-ca",
        "tls/ca.crt",
    ];
    run(place
        .command(&back)
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", "s3cret"))
    .ok();
    place.landfall(&["verify", "back.tar"]).ok();
}

#[test]
fn pulls_by_the_names_it_has_always_used_when_we_are_its_mirror() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    // As on a node with CRI-O, which reads the same file. No `?ns=` here: the registry is part of the path.
    let mirror = |location: &str, path: &str| {
        format!(
            "[[registry]]\nlocation = \"{location}\"\n[[registry.mirror]]\nlocation = \"{}{path}\"\ninsecure = true\n",
            serving.address()
        )
    };
    let lines = mirror("docker.io", "") + &mirror("quay.io", "/quay.io");
    let file = place.scratch.write("registries.conf", lines);
    let podman = Podman::new();
    for name in ALL {
        let policy = place.scratch.write(
            "policy.json",
            r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
        );
        let mut pull = podman.podman();
        pull.env("CONTAINERS_REGISTRIES_CONF", &file);
        pull.args(["pull", "--quiet", "--signature-policy"]).arg(policy);
        run(pull.arg(full(name))).ok();
        assert_eq!(podman.run(&full(name)).ok(), says(name));
    }
}
