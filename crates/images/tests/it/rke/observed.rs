//! What the real RKE v1.6.3 made of further files: each is written here with what it answered.

use landfall_images::rke::{Cluster, Pull, Resolved, Table};
use landfall_oci::Reference;

fn resolved(text: &str) -> (Cluster, Resolved<'static>) {
    let cluster = super::read(text).cluster.unwrap();
    let release = Table::embedded().release("v1.6.3").unwrap();
    let resolved = Resolved::new(&cluster, &release);
    (cluster, resolved)
}

fn on(version: &str, rest: &str) -> (Cluster, Resolved<'static>) {
    let node = "nodes: [{address: 10.0.0.1, user: u, role: [controlplane, etcd, worker]}]\n";
    resolved(&format!("{node}kubernetes_version: {version}\n{rest}"))
}

fn today(rest: &str) -> (Cluster, Resolved<'static>) {
    on("v1.30.5-rancher1-1", rest)
}

fn config(cluster: &Cluster) -> String {
    cluster
        .kubelet_docker_config()
        .map_or(String::new(), |config| config.expose().to_owned())
}

fn user(cluster: &Cluster, image: &str) -> Option<String> {
    match cluster.pull_credential(&Reference::parse(image).unwrap())? {
        Pull::Basic { user, .. } => Some(user),
        Pull::Ecr(keys) => Some(format!("ecr:{}", keys.is_ecr())),
    }
}

fn refusal(found: (Cluster, Resolved<'_>)) -> Option<String> {
    found.1.refusal(&found.0).map(|refusal| refusal.message)
}

#[test]
fn the_last_of_two_entries_for_a_registry_wins_and_the_first_default_is_the_prefix() {
    let (cluster, resolved) = today(
        "private_registries:\n- {url: r.io, user: first, password: a, is_default: true}\n- {url: r.io, user: second, password: b}\n",
    );
    assert_eq!(config(&cluster), r#"{"auths":{"r.io":{"auth":"c2Vjb25kOmI="}}}"#);
    assert_eq!(
        resolved.image("etcd"),
        "r.io/rancher/mirrored-coreos-etcd:v3.5.12"
    );
    assert_eq!(user(&cluster, resolved.image("etcd")).as_deref(), Some("second"));
}

#[test]
fn with_a_scheme_no_image_has_a_name() {
    let (cluster, resolved) =
        today("private_registries: [{url: 'https://r.io', user: u, password: p, is_default: true}]\n");
    assert_eq!(config(&cluster), r#"{"auths":{"https://r.io":{"auth":"dTpw"}}}"#);
    assert!(resolved.all().is_empty());
    let invalid = resolved.invalid();
    assert_eq!(invalid.len(), 27);
    assert_eq!(invalid[0].image, "https://r.io/");
    // Needed all the same, as the manifests have them; without a tag that can be read there is no image for backups.
    assert!(
        resolved
            .required()
            .contains("https://r.io/rancher/rke-tools:v0.1.103")
    );
    assert_eq!((resolved.backup_image(), resolved.restore_image()), (None, None));
    assert_eq!(refusal((cluster, resolved)), None);
}

#[test]
fn a_slash_at_the_end_a_word_and_brackets_are_taken_as_they_are() {
    for (url, valid, image) in [
        ("r.io/", 0, "r.io//rancher/rke-tools:v0.1.103"),
        ("[::1]:5000", 0, "[::1]:5000/rancher/rke-tools:v0.1.103"),
        ("myregistry", 26, "myregistry/rancher/rke-tools:v0.1.103"),
        ("Registry.COM", 26, "Registry.COM/rancher/rke-tools:v0.1.103"),
    ] {
        let (_, resolved) = today(&format!(
            "private_registries: [{{url: '{url}', is_default: true}}]\n"
        ));
        assert_eq!(
            (resolved.all().len(), resolved.image("alpine")),
            (valid, image),
            "{url}"
        );
    }
    let (_, resolved) = today("system_images: {etcd: 'Not An Image', alpine: 'UPPER/x:1'}\n");
    let invalid: Vec<_> = resolved
        .invalid()
        .into_iter()
        .map(|invalid| invalid.image)
        .collect();
    assert_eq!(invalid, ["Not An Image", "UPPER/x:1"]);
}

#[test]
fn docker_hub_without_a_url_and_a_registry_without_a_user() {
    let (cluster, resolved) = today("private_registries: [{user: u, password: p, is_default: true}]\n");
    assert_eq!(resolved.image("etcd"), "rancher/mirrored-coreos-etcd:v3.5.12");
    assert_eq!(config(&cluster), r#"{"auths":{"docker.io":{"auth":"dTpw"}}}"#);
    assert_eq!(user(&cluster, resolved.image("etcd")).as_deref(), Some("u"));
    let (cluster, resolved) = today("private_registries: [{url: r.io}]\n");
    assert_eq!(config(&cluster), r#"{"auths":{"r.io":{"auth":"Og=="}}}"#);
    assert_eq!(user(&cluster, resolved.image("etcd")), None);
    assert_eq!(user(&cluster, "r.io/a/b:1").as_deref(), Some(""));
}

#[test]
fn what_is_set_stays_and_what_is_empty_is_prefixed() {
    let (_, resolved) = today(
        "system_images: {etcd: 'quay.io/coreos/etcd:v3.5.9', alpine: '', ingress: ~}\nprivate_registries: [{url: r.io, is_default: true}]\n",
    );
    assert_eq!(resolved.image("etcd"), "quay.io/coreos/etcd:v3.5.9");
    assert_eq!(resolved.image("alpine"), "r.io/rancher/rke-tools:v0.1.103");
    assert!(
        resolved
            .image("ingress")
            .starts_with("r.io/rancher/nginx-ingress-controller:")
    );
    assert_eq!(
        resolved.restore_image().as_deref(),
        Some("quay.io/coreos/etcd:v3.5.9")
    );
}

#[test]
fn passwords_are_in_the_usual_base64() {
    let (cluster, _) = today("private_registries: [{url: r.io, user: us<er, password: 'p?>&~ÿ:\"x'}]\n");
    assert_eq!(
        config(&cluster),
        r#"{"auths":{"r.io":{"auth":"dXM8ZXI6cD8+Jn7DvzoieA=="}}}"#
    );
}

#[test]
fn ecr() {
    let name = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let plugin = |url: &str, rest: &str| {
        today(&format!(
            "private_registries: [{{url: '{url}', ecr_credential_plugin: {{}}{rest}}}]\n"
        ))
    };
    let (cluster, _) = plugin(name, ", user: u, password: p");
    assert_eq!(
        config(&cluster),
        format!(r#"{{"credHelpers":{{"{name}":"ecr-login"}}}}"#)
    );
    assert_eq!(user(&cluster, &format!("{name}/a:1")).as_deref(), Some("u"));
    let (cluster, _) = plugin(name, "");
    assert_eq!(
        user(&cluster, &format!("{name}/a:1")).as_deref(),
        Some("ecr:true")
    );
    let (cluster, _) = plugin("r.io", "");
    assert_eq!(user(&cluster, "r.io/a:1").as_deref(), Some("ecr:false"));
}

#[test]
fn addons_as_the_manifests_of_the_version_have_them() {
    let images = |version: &str, rest: &str, addon: &str| -> Option<Vec<String>> {
        let (_, resolved) = on(version, rest);
        let images = resolved.addon_images();
        let images = images.get(addon)?.iter();
        Some(
            images
                .map(|image| image.rsplit('/').next().unwrap().to_owned())
                .collect(),
        )
    };
    // No cache without a DNS of RKE's own, and none for versions that it has no manifest for.
    let cache = "dns: {provider: none, nodelocal: {ip_address: 1.2.3.4}}\n";
    assert_eq!(images("v1.30.5-rancher1-1", cache, "rke-nodelocal-addon"), None);
    let cache = "dns: {nodelocal: {ip_address: 1.2.3.4}}\n";
    assert!(images("v1.30.5-rancher1-1", cache, "rke-nodelocal-addon").is_some());
    assert_eq!(images("v1.13.1-rancher1-1", cache, "rke-nodelocal-addon"), None);
    // The default backend can be left out from three patches on, long before it is.
    let ingress = |version: &str, rest: &str| images(version, rest, "rke-ingress-controller").unwrap();
    let off = "ingress: {default_backend: false}\n";
    assert_eq!(
        ingress("v1.17.6-rancher2-1", off),
        ["nginx-ingress-controller:nginx-0.32.0-rancher1"]
    );
    assert_eq!(
        ingress("v1.17.5-rancher1-1", off),
        [
            "nginx-ingress-controller-defaultbackend:1.5-rancher1",
            "nginx-ingress-controller:nginx-0.25.1-rancher1"
        ]
    );
    assert_eq!(
        ingress("v1.15.12-rancher1-1", off),
        ["nginx-ingress-controller:nginx-0.32.0-rancher1"]
    );
    // An old controller is given the tools, where the manifests are old too. Versions are compared as texts.
    let old = |tag| format!("system_images: {{ingress: 'x/nginx:{tag}'}}\n");
    assert_eq!(ingress("v1.13.1-rancher1-1", &old("0.10.0-a")).len(), 3);
    assert_eq!(ingress("v1.13.1-rancher1-1", &old("0.9.0-a")).len(), 2);
    assert_eq!(ingress("v1.30.5-rancher1-1", &old("0.10.0-a")).len(), 2);
}

#[test]
fn what_it_refuses() {
    for (rest, message) in [
        (
            "ingress: {http_port: 443}\n",
            "http and https ports need to be different",
        ),
        (
            "ingress: {http_port: 70000}\n",
            "http port is invalid. Needs to be within 0 to 65535",
        ),
        (
            "authorization: {mode: none}\n",
            "PodSecurity can't be enabled with RBAC support disabled",
        ),
        (
            "services: {kube-controller: {cluster_cidr: '10.42.0.0/16,fd98::/108'}}\n",
            "Network plugin [canal] does not support IPv6 (dualstack)",
        ),
        (
            "services: {kube-api: {service_cluster_ip_range: foo}}\n",
            "Failed to get Kubernetes Service IP: Failed to get kubernetes service IP from Kube API option [service_cluster_ip_range]: invalid CIDR address: foo",
        ),
        (
            "cloud_provider: {name: openstack}\n",
            "Failed to initialize cloud provider: Openstack Cloud Provider Config is empty",
        ),
        (
            "cloud_provider: {name: aws}\n",
            "Cloud provider aws is invalid for [v1.30.5-rancher1-1]",
        ),
        (
            "network: {plugin: aci, options: {aci_capic: 'true'}}\n",
            "Network plugin aci: aci_capic = true is provided,but cloud options are not allowed in this release",
        ),
    ] {
        assert_eq!(refusal(today(rest)).as_deref(), Some(message), "{rest}");
    }
    for rest in [
        "ingress: {http_port: 443, network_mode: hostNetwork}\n",
        "network: {plugin: calico}\nservices: {kube-controller: {cluster_cidr: '10.42.0.0/16,fd98::/108'}}\n",
        "cloud_provider: {name: vsphere, vsphereCloudProvider: {global: {insecure-flag: true}}}\n",
        "cloud_provider: {name: custom}\n",
        "cloud_provider: {name: external-aws}\n",
    ] {
        assert_eq!(refusal(today(rest)), None, "{rest}");
    }
    assert_eq!(
        refusal(on("v1.20.15-rancher2-1", "cloud_provider: {name: aws}\n")),
        None
    );
    assert_eq!(
        refusal(on("v1.20.15-rancher2-1", "authorization: {mode: none}\n")),
        None
    );
    let role = resolved("nodes: [{address: a, user: u, role: [x]}]\n");
    assert_eq!(
        refusal(role).as_deref(),
        Some("Failed to recognize host [a] role x")
    );
    for (version, message) in [
        ("notaversion", "notaversion is not valid version"),
        ("v1.30", "v1.30 is not valid semver"),
        (
            "v1.8.10-rancher1-1",
            "v1.8.10-rancher1-1 is an unsupported Kubernetes version and system images are not populated: etcd image is not populated",
        ),
    ] {
        assert_eq!(refusal(on(version, "")).as_deref(), Some(message));
    }
}
