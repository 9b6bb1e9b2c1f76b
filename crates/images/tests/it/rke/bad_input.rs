//! cluster.yml as people get it wrong.

use landfall_images::rke::{About, Resolved, Table};

fn refusal(text: &str) -> (String, About) {
    let cluster = super::read(text).cluster.unwrap();
    let release = Table::embedded().release("v1.6.3").unwrap();
    let refusal = Resolved::new(&cluster, &release).refusal(&cluster).unwrap();
    (refusal.message, refusal.about)
}

#[test]
fn unknown_keys_are_told_with_their_place_and_the_nearest() {
    let text = "kubernets_version: v1.30.5-rancher1-1\nsystem_images:\n  core_dns: a:1\nnetwork:\n  plugins: canal\n";
    let reading = super::read(text);
    assert!(reading.cluster.is_some());
    let shown = super::shown(text, &reading);
    for wanted in [
        "cluster.yml:1:1",
        "`kubernetes_version` is meant?",
        "cluster.yml:3:3",
        "`coredns` is meant?",
        "cluster.yml:5:3",
        "`plugin` is meant?",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    assert_eq!(reading.diagnostics.len(), 3);
}

#[test]
fn wrong_types_are_refused_in_the_words_of_rke() {
    for (text, wanted) in [
        (
            "nodes: yes\n",
            "line 1: cannot unmarshal !!bool `yes` into []types.RKEConfigNode",
        ),
        (
            "network: canal\n",
            "line 1: cannot unmarshal !!str `canal` into types.NetworkConfig",
        ),
        (
            "dns: coredns\n",
            "cannot unmarshal !!str `coredns` into types.DNSConfig",
        ),
        (
            "ingress:\n  default_backend: maybe\n",
            "line 2: cannot unmarshal !!str `maybe` into bool",
        ),
        (
            "network:\n  mtu: big\n",
            "line 2: cannot unmarshal !!str `big` into int",
        ),
        (
            "private_registries:\n  url: a\n",
            "cannot unmarshal !!map into []types.PrivateRegistry",
        ),
        (
            "system_images: []\n",
            "cannot unmarshal !!seq into types.RKESystemImages",
        ),
        (
            "- a\n",
            "cannot unmarshal !!seq into types.RancherKubernetesEngineConfig",
        ),
        (
            "just words\n",
            "cannot unmarshal !!str `just words` into types.RancherKubernetesEngineConfig",
        ),
    ] {
        let reading = super::read(text);
        assert!(reading.cluster.is_none(), "{text}");
        let shown = super::shown(text, &reading);
        assert!(shown.contains(wanted), "{text}\n{shown}");
    }
}

#[test]
fn what_is_no_yaml_is_refused_and_an_empty_file_is_not() {
    for (text, wanted) in [
        ("a: b: c\n", "mapping values are not allowed"),
        ("\tnodes: []\n", "cannot start any token"),
        ("nodes: [\n", "did not find"),
        ("a: *b\n", "unknown anchor"),
    ] {
        let reading = super::read(text);
        assert!(reading.cluster.is_none(), "{text}");
        assert!(
            super::shown(text, &reading).contains(wanted),
            "{text}\n{:?}",
            reading.diagnostics
        );
    }
    for text in ["", "# nothing\n", "---\n"] {
        let reading = super::read(text);
        let cluster = reading.cluster.unwrap();
        let release = Table::embedded().release("v1.6.3").unwrap();
        let resolved = Resolved::new(&cluster, &release);
        assert_eq!(resolved.version, "v1.30.5-rancher1-1");
        assert_eq!(resolved.required().len(), 13);
    }
}

#[test]
fn a_megabyte_of_nesting_is_an_error_and_no_crash() {
    for (open, depth) in [("[", 1 << 20), ("{a: ", 1 << 18), ("- ", 1 << 19)] {
        let reading = super::read(&open.repeat(depth));
        assert!(reading.cluster.is_none());
        assert_eq!(reading.diagnostics.len(), 1, "{open}");
    }
}

#[test]
fn refusals_are_those_of_rke() {
    for (text, wanted, about) in [
        (
            "kubernetes_version: v1.30.99-rancher1-1\n",
            "v1.30.99-rancher1-1 is an unsupported Kubernetes version and system images are not populated: etcd image is not populated",
            About::Images,
        ),
        (
            "kubernetes_version: notaversion\n",
            "notaversion is not valid version",
            About::Images,
        ),
        (
            "kubernetes_version: v1.30\n",
            "v1.30 is not valid semver",
            About::Images,
        ),
        (
            "network: {plugin: cilium}\n",
            "Network plugin [cilium] is not supported",
            About::Choice,
        ),
        (
            "kubernetes_version: v1.30.0-rancher1\nnetwork: {plugin: weave}\nsystem_images: {etcd: a}\n",
            "v1.30.0-rancher1 is an unsupported Kubernetes version and system images are not populated: kubernetes image is not populated",
            About::Images,
        ),
        (
            "nodes: [{address: a}]\n",
            "User for host (1) is not provided",
            About::Other,
        ),
        (
            "nodes: [{address: a}, {address: a}]\n",
            "Cluster can't have duplicate node: a",
            About::Other,
        ),
        (
            "authentication: {strategy: webhook}\n",
            "Authentication strategy must contain [x509]",
            About::Other,
        ),
        (
            "network: {plugin: aci}\n",
            "Network plugin aci: system_id(unique suffix for all cluster related objects in aci) under aci_network_provider is not provided",
            About::Other,
        ),
    ] {
        assert_eq!(refusal(text), (wanted.to_owned(), about), "{text}");
    }
}

#[test]
fn an_unknown_version_with_all_its_images_is_accepted() {
    let images: String = [
        "etcd",
        "kubernetes",
        "pod_infra_container",
        "alpine",
        "nginx_proxy",
        "cert_downloader",
        "kubernetes_services_sidecar",
        "canal_node",
        "canal_cni",
        "canal_flannel",
        "coredns",
        "coredns_autoscaler",
        "metrics_server",
        "ingress",
        "ingress_backend",
        "ingress_webhook",
    ]
    .iter()
    .map(|component| format!("  {component}: reg.example/x/{component}:1\n"))
    .collect();
    let text = format!("kubernetes_version: v1.33.1-rancher1-1\nsystem_images:\n{images}");
    let cluster = super::read(&text).cluster.unwrap();
    let release = Table::embedded().release("v1.6.3").unwrap();
    let resolved = Resolved::new(&cluster, &release);
    assert_eq!(resolved.refusal(&cluster), None);
    // No canal_controllers were given, and ingress_backend is not rendered.
    assert_eq!(resolved.required().len(), 15);
    let less = text.replace("  ingress_webhook: reg.example/x/ingress_webhook:1\n", "");
    assert!(
        refusal(&less)
            .0
            .ends_with("ingress webhook image is not populated")
    );
}

#[test]
fn a_url_with_a_scheme_makes_every_image_invalid() {
    let text = "private_registries: [{url: 'https://registry.com', is_default: true}]\n";
    let cluster = super::read(text).cluster.unwrap();
    let release = Table::embedded().release("v1.6.3").unwrap();
    let resolved = Resolved::new(&cluster, &release);
    assert!(resolved.all().is_empty());
    assert_eq!(resolved.invalid().len(), 27);
}

#[test]
fn secrets_are_in_no_message() {
    let text = "private_registries:\n- url: a\n  password: {deep: hunter2}\n  pasword: hunter2\n- {url: b, password: hunter2}\n";
    let reading = super::read(text);
    let debug = format!("{reading:?}");
    assert!(!debug.contains("hunter2"), "{debug}");
}
