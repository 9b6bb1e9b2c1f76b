//! `registries explain`: every attempt with its causes, for both consumers.

use super::{PASSWORD, document, said};
use crate::place::Place;

const FILE: &str = r#"mirrors:
  docker.io:
    endpoint:
      - "https://mirror.example/"
    rewrite:
      "^rancher/(.*)": "demo/$1"
  "*":
    endpoint: ["http://10.0.0.1:5000"]
configs:
  mirror.example:
    auth: {username: admin, password: PASSWORD}
    tls: {ca_file: /opt/ca.crt}
"#;

fn place() -> Place {
    let place = Place::new();
    place
        .scratch
        .write("registries.yaml", FILE.replace("PASSWORD", PASSWORD));
    place
}

#[test]
fn each_attempt_is_tied_to_its_lines() {
    let place = place();
    let told = place.landfall(&["registries", "explain", "registries.yaml", "rancher/nginx:1.27"]);
    said(
        &told,
        0,
        &[
            "1. HEAD https://mirror.example/v2/demo/nginx/manifests/1.27?ns=docker.io",
            "endpoint at registries.yaml:4:9",
            "rewrite at registries.yaml:6:7",
            "credential at registries.yaml:11:",
            "TLS at registries.yaml:12:",
            "user admin and a password (hidden)",
            "trusts /opt/ca.crt",
            "2. HEAD https://registry-1.docker.io/v2/rancher/nginx/manifests/1.27\n",
            "token scope  repository:demo/nginx:pull",
            "the node shows: docker.io/rancher/nginx:1.27: not found",
            "https://index.docker.io/v2/rancher/nginx/manifests/1.27",
        ],
    );
}

#[test]
fn json_says_the_same_and_lists_go_through() {
    let place = place();
    place
        .scratch
        .write("list.txt", "rancher/nginx:1.27\nghcr.io/a/b:1\n");
    let arguments = [
        "registries",
        "explain",
        "registries.yaml",
        "-l",
        "list.txt",
        "--output",
        "json",
    ];
    let told = place.landfall(&arguments);
    said(&told, 0, &[]);
    let document = document(&told);
    let first = &document["images"][0]["containerd"];
    assert_eq!(first["attempts"][0]["repository"], "demo/nginx");
    assert_eq!(first["attempts"][0]["auth"]["username"], "admin");
    assert_eq!(first["attempts"][0]["because"]["rewrite"], "registries.yaml:6:7");
    assert_eq!(document["images"][0]["wharfie"]["same"], false);
    let second = &document["images"][1];
    assert_eq!(
        second["containerd"]["attempts"][0]["url"],
        "http://10.0.0.1:5000/v2/a/b/manifests/1?ns=ghcr.io"
    );
    assert_eq!(second["wharfie"]["same"], true);
}

#[test]
fn versions_and_flags_of_the_node_count() {
    let place = place();
    let explain = |more: &[&str]| {
        let mut arguments = vec![
            "registries",
            "explain",
            "registries.yaml",
            "--image",
            "rancher/nginx:1.27",
        ];
        arguments.extend(more);
        place.landfall(&arguments)
    };
    // Before v1.30.7 the token's scope had the name that was asked for.
    said(
        &explain(&["--k3s-version", "v1.29.10"]),
        0,
        &["repository:rancher/nginx:pull"],
    );
    let closed = explain(&["--disable-default-registry-endpoint", "--consumer", "containerd"]);
    said(&closed, 0, &["1. HEAD https://mirror.example"]);
    assert!(!closed.stdout.contains("registry-1.docker.io"), "{closed}");
    said(&explain(&["--k3s-version", "next"]), 2, &["next"]);
}

#[test]
fn a_folder_of_hosts_toml_is_explained_as_containerd_reads_it() {
    let place = Place::new();
    place.scratch.write(
        "certs.d/docker.io/hosts.toml",
        "server = \"https://up.example\"\n[host.\"https://m.example\"]\n",
    );
    place
        .scratch
        .write("certs.d/quay.io/hosts.toml", "server = \"\\d\"\n");
    let told = place.landfall(&[
        "registries",
        "explain",
        "certs.d",
        "nginx",
        "--program",
        "containerd",
    ]);
    said(
        &told,
        0,
        &[
            "1. HEAD https://m.example/v2/library/nginx/manifests/latest?ns=docker.io",
            "endpoint at certs.d/docker.io/hosts.toml:2:",
            "2. HEAD https://up.example/v2/library/nginx/manifests/latest?ns=docker.io",
        ],
    );
    let broken = place.landfall(&["registries", "explain", "certs.d", "quay.io/a/b:1"]);
    said(
        &broken,
        0,
        &[
            "cannot be decoded",
            "containerd logs",
            "https://quay.io/v2/a/b/manifests/1",
        ],
    );
}

#[test]
fn what_cannot_be_explained_is_said() {
    let place = place();
    place.scratch.write("broken.yaml", "mirrors:\n\tdocker.io:\n");
    said(
        &place.landfall(&["registries", "explain", "broken.yaml", "nginx"]),
        1,
        &[
            "broken.yaml:2:1",
            "found character that cannot start any token",
            "no node starts",
        ],
    );
    said(
        &place.landfall(&["registries", "explain", "gone.yaml", "nginx"]),
        3,
        &["gone.yaml"],
    );
    said(
        &place.landfall(&["registries", "explain", "registries.yaml"]),
        2,
        &["name an image"],
    );
    said(
        &place.landfall(&["registries", "explain", "registries.yaml", "Nginx:"]),
        2,
        &["Nginx:"],
    );
}
