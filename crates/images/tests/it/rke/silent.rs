//! What RKE ignores without a word, and whose credential an image gets.

use landfall_images::rke::{Pull, Resolved, Table};
use landfall_oci::Reference;

fn codes(text: &str) -> Vec<&'static str> {
    let cluster = super::read(text).cluster.unwrap();
    let release = Table::embedded().release("v1.6.3").unwrap();
    let resolved = Resolved::new(&cluster, &release);
    cluster.lint(&resolved).iter().map(|found| found.code).collect()
}

#[test]
fn each_silence_is_told() {
    let registries = |list: &str| format!("private_registries: [{list}]\n");
    for (list, wanted) in [
        ("{url: a.example}", &[][..]),
        ("{url: 'https://a.example'}", &["R04"]),
        ("{url: a.example/}", &["R04"]),
        ("{url: a.example}, {url: a.example}", &["R05"]),
        ("{user: u}, {url: docker.io}", &["R05"]),
        ("{user: u, is_default: true}", &["R06"]),
        (
            "{url: a.example, is_default: true}, {url: b.example, is_default: true}",
            &["R06"],
        ),
        ("{url: a.example, ecr_credential_plugin: {}}", &["R07"]),
        (
            "{url: 1.dkr.ecr.us-east-1.amazonaws.com, ecr_credential_plugin: {}}",
            &[],
        ),
        (
            "{url: 1.dkr.ecr-fips.us-east-1.amazonaws.com.cn, ecr_credential_plugin: {aws_access_key_id: A}}",
            &["R07"],
        ),
        ("{url: a.example, user: u, ecr_credential_plugin: {}}", &["R08"]),
        ("{url: a.example, user: u, password: 'a>>?'}", &[]),
    ] {
        assert_eq!(codes(&registries(list)), wanted, "{list}");
    }
    let deep = "system_images: {etcd: reg.example/mirror/rancher/etcd:1}\n";
    let text = format!("{deep}{}", registries("{url: reg.example, user: u}"));
    assert_eq!(codes(&text), ["R09"]);
    let text = format!("{deep}{}", registries("{url: reg.example/mirror, user: u}"));
    assert!(codes(&text).is_empty());
    assert_eq!(codes("services: {kubelet: {image: a}}\n"), ["R11"]);
    assert_eq!(codes("nodes: [{os: windows}]\n"), ["R12"]);
    assert_eq!(codes("windows_prefered_cluster: true\n"), ["R12"]);
}

#[test]
fn windows_nodes_need_their_pause() {
    let needed = |text: &str| {
        let cluster = super::read(&format!("kubernetes_version: v1.22.6-rancher1-1\n{text}"))
            .cluster
            .unwrap();
        let release = Table::embedded().release("v1.6.3").unwrap();
        let resolved = Resolved::new(&cluster, &release);
        resolved
            .required()
            .into_iter()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    let pause = "rancher/kubelet-pause:v0.1.6".to_owned();
    assert!(!needed("").contains(&pause));
    assert!(needed("nodes: [{labels: {kubernetes.io/os: windows}}]\n").contains(&pause));
}

#[test]
fn a_credential_is_found_as_rke_does_and_then_as_people_mean_it() {
    let text = "private_registries:\n\
        - {url: registry.com, user: host, password: p}\n\
        - {url: registry.com/mirror, user: path, password: p}\n\
        - {user: hub, password: p}\n\
        - {url: 1.dkr.ecr.us-east-1.amazonaws.com, ecrCredentialPlugin: {aws_access_key_id: A, aws_secret_access_key: S}}\n";
    let cluster = super::read(text).cluster.unwrap();
    let user = |pull: Option<Pull>| match pull {
        Some(Pull::Basic { user, .. }) => user,
        Some(Pull::Ecr(keys)) => format!("ecr {} {}", keys.host(), keys.access_key.is_some()),
        None => "none".to_owned(),
    };
    for (image, rke, ours) in [
        ("registry.com/etcd:3", "host", "host"),
        ("registry.com/mirror/rancher/hyperkube:1", "path", "path"),
        ("registry.com/mirror/a/rancher/hyperkube:1", "none", "path"),
        ("registry.com/a/b/c:1", "none", "host"),
        ("registry.company/a:1", "none", "none"),
        ("rancher/etcd:1", "hub", "hub"),
        ("busybox", "hub", "hub"),
        (
            "1.dkr.ecr.us-east-1.amazonaws.com/rancher/etcd:1",
            "",
            "ecr 1.dkr.ecr.us-east-1.amazonaws.com true",
        ),
    ] {
        let image = Reference::parse(image).unwrap();
        assert_eq!(user(cluster.pull_credential(&image)), rke, "{image}");
        assert_eq!(user(cluster.credential_for(&image)), ours, "{image}");
    }
    assert_eq!(cluster.ecr_keys().len(), 1);
    let config = cluster.docker_config().unwrap();
    assert!(
        config
            .expose()
            .contains("\"registry.com/mirror\":{\"auth\":\"cGF0aDpw\"}")
    );
    assert!(!config.expose().contains("amazonaws"));
}

#[test]
fn the_kubelets_configuration_is_written_as_go_writes_it() {
    let config = |list: &str| {
        let text = format!("private_registries: [{list}]\n");
        let cluster = super::read(&text).cluster.unwrap();
        cluster
            .kubelet_docker_config()
            .map(|config| config.expose().to_owned())
    };
    assert_eq!(config(""), None);
    // base64 in the usual alphabet, escapes for HTML, keys in their order.
    let list = "{url: b&c, user: u, password: '>>?'}, {url: a, ecr_credential_plugin: {}}, {}";
    let wanted = r#"{"auths":{"b\u0026c":{"auth":"dTo+Pj8="},"docker.io":{"auth":"Og=="}},"credHelpers":{"a":"ecr-login"}}"#;
    assert_eq!(config(list).as_deref(), Some(wanted));
}

#[test]
fn the_images_of_a_version_come_with_what_its_backups_need() {
    use landfall_images::rke::{Extent, gather_current, gather_version};
    let table = Table::embedded();
    for version in table.versions() {
        let release = table.release_for(Some(version)).unwrap();
        let all = gather_version(&release, version, Extent::All).unwrap();
        let images = table.images(version).unwrap();
        if release.find(version).unwrap().choice == landfall_images::rke::Choice::Only {
            let mut wanted: Vec<_> = images
                .iter()
                .map(|(_, image)| image)
                .filter(|image| !image.is_empty())
                .collect();
            wanted.sort_unstable();
            wanted.dedup();
            assert_eq!(
                all.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                wanted,
                "{version}"
            );
        }
        let needed = gather_version(&release, version, Extent::Needed).unwrap();
        assert!((4..=16).contains(&needed.len()), "{version}: {}", needed.len());
    }
    let release = table.release("v1.6.3").unwrap();
    let needed = gather_version(&release, "v1.13.1-rancher1-1", Extent::Needed).unwrap();
    assert!(
        needed
            .iter()
            .any(|(name, _)| name == "rancher/rke-tools:v0.1.103")
    );
    assert_eq!(gather_current(&release, Extent::All).unwrap().len(), 62);
}
