//! Case 9: charts, in the archive and in the folder beside it where the save script leaves them.

use landfall_oci::{Digest, MediaType, Repository, Target};
use landfall_testkit::FakeRegistry;
use landfall_testkit::digest::sha256;
use serde_json::{Value, json};

use super::{load, save, tags};
use crate::place::Place;

const LINE: &str = "rancher/charts/x:1.2.3_up4.5.6";
const FILE: &str = "rancher-oci-charts/x-1.2.3+up4.5.6.tgz";
const REPOSITORY: &str = "rancher/charts/x";
const CONFIG: &str = r#"{"name":"x","version":"1.2.3+up4.5.6","description":"a \u003c b","apiVersion":"v2","appVersion":"4.5.6"}"#;
const CONFIG_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
const CONTENT_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// A packed chart that wants one image.
fn chart(version: &str) -> Vec<u8> {
    use std::io::Write;
    let about =
        format!("apiVersion: v2\nname: x\ndescription: a < b\nversion: {version}\nappVersion: 4.5.6\n");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for (name, content) in [
        ("x/Chart.yaml", about.as_str()),
        ("x/values.yaml", "image: {repository: rancher/app, tag: v4}\n"),
    ] {
        let mut entry = landfall_oci::tar::encode(name, content.len() as u64);
        entry.extend_from_slice(content.as_bytes());
        entry.resize(entry.len().next_multiple_of(512), 0);
        encoder.write_all(&entry).unwrap();
    }
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap()
}

/// A registry that has the chart as Helm pushes it.
fn upstream() -> (FakeRegistry, Digest) {
    let registry = FakeRegistry::empty();
    let put = |kind: &str, bytes: Vec<u8>| -> Value {
        let size = bytes.len();
        json!({"mediaType": kind, "digest": registry.put_blob(REPOSITORY, bytes), "size": size})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "config": put(CONFIG_TYPE, CONFIG.as_bytes().to_vec()),
        "layers": [put(CONTENT_TYPE, chart("1.2.3+up4.5.6"))],
        "annotations": {"org.opencontainers.image.created": "2025-01-02T03:04:05Z"},
    });
    let tag = "1.2.3_up4.5.6";
    let digest = registry.put_manifest(REPOSITORY, tag, MediaType::OCI_MANIFEST, manifest.to_string());
    (registry, digest)
}

/// The chart is there with Helm's media types, and we read it back.
#[track_caller]
fn assert_chart(place: &Place, target: &FakeRegistry) -> Digest {
    let repository: Repository = REPOSITORY.parse().unwrap();
    let digest = target.tags()[LINE];
    let manifest = target.manifest(&repository, &Target::Digest(digest)).unwrap();
    assert_eq!(manifest.media_type, MediaType::OCI_MANIFEST);
    let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    assert_eq!(manifest["config"]["mediaType"], CONFIG_TYPE);
    assert_eq!(
        manifest["config"]["digest"],
        sha256(CONFIG.as_bytes()).to_string()
    );
    assert_eq!(manifest["layers"][0]["mediaType"], CONTENT_TYPE);
    assert_eq!(
        manifest["layers"][0]["digest"],
        sha256(&chart("1.2.3+up4.5.6")).to_string()
    );
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let name = format!("oci://{}/{LINE}", target.address());
    let images = place.landfall(&["images", "chart", &name, "--static"]).ok();
    assert_eq!(images, "rancher/app:v4\n");
    digest
}

fn image() -> FakeRegistry {
    FakeRegistry::with(&landfall_testkit::Workload::hello("rancher/a:1", "hello"))
}

#[test]
fn in_the_archive() {
    let (upstream, digest) = upstream();
    let place = Place::new();
    place.scratch.write("rancher-images.txt", format!("{LINE}\n"));
    save(&place, &["-s", &upstream.address()]).ok();
    // What the archive has is not looked for beside it.
    place.scratch.write(FILE, "damaged");
    let target = FakeRegistry::empty();
    load(&place, &target, &[]).ok();
    assert_eq!(assert_chart(&place, &target), digest);
}

#[test]
fn in_the_folder_beside_the_archive() {
    let source = image();
    let place = Place::new();
    place.scratch.write("rancher-images.txt", "rancher/a:1\n");
    save(&place, &["-s", &source.address()]).ok();
    place
        .scratch
        .write("rancher-images.txt", format!("rancher/a:1\n{LINE}\n"));
    place.scratch.write(FILE, chart("1.2.3+up4.5.6"));
    let (one, other) = (FakeRegistry::empty(), FakeRegistry::empty());
    load(&place, &one, &[]).ok();
    load(&place, &other, &["-s", &source.address()]).ok();
    assert_eq!(tags(&one), ["rancher/a:1", LINE]);
    let digest = assert_chart(&place, &one);
    assert_eq!(digest, assert_chart(&place, &other), "the same each time");
    let planned = load(&place, &FakeRegistry::empty(), &["--dry-run"]).ok();
    assert!(planned.contains(LINE), "{planned}");
}

/// Helm ends the script at the first; here it is one image of the list that fails.
#[test]
fn a_chart_that_cannot_be_had_fails_alone() {
    let source = image();
    let place = Place::new();
    place.scratch.write("rancher-images.txt", "rancher/a:1\n");
    save(&place, &["-s", &source.address()]).ok();
    place
        .scratch
        .write("rancher-images.txt", format!("{LINE}\nrancher/a:1\n"));
    let cases = [
        (None, "there is no rancher-oci-charts/x-1.2.3+up4.5.6.tgz either"),
        (Some(b"damaged".to_vec()), "is no gzipped tar"),
        (Some(chart("1.2.4")), "is the chart x:1.2.4"),
    ];
    for (content, reason) in cases {
        if let Some(content) = content {
            place.scratch.write(FILE, content);
        }
        let target = FakeRegistry::empty();
        let outcome = load(&place, &target, &[]);
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        assert!(outcome.stdout.contains(&format!("FAILED  {LINE}")), "{outcome}");
        assert!(outcome.stdout.contains(reason), "{reason}: {outcome}");
        assert_eq!(tags(&target), ["rancher/a:1"]);
    }
}
