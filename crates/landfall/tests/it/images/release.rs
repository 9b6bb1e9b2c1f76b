//! What K3s and RKE2 need, from their release files.

use landfall_testkit::FileServer;

use super::{document, said};
use crate::place::Place;

const CORE: &[u8] =
    b"docker.io/rancher/rke2-runtime:v1.34.3-rke2r3\ndocker.io/rancher/nginx-ingress-controller:v1\n";
const CILIUM: &[u8] = b"docker.io/rancher/mirrored-cilium-cilium:v1.18.6\n";
const WINDOWS: &[u8] = b"docker.io/rancher/rke2-runtime:v1.34.3-rke2r3-windows-amd64\n";

fn rke2(place: &Place, server: &FileServer, more: &[&str]) -> landfall_testkit::Outcome {
    let url = server.url();
    let mut args = vec![
        "images",
        "rke2",
        "--version",
        "v1.34.3+rke2r3",
        "--release-url",
        &url,
    ];
    args.extend(more);
    place.landfall(&args)
}

#[test]
fn parts_are_chosen_and_said() {
    let place = Place::new();
    let server = FileServer::with([
        (
            "/v1.34.3%2Brke2r3/rke2-images-core.linux-arm64.txt",
            CORE.to_vec(),
        ),
        (
            "/v1.34.3%2Brke2r3/rke2-images-cilium.linux-arm64.txt",
            CILIUM.to_vec(),
        ),
        (
            "/v1.34.3%2Brke2r3/rke2-images.windows-amd64.txt",
            WINDOWS.to_vec(),
        ),
    ]);
    let made = rke2(
        &place,
        &server,
        &[
            "--cni",
            "cilium",
            "--with",
            "ingress-nginx",
            "--windows",
            "--arch",
            "arm64",
            "--output",
            "json",
        ],
    );
    let document = document(&made);
    let names: Vec<_> = document["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/rancher/mirrored-cilium-cilium:v1.18.6",
            "docker.io/rancher/nginx-ingress-controller:v1",
            "docker.io/rancher/rke2-runtime:v1.34.3-rke2r3",
            "docker.io/rancher/rke2-runtime:v1.34.3-rke2r3-windows-amd64",
            "docker.io/rancher/rke2-upgrade:v1.34.3-rke2r3",
            "docker.io/rancher/system-agent-installer-rke2:v1.34.3-rke2r3",
        ]
    );
    let cilium = &document["images"][0]["why"][0];
    assert_eq!(
        (&cilium["source"], &cilium["part"]),
        (&"rke2 v1.34.3+rke2r3".into(), &"cilium".into())
    );
    assert_eq!(cilium["place"], "rke2-images-cilium.linux-arm64.txt:1");
    let remarks = document["remarks"].to_string();
    assert!(
        remarks.contains("ingress-nginx has no list of its own") && remarks.contains("calico or flannel"),
        "{remarks}"
    );
}

#[test]
fn another_file_stands_in_for_one_that_is_not_there() {
    let place = Place::new();
    let all = [CORE, CILIUM].concat();
    let server = FileServer::with([("/v1.34.3%2Brke2r3/rke2-images-all.linux-amd64.txt", all)]);
    let made = rke2(&place, &server, &["--cni", "cilium", "--no-companions"]);
    said(
        &made,
        0,
        &[
            "rke2-images-core.linux-amd64.txt is not among",
            "rke2-images-all.linux-amd64.txt was read",
        ],
    );
    assert_eq!(made.stdout.lines().count(), 3);
    let whole = rke2(&place, &server, &["--no-companions"]);
    assert_eq!((whole.stdout, whole.stderr), (made.stdout, String::new()));
    let windows = rke2(&place, &server, &["--windows"]);
    said(
        &windows,
        2,
        &[
            "rke2-images.windows-amd64.txt is not there",
            "is v1.34.3+rke2r3 a release of rke2?",
        ],
    );
}

#[test]
fn names_with_a_default_registry() {
    let place = Place::new();
    place.scratch.write(
        "k3s-images.txt",
        "docker.io/rancher/mirrored-pause:3.6\ndocker.io/library/traefik:1\n",
    );
    let k3s = |more: &[&str]| {
        let mut args = vec!["images", "k3s", "k3s-images.txt"];
        args.extend(more);
        place.landfall(&args)
    };
    let made = k3s(&[
        "--version",
        "v1.30.4+k3s1",
        "--system-default-registry",
        "reg.example:5000/hub/",
    ]);
    assert_eq!(
        made.stdout,
        "reg.example:5000/hub/library/traefik:1\n\
         reg.example:5000/hub/rancher/k3s-upgrade:v1.30.4-k3s1\n\
         reg.example:5000/hub/rancher/mirrored-pause:3.6\n\
         reg.example:5000/hub/rancher/system-agent-installer-k3s:v1.30.4-k3s1\n"
    );
    said(
        &k3s(&[]),
        0,
        &["which release is this?", "docker.io/library/traefik:1"],
    );
    said(
        &k3s(&["--no-companions", "--system-default-registry", "foobar"]),
        0,
        &["foobar/rancher/mirrored-pause:3.6", "a path of Docker Hub"],
    );
    said(
        &k3s(&["--system-default-registry", "https://reg"]),
        2,
        &["without a scheme"],
    );
    said(&k3s(&["--version", "v1.30.4+rke2r1"]), 2, &["no version of k3s"]);
}

#[test]
fn files_of_rke2_say_themselves_which_release_they_are() {
    let place = Place::new();
    place.scratch.write("core.txt", CORE);
    let made = place.landfall(&["images", "rke2", "core.txt"]);
    said(&made, 0, &["docker.io/rancher/rke2-upgrade:v1.34.3-rke2r3"]);
    said(
        &place.landfall(&["images", "rke2", "core.txt", "--cni", "canal"]),
        2,
        &["with files given"],
    );
    said(&place.landfall(&["images", "rke2"]), 2, &["--version"]);
    said(
        &place.landfall(&["images", "rke2", "--version", "v1.2.3+rke2r1", "--cni", "weave"]),
        2,
        &["canal"],
    );
}
