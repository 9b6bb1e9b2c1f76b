//! Landfall's own image, in the runtimes of a cluster's nodes.

use landfall_testkit::peers::{Containerd, Dockerd};
use landfall_testkit::run;

use crate::place::Place;

const NAME: &str = "landfall/landfall:v1";

fn made() -> Place {
    let place = Place::new();
    place
        .landfall(&["self-image", "-o", "landfall.tar", "--name", NAME])
        .ok();
    place
}

fn version(place: &Place) -> String {
    place.landfall(&["--version"]).ok()
}

#[test]
fn runs_in_containerd() {
    let place = made();
    let node = Containerd::start();
    node.import(&place.path("landfall.tar"), &[]).ok();
    let name = format!("docker.io/{NAME}");
    let said = node.run_with(&name, "c", &["/usr/local/bin/landfall", "--version"]);
    assert_eq!(said.ok(), version(&place));
}

#[test]
fn runs_in_docker() {
    let place = made();
    let docker = Dockerd::start();
    docker.load(&place.path("landfall.tar")).ok();
    let mut command = docker.docker();
    let said = run(command.args(["run", "--rm", "--network", "none", NAME, "--version"]));
    assert_eq!(said.ok(), version(&place));
}
