//! A data.json of kontainer-driver-metadata, by RKE's rules.

use landfall_images::rke::Table;

const DATA: &str = r#"{
  "K8sVersionServiceOptions": {"v1.30": {"etcd": null}},
  "K8sVersionRKESystemImages": {
    "v1.29.1-rancher1-1": {"etcd": "rancher/etcd:1", "alpine": "rancher/rke-tools:v0.1.1", "calicoFlexVol": "rancher/flex:1"},
    "v1.30.1-rancher1-1": {"etcd": "rancher/etcd:2", "kubernetes": "rancher/hyperkube:v1.30.1-rancher1"},
    "v1.30.2-rancher1-1": {"etcd": "rancher/etcd:3", "somethingNew": "rancher/new:1"},
    "v1.30.3-rancher1-1": {"etcd": "rancher/etcd:bad"},
    "v1.31.0-rancher1-1": {"etcd": "rancher/etcd:late"}
  },
  "RKEDefaultK8sVersions": {"1.8.1": "v1.30.1-rancher1-1", "default": "v1.30.2-rancher1-1"},
  "K8sVersionInfo": {
    "v1.29": {"maxRKEVersion": "1.7.99"},
    "v1.30.3-rancher1-1": {"deprecateRKEVersion": "1.8.0", "minRKEVersion": "1.7.0"},
    "v1.31.0-rancher1-1": {"minRKEVersion": "1.8.5-rc1", "minRancherVersion": "2.11.0"}
  }
}"#;

#[test]
fn a_release_takes_what_the_file_lets_it_have() {
    let table = Table::from_kdm(DATA.as_bytes(), Table::embedded()).unwrap();
    let release = |name: &str| table.release(name).unwrap();
    let current = |name: &str| release(name).current;
    assert_eq!(release("v1.8.1").default, "v1.30.1-rancher1-1");
    assert_eq!(release("v1.8.2").default, "v1.30.2-rancher1-1");
    assert_eq!(current("v1.7.5"), ["v1.29.1-rancher1-1", "v1.30.3-rancher1-1"]);
    assert_eq!(current("v1.8.4"), ["v1.30.2-rancher1-1"]);
    assert_eq!(current("v1.8.5"), ["v1.30.2-rancher1-1", "v1.31.0-rancher1-1"]);
    // No longer on offer, but still known.
    assert!(release("v1.8.4").has("v1.29.1-rancher1-1"));
    assert!(!release("v1.8.4").has("v1.30.3-rancher1-1"));
    let found = release("v1.8.4").find("v1.29.1-rancher1-1").unwrap();
    assert_eq!(found.images.get("calico_flexvol"), "rancher/flex:1");
    assert_eq!(found.images.get("kubernetes"), "");
    assert!(!table.needs("network:canal", "v1.30.2-rancher1-1").is_empty());
}

#[test]
fn what_is_no_such_file_is_said() {
    let error = |text: &str| {
        Table::from_kdm(text.as_bytes(), Table::embedded())
            .unwrap_err()
            .to_string()
    };
    for bad in ["", "<html>", "[]", "{\"K8sVersionRKESystemImages\": 1}"] {
        assert!(
            error(bad).contains("no data.json of RKE"),
            "{bad}: {}",
            error(bad)
        );
    }
    assert!(
        error("{}").contains("K8sVersionRKESystemImages is missing"),
        "{}",
        error("{}")
    );
    let table = Table::from_kdm(
        br#"{"K8sVersionRKESystemImages": {"v1.1.1-a": {}}}"#,
        Table::embedded(),
    )
    .unwrap();
    assert!(
        table
            .release("v1.6.3")
            .unwrap_err()
            .to_string()
            .contains("no default")
    );
}
