//! Debian's containerd: what runs the containers of every Kubernetes node that we supply.

use landfall_testkit::peers::{Containerd, DockerRegistry};
use landfall_testkit::proxy::Cut;
use landfall_testkit::{FakeRegistry, FaultProxy, Workload, run};

use super::fleet::{
    ALL, ATTESTED, BIG, DOCKER, DOCKER_LIST, QUAY, SINGLE, add_big, fleet, full, only, root, saved,
    saved_with, says,
};
use super::serving::Serving;
use super::stored;
use crate::place::Place;

/// All images are there under their full names, are what they were upstream, and run.
#[track_caller]
fn assert_has_and_runs(node: &Containerd, workload: &Workload) {
    for image in &workload.images {
        let name = image.name();
        assert_eq!(
            node.image_digest(&full(&name)),
            Some(image.root.to_string()),
            "{name}"
        );
        assert_eq!(node.run(&full(&name), "c").ok(), says(&name));
    }
}

#[test]
fn imports_our_bundles_and_runs_what_is_in_them() {
    let workload = fleet();
    let node = Containerd::start();
    node.import(&saved(&workload).path("bundle.tar"), &[]).ok();
    let mut names: Vec<_> = ALL.map(full).to_vec();
    names.sort();
    assert_eq!(node.images(), names);
    assert_has_and_runs(&node, &workload);
    // The whole of every index, for whoever exports it again.
    let node = Containerd::start();
    node.import(&saved(&workload).path("bundle.tar"), &["--all-platforms"])
        .ok();
    for manifest in workload.manifests.keys() {
        run(node.ctr().args(["content", "get", &manifest.to_string()])).ok();
    }
}

#[test]
fn imports_bundles_with_platforms_left_out() {
    let workload = fleet();
    let place = saved_with(&workload, &["--platform", "linux/amd64"]);
    let node = Containerd::start();
    node.import(&place.path("bundle.tar"), &[]).ok();
    assert_has_and_runs(&node, &workload);
}

#[test]
fn pulls_through_its_mirrors_from_the_registry_that_we_loaded() {
    let workload = fleet();
    let place = saved(&workload);
    let registry = DockerRegistry::empty();
    place
        .landfall(&["load", "bundle.tar", "-r", &registry.address()])
        .ok();
    let node = Containerd::start();
    node.mirror("docker.io", &registry.url());
    let below = format!("{}/v2/quay.io", registry.url());
    let lines =
        format!("[host.\"{below}\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n");
    node.write_hosts("quay.io", &lines);
    let all = node.pull(&full(ATTESTED), &["--all-platforms"]);
    assert!(
        !all.is_ok(),
        "containerd 1.6 took an attestation for a layer: {all}"
    );
    for name in ALL {
        node.pull(&full(name), &[]).ok();
    }
    assert_has_and_runs(&node, &workload);
}

#[test]
fn what_it_exports_we_push_and_load() {
    let workload = only(&[SINGLE, DOCKER, DOCKER_LIST, QUAY]);
    let upstream = FakeRegistry::with(&workload);
    let node = Containerd::start();
    let place = Place::new();
    node.mirror("docker.io", &upstream.url());
    for name in [SINGLE, DOCKER, DOCKER_LIST] {
        node.pull(&full(name), &["--all-platforms"]).ok();
    }
    let export = |names: &[&str], file: &str| {
        let mut command = node.ctr();
        command
            .args(["images", "export", "--all-platforms"])
            .arg(place.path(file));
        run(command.args(names.iter().map(|name| full(name)))).ok();
    };
    export(&[SINGLE, DOCKER, DOCKER_LIST], "all.tar");
    let registry = DockerRegistry::empty();
    place
        .landfall(&["load", "all.tar", "-r", &registry.address()])
        .ok();
    stored::assert_holds(&registry, &only(&[DOCKER, DOCKER_LIST]));
    // Nobody wrote `library/` here, as a list may.
    assert_eq!(
        stored::tag(&registry, "hello", "1"),
        Some(workload.image(SINGLE).root)
    );
    export(&[DOCKER_LIST], "one.tar");
    let target = format!("{}/elsewhere/agent:v2", registry.address());
    place.landfall(&["push", "one.tar", &target]).ok();
    let pushed = stored::tag(&registry, "elsewhere/agent", "v2");
    assert_eq!(pushed, Some(workload.image(DOCKER_LIST).root));
    let target = format!("{}/elsewhere/hello:v2", registry.address());
    place
        .landfall(&["push", "all.tar", &target, "--image", DOCKER])
        .ok();
    assert_eq!(
        stored::tag(&registry, "elsewhere/hello", "v2"),
        Some(workload.image(DOCKER).root)
    );
}

#[test]
fn pulls_from_bundles_in_place_by_the_names_it_has_always_used() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let node = Containerd::start();
    // One mirror for both: it tells the registry apart by `?ns=`.
    node.mirror("docker.io", serving.url());
    node.mirror("quay.io", serving.url());
    for name in ALL {
        node.pull(&full(name), &[]).ok();
    }
    assert_has_and_runs(&node, &workload);
    // By its own name too.
    node.mirror(serving.address(), serving.url());
    node.pull(&serving.name(QUAY), &["--plain-http"]).ok();
    assert_eq!(
        node.image_digest(&serving.name(QUAY)),
        Some(root(&workload, QUAY))
    );
}

#[test]
fn pulls_from_bundles_with_platforms_left_out() {
    let workload = fleet();
    let place = saved_with(&workload, &["--platform", "linux/amd64"]);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let node = Containerd::start();
    node.mirror("docker.io", serving.url());
    node.mirror("quay.io", serving.url());
    for name in ALL {
        node.pull(&full(name), &[]).ok();
    }
    assert_has_and_runs(&node, &workload);
}

#[test]
fn one_path_of_two_registries_is_two_images() {
    const NAMES: [&str; 2] = ["rancher/tool:v1", "quay.io/rancher/tool:v1"];
    let mut workload = Workload::hello(NAMES[0], &says(NAMES[0]));
    let other = Workload::hello(NAMES[1], &says(NAMES[1]));
    workload.images.extend(other.images);
    workload.manifests.extend(other.manifests);
    workload.blobs.extend(other.blobs);
    let place = saved(&workload);
    let bundle = Serving::start(&place, &["bundle.tar"]);
    let store = Serving::start(&place, &["--root", "store"]);
    place
        .landfall(&["load", "bundle.tar", "-r", store.address()])
        .ok();
    for serving in [bundle, store] {
        let node = Containerd::start();
        node.mirror("docker.io", serving.url());
        node.mirror("quay.io", serving.url());
        for name in NAMES {
            node.pull(&full(name), &[]).ok();
        }
        assert_has_and_runs(&node, &workload);
    }
}

#[test]
fn pulls_from_our_registry_with_tls_and_a_password() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start_private(&place, "s3cret", &["--root", "store"]);
    let mut load = place.command(&[
        "load",
        "bundle.tar",
        "-r",
        serving.address(),
        "--tls-ca",
        "tls/ca.crt",
    ]);
    run(load
        .env("LANDFALL_USERNAME", "admin")
        .env("LANDFALL_PASSWORD", "s3cret"))
    .ok();
    let node = Containerd::start();
    let authority = String::from_utf8(place.read("tls/ca.crt")).unwrap();
    for host in ["docker.io", "quay.io"] {
        node.mirror_tls(host, serving.url(), &authority);
    }
    let refused = node.pull(&full(SINGLE), &["--user", "admin:wrong"]);
    assert!(!refused.is_ok(), "{refused}");
    for name in ALL {
        node.pull(&full(name), &["--user", "admin:s3cret"]).ok();
    }
    assert_has_and_runs(&node, &workload);
    // Without a mirror, by the registry's own name.
    let own = serving.name(ATTESTED);
    node.mirror_tls(serving.address(), serving.url(), &authority);
    node.pull(&own, &["--user", "admin:s3cret"]).ok();
    assert_eq!(node.image_digest(&own), Some(root(&workload, ATTESTED)));
}

#[test]
fn pushes_into_our_registry() {
    let workload = only(&[DOCKER_LIST]);
    let place = saved(&workload);
    let node = Containerd::start();
    node.import(&place.path("bundle.tar"), &["--all-platforms", "--no-unpack"])
        .ok();
    let serving = Serving::start(&place, &["--root", "store"]);
    let mut push = node.ctr();
    push.args([
        "images",
        "push",
        "--plain-http",
        &serving.name("pushed/agent:v1"),
        &full(DOCKER_LIST),
    ]);
    run(&mut push).ok();
    place
        .landfall(&["pull", &serving.name("pushed/agent:v1"), "-o", "back.tar"])
        .ok();
    let about = place.landfall(&["inspect", "back.tar", "--output", "json"]).ok();
    assert!(about.contains(&root(&workload, DOCKER_LIST)), "{about}");
}

/// A layer that breaks off is asked for from where it broke off. (After a reset containerd gives up; the next pull
/// goes on or starts again, as its garbage collector has it.)
#[test]
fn goes_on_where_a_connection_was_cut() {
    const MIB: u64 = 1 << 20;
    let mut workload = Workload::new();
    add_big(&mut workload);
    let size = workload.blob_bytes();
    let place = saved(&workload);
    let bundle = Serving::start(&place, &["bundle.tar"]);
    let store = Serving::start(&place, &["--root", "store"]);
    place
        .landfall(&["load", "bundle.tar", "-r", store.address()])
        .ok();
    for serving in [bundle, store] {
        for cut in [Cut::Close(20 * MIB), Cut::Reset(20 * MIB)] {
            let proxy = FaultProxy::to(serving.port());
            // Whichever connections the layer comes over.
            for _ in 0..3 {
                proxy.cut_next(cut);
            }
            let node = Containerd::start();
            node.mirror("docker.io", &format!("http://{}", proxy.address()));
            let mut pulled = node.fetch(&full(BIG), &[]);
            // Each failure has used up at least one of the cuts.
            let mut again = if matches!(cut, Cut::Reset(_)) { 3 } else { 0 };
            while !pulled.is_ok() && again > 0 {
                pulled = node.fetch(&full(BIG), &[]);
                again -= 1;
            }
            pulled.ok();
            assert!(proxy.cuts() >= 1, "{cut:?}");
            let known = run(node.ctr().args(["content", "ls", "--quiet"])).ok();
            for digest in workload.blobs.keys() {
                assert!(known.contains(&digest.to_string()), "{cut:?}: {digest}");
            }
            if let Cut::Close(_) = cut {
                // What was on its way when it broke may come twice; the layer does not.
                let down = proxy.bytes_down();
                assert!(down < size + 10 * MIB, "{down} of {size}");
            }
        }
    }
}
