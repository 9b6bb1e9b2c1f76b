//! The gateway between real programs: Debian's docker-registry with a password behind it, every runtime before it.

use landfall_testkit::certs::LOOPBACK;
use landfall_testkit::peers::docker_registry::Options;
use landfall_testkit::peers::{Containerd, DockerRegistry, Dockerd, Podman, Skopeo};
use landfall_testkit::{Authority, Workload, run};

use super::fleet::{ALL, DOCKER, DOCKER_LIST, QUAY, SINGLE, familiar, fleet, full, only, root, says};
use super::serving::Serving;
use crate::place::Place;

const USER: &str = "puller";
const PASSWORD: &str = "s3cret";

/// A hub without TLS and a quay with its own authority, both with a password that only the gateway knows.
struct World {
    workload: Workload,
    hub: Option<DockerRegistry>,
    quay: Option<DockerRegistry>,
    serving: Serving,
    place: Place,
}

impl World {
    fn new(args: &[&str]) -> Self {
        let place = Place::new();
        let authority = Authority::new();
        place.scratch.write("quay.crt", authority.certificate());
        let mut options = Options {
            account: Some((USER.to_owned(), PASSWORD.to_owned())),
            ..Options::default()
        };
        let hub = DockerRegistry::start_with(&options, &fleet());
        options.tls = Some(authority.issue(&LOOPBACK));
        let mut tool = only(&[QUAY]);
        tool.images[0].repository = "jetstack/tool".parse().unwrap();
        let quay = DockerRegistry::start_with(&options, &tool);
        let auth = format!("    auth: {{username: {USER}, password: {PASSWORD}}}\n");
        let yaml = format!(
            "mirrors:\n  docker.io:\n    endpoint: [\"{}\"]\n  quay.io:\n    endpoint: [\"{}\"]\n\
             configs:\n  \"{}\":\n{auth}  \"{}\":\n{auth}    tls: {{ca_file: quay.crt}}\n",
            hub.url(),
            quay.url(),
            hub.address(),
            quay.address(),
        );
        place.scratch.write("registries.yaml", yaml);
        let mut all = vec!["--root", "store", "--upstreams", "registries.yaml"];
        all.extend(args);
        Self {
            workload: fleet(),
            hub: Some(hub),
            quay: Some(quay),
            serving: Serving::start(&place, &all),
            place,
        }
    }

    /// Nobody is there any more but the gateway.
    fn cut_off(&mut self) {
        self.hub = None;
        self.quay = None;
    }
}

/// One line for all registries is all that a node needs to know; and then not even they are needed.
#[test]
fn containerd_pulls_everything_by_one_mirror() {
    let mut world = World::new(&[]);
    for round in 0..2 {
        let node = Containerd::start();
        node.mirror("_default", world.serving.url());
        for name in ALL {
            let name_in_full = full(name);
            let pulled = node.pull(&name_in_full, &[]);
            assert!(pulled.is_ok(), "round {round}: {pulled}");
            assert_eq!(
                node.image_digest(&name_in_full),
                Some(root(&world.workload, name)),
                "round {round}: {name}"
            );
            assert_eq!(node.run(&name_in_full, "one").ok(), says(name));
        }
        world.cut_off();
    }
}

#[test]
fn podman_pulls_by_the_location_of_a_mirror() {
    let world = World::new(&[]);
    let mirror = |location: &str| {
        format!(
            "[[registry]]\nlocation = \"{location}\"\n[[registry.mirror]]\nlocation = \"{}/{location}\"\n\
             insecure = true\n",
            world.serving.address()
        )
    };
    let file = world
        .place
        .scratch
        .write("registries.conf", mirror("docker.io") + &mirror("quay.io"));
    let policy = world.place.scratch.write(
        "policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    );
    let podman = Podman::new();
    for name in ALL {
        let mut pull = podman.podman();
        pull.env("CONTAINERS_REGISTRIES_CONF", &file);
        pull.args(["pull", "--quiet", "--signature-policy"]).arg(&policy);
        run(pull.arg(full(name))).ok();
        assert_eq!(podman.run(&full(name)).ok(), says(name));
    }
}

#[test]
fn skopeo_copies_whole_indexes() {
    let mut world = World::new(&[]);
    let skopeo = Skopeo::new();
    for round in ["first", "second"] {
        for (number, name) in ALL.into_iter().enumerate() {
            let from = format!("docker://{}/{}", world.serving.address(), full(name));
            let to = world.place.path(&format!("{round}-{number}"));
            skopeo.copy(&from, &format!("dir:{}", to.display()), &[]).ok();
            let raw = skopeo.raw_manifest(&from).ok();
            let known = world.workload.closure(world.workload.image(name).root);
            assert_eq!(raw.as_bytes(), known.last().unwrap().bytes, "{name}");
        }
        world.cut_off();
    }
}

/// Docker's mirrors are for Docker Hub and never say so.
#[test]
fn dockerd_pulls_by_its_registry_mirror() {
    let mut world = World::new(&["--upstream-bare", "docker.io"]);
    for _ in 0..2 {
        let docker = Dockerd::start_with(&["--registry-mirror", world.serving.url()]);
        for name in [SINGLE, DOCKER, DOCKER_LIST] {
            docker.pull(familiar(name)).ok();
            assert_eq!(docker.run(familiar(name)).ok(), says(name));
        }
        // What is of another registry has it in its path.
        let quay = world.serving.name(QUAY);
        docker.pull(&quay).ok();
        assert_eq!(docker.run(&quay).ok(), says(QUAY));
        world.cut_off();
    }
}
