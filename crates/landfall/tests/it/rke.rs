//! RKE: `images rke`, and a cluster.yml as the source of credentials and of the target.

use landfall_testkit::fake_registry::{Auth, Request};
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::Place;

const CLUSTER: &str = "\
kubernetes_version: v1.30.5-rancher1-1
networks: {plugin: flannel}
system_images:
  coredns: my/coredns:1
private_registries:
- url: registry.com
  user: u
  password: hunter2>>?
  is_default: true
addons: |-
  apiVersion: v1
  kind: Pod
  metadata: {name: x}
  spec:
    containers:
    - name: a
      image: my/addon:3
addons_include: [more.yaml]
";

#[test]
fn a_cluster_gives_its_images_with_their_reasons_and_says_what_rke_ignores() {
    let place = Place::new();
    place.scratch.write("cluster.yml", CLUSTER);
    let pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: b, image: 'my/more:4'}]}\n";
    place.scratch.write("more.yaml", pod);
    let asked = ["images", "rke", "--cluster", "cluster.yml", "--needed"];
    let told = place.landfall(&asked);
    let shown = format!("{told}");
    assert_eq!(told.code(), Some(0), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for wanted in [
        "my/addon:3\n",
        "my/coredns:1\n",
        "my/more:4\n",
        "registry.com/rancher/rke-tools:v0.1.103\n",
        "cluster.yml:2:1",
        "`network` is meant?",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    let upstream = place.landfall(&[&asked[..], &["--upstream"]].concat()).ok();
    assert!(upstream.contains("\nrancher/rke-tools:v0.1.103\n"), "{upstream}");
    assert!(!upstream.contains("registry.com"), "{upstream}");
    let csv = place.landfall(&[&asked[..], &["--output", "csv"]].concat()).ok();
    for wanted in [
        "rke v1.30.5-rancher1-1,coredns,cluster.yml:4",
        "Pod x: spec.containers[0].image,cluster.yml:17",
        "etcd backup of RKE v1.6.3",
    ] {
        assert!(csv.contains(wanted), "{wanted}\n{csv}");
    }
    let compiled = place.landfall(&["images", "compile", "cluster:cluster.yml"]).ok();
    assert!(compiled.contains("my/coredns:1\n"), "{compiled}");
    // What is not there is said, and the list is not whole.
    std::fs::remove_file(place.path("more.yaml")).unwrap();
    let partial = place.landfall(&asked);
    assert_eq!(partial.code(), Some(1), "{partial}");
    assert!(format!("{partial}").contains("more.yaml: error"), "{partial}");
}

#[test]
fn what_rke_refuses_is_refused_with_the_place_and_what_to_do() {
    let place = Place::new();
    for (text, code, words) in [
        (
            "network: canal\n",
            2,
            "cannot unmarshal !!str `canal` into types.NetworkConfig",
        ),
        ("nodes: [\n", 2, "cluster.yml:"),
        (
            "kubernetes_version: v1.30.6-rancher9\n",
            2,
            "the nearest that it knows is v1.30.5-rancher1-1",
        ),
        (
            "network: {plugin: cilium}\n",
            1,
            "Network plugin [cilium] is not supported",
        ),
        ("", 0, "the file is empty"),
    ] {
        place.scratch.write("cluster.yml", text);
        let told = place.landfall(&["images", "rke", "--cluster", "cluster.yml"]);
        assert_eq!(told.code(), Some(code), "{text}{told}");
        assert!(format!("{told}").contains(words), "{text}{told}");
    }
    let told = place.landfall(&["images", "rke", "--version", "v1.30.77-rancher1-1"]);
    assert_eq!(told.code(), Some(2), "{told}");
    assert!(
        format!("{told}").contains("nearest that it knows is v1.30.5-rancher1-1"),
        "{told}"
    );
    assert_eq!(
        place
            .landfall(&["images", "rke", "--cluster", "nowhere.yml"])
            .code(),
        Some(3)
    );
}

#[test]
fn another_table_comes_from_a_file_or_the_environment() {
    let place = Place::new();
    let data = r#"{"K8sVersionRKESystemImages": {"v1.40.1-rancher1-1": {"etcd": "rancher/etcd:9"}},
        "RKEDefaultK8sVersions": {"default": "v1.40.1-rancher1-1"}}"#;
    place.scratch.write("data.json", data);
    let listed = place.landfall(&["images", "rke", "--kdm", "data.json"]).ok();
    assert_eq!(listed, "rancher/etcd:9\n");
    let mut command = place.command(&["images", "rke", "--all", "--rke", "v1.9.0"]);
    let told = landfall_testkit::run(command.env("RANCHER_METADATA_URL", "data.json"));
    assert_eq!(told.ok(), "rancher/etcd:9\n");
    place.scratch.write("data.json", "<html>");
    let told = place.landfall(&["images", "rke", "--kdm", "data.json"]);
    assert_eq!(told.code(), Some(2), "{told}");
    assert!(format!("{told}").contains("no data.json of RKE"), "{told}");
}

#[test]
fn images_go_to_the_default_registry_of_a_cluster_with_its_credentials() {
    let workload = Workload::small(1);
    let upstream = FakeRegistry::with(&workload);
    let target = FakeRegistry::builder()
        .auth(Auth::basic("robot", "s3cret"))
        .start();
    let place = Place::with_list(&workload);
    let cluster = |user: &str| {
        let address = target.address();
        let entry = |url: &str, user: &str, more: &str| {
            format!("- {{url: '{url}', user: {user}, password: s3cret{more}}}\n")
        };
        let list = entry("elsewhere.example", "other", "") + &entry(&address, user, ", is_default: true");
        place
            .scratch
            .write("cluster.yml", format!("private_registries:\n{list}"));
    };
    cluster("robot");
    let from = upstream.address();
    let copy = [
        "copy",
        "-l",
        "list.txt",
        "--from",
        &from,
        "--cluster",
        "cluster.yml",
    ];
    place.landfall(&copy).ok();
    target.assert_holds(&workload, ToString::to_string);
    assert_eq!(upstream.count_where(Request::is_authorized), 0);
    place
        .save(&from, "bundle.tar", &["--cluster", "cluster.yml"])
        .ok();
    place
        .landfall(&["load", "bundle.tar", "--cluster", "cluster.yml"])
        .ok();
    let image = workload.list().lines().next().unwrap().to_owned();
    let address = target.address();
    let pull = [
        "pull",
        &image,
        "-o",
        "out",
        "--from",
        &address,
        "--cluster",
        "cluster.yml",
    ];
    place.landfall(&pull).ok();
    // The wrong user is refused, and the message says whose it was.
    cluster("nobody");
    let told = place.landfall(&[&copy[..], &["--attempts", "1"]].concat());
    assert_eq!(told.code(), Some(6), "{told}");
    let shown = format!("{told}");
    assert!(
        shown.contains("cluster.yml") && !shown.contains("s3cret"),
        "{shown}"
    );
    // No default, and nobody says where to.
    place.scratch.write("cluster.yml", "nodes: []\n");
    let told = place.landfall(&copy);
    assert_eq!(told.code(), Some(2), "{told}");
    assert!(format!("{told}").contains("say with -r"), "{told}");
}
