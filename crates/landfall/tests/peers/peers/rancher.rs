//! Rancher's scripts with the real Docker on one side and us on the other: what each saves, the other loads.

use std::process::Command;

use landfall_testkit::peers::{DockerRegistry, Dockerd};
use landfall_testkit::{Workload, run};

use crate::place::Place;

const LIST: [&str; 2] = ["rancher/hello:1", "hello:2"];
const TARGETS: [&str; 2] = ["rancher/hello:1", "rancher/hello:2"];
const SAYS: &str = "hello from the other side of the gap\n";

fn source() -> DockerRegistry {
    let mut workload = Workload::hello(LIST[0], SAYS);
    workload.tag(LIST[1], workload.images[0].root);
    DockerRegistry::with(&workload)
}

fn place() -> Place {
    let place = Place::new();
    place.scratch.write("rancher-images.txt", LIST.join("\n") + "\n");
    place
}

/// Pulls the images of a registry that was filled, and runs them.
fn assert_runs(docker: &Dockerd, registry: &DockerRegistry) {
    for target in TARGETS {
        let name = format!("{}/{target}", registry.address());
        docker.pull(&name).ok();
        assert_eq!(docker.run(&name).ok(), SAYS, "{name}");
    }
}

/// What the load script does with Docker: `docker load --input`, then for each line `docker tag SOURCE/LINE
/// TARGET/LINE` (below `rancher/` when the line has no path) and `docker push`.
#[test]
fn the_load_script_loads_what_we_save() {
    let (source, target, place) = (source(), DockerRegistry::empty(), place());
    place
        .landfall(&["rancher-save-images", "-s", &source.address()])
        .ok();
    let docker = Dockerd::start();
    docker.load(&place.path("rancher-images.tar.gz")).ok();
    for (line, place) in LIST.iter().zip(TARGETS) {
        let name = format!("{}/{place}", target.address());
        docker.tag(&format!("{}/{line}", source.address()), &name).ok();
        docker.push(&name).ok();
        docker.remove(&name).ok();
        docker.remove(&format!("{}/{line}", source.address())).ok();
    }
    assert_runs(&docker, &target);
}

/// What the save script does with Docker: `docker pull SOURCE/LINE`, then `docker save … | gzip`.
#[test]
fn we_load_what_the_save_script_saves() {
    let (source, target, place) = (source(), DockerRegistry::empty(), place());
    let docker = Dockerd::start();
    let names = LIST.map(|line| format!("{}/{line}", source.address()));
    for name in &names {
        docker.pull(name).ok();
    }
    let references: Vec<_> = names.iter().map(String::as_str).collect();
    docker.save(&references, &place.path("rancher-images.tar")).ok();
    run(Command::new("gzip").arg(place.path("rancher-images.tar"))).ok();
    // With the source and without it; the second time everything is there, for it is compressed the same way again.
    place
        .landfall(&[
            "rancher-load-images",
            "-r",
            &target.address(),
            "-s",
            &source.address(),
        ])
        .ok();
    let outcome = place.landfall(&["rancher-load-images", "-r", &target.address()]);
    assert!(outcome.stdout.contains("2 images there already"), "{outcome}");
    for name in &names {
        docker.remove(name).ok();
    }
    assert_runs(&docker, &target);
}
