//! What is no image travels like one: Helm charts in OCI registries, under lines such as
//! `rancher/charts/name:1.2.3_up4`, byte for byte.

use landfall_oci::{Digest, MediaType, Repository, Target};
use landfall_testkit::FakeRegistry;
use serde_json::{Value, json};

use crate::place::Place;

const LINE: &str = "rancher/charts/rancher-monitoring:1.2.3_up4.5.6";
const REPOSITORY: &str = "rancher/charts/rancher-monitoring";
const TAG: &str = "1.2.3_up4.5.6";
const CONFIG: &[u8] = br#"{"name":"rancher-monitoring","version":"1.2.3+up4.5.6","apiVersion":"v2"}"#;

/// A registry with a chart as Helm pushes it; with its signature, and with spaces that only bytes keep.
fn upstream() -> (FakeRegistry, Digest) {
    let registry = FakeRegistry::empty();
    let put = |kind: &str, bytes: &[u8]| -> Value {
        let digest = registry.put_blob(REPOSITORY, bytes.to_vec());
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "config": put("application/vnd.cncf.helm.config.v1+json", CONFIG),
        "layers": [
            put("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &b"the chart's archive ".repeat(400)),
            put("application/vnd.cncf.helm.chart.provenance.v1.prov", b"-----BEGIN PGP SIGNED MESSAGE-----"),
        ],
        "annotations": {"org.opencontainers.image.version": "1.2.3+up4.5.6"},
    });
    let bytes = format!("{manifest:#}\n");
    let digest = registry.put_manifest(REPOSITORY, TAG, MediaType::OCI_MANIFEST, bytes);
    (registry, digest)
}

/// The chart is there as it was: manifest, type and blobs.
#[track_caller]
fn assert_same(upstream: &FakeRegistry, target: &FakeRegistry, below: &str, digest: Digest) {
    assert_eq!(target.tags()[&format!("{below}{LINE}")], digest);
    let name = |below: &str| -> Repository { format!("{below}{REPOSITORY}").parse().unwrap() };
    let stored = |registry: &FakeRegistry, below: &str| {
        registry.manifest(&name(below), &Target::Digest(digest)).unwrap()
    };
    assert_eq!(stored(upstream, ""), stored(target, below));
    let manifest: Value = serde_json::from_slice(&stored(target, below).bytes).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    for blob in layers.iter().chain([&manifest["config"]]) {
        let blob: Digest = blob["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(target.blob(&name(below), &blob).unwrap().digest(), blob);
    }
}

#[test]
fn a_chart_is_saved_loaded_and_pulled_with_its_digest() {
    let (upstream, digest) = upstream();
    let place = Place::new();
    place.scratch.write("list.txt", format!("{LINE}\n"));
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    place.landfall(&["verify", "bundle.tar"]).ok();
    assert_eq!(place.landfall(&["list", "bundle.tar"]).ok(), format!("{LINE}\n"));
    let target = FakeRegistry::empty();
    let registry = format!("{}/mirror", target.address());
    place.landfall(&["load", "bundle.tar", "-r", &registry]).ok();
    assert_same(&upstream, &target, "mirror/", digest);
    let image = format!("{registry}/{LINE}");
    place.landfall(&["pull", &image, "-o", "layout"]).ok();
    let index: Value = serde_json::from_slice(&place.read("layout/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], digest.to_string());
    place
        .landfall(&["push", "layout", &format!("{}/again/{LINE}", target.address())])
        .ok();
    assert_same(&upstream, &target, "again/", digest);
}

#[test]
fn a_chart_is_copied_also_when_platforms_are_chosen() {
    let (upstream, digest) = upstream();
    let place = Place::new();
    for more in [&[][..], &["--platform", "linux/amd64"]] {
        let target = FakeRegistry::empty();
        let (from, to) = (upstream.address(), target.address());
        let mut args = vec!["copy", LINE, "-r", &to, "--from", &from];
        args.extend(more);
        place.landfall(&args).ok();
        assert_same(&upstream, &target, "", digest);
    }
}
