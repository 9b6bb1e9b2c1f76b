//! The one workload of these tests: every shape of image that a list holds, small, and runnable by real runtimes.

use landfall_oci::{Descriptor, Digest, Platform};
use landfall_testkit::workload::seeded::SeededReader;
use landfall_testkit::workload::{Family, Layer, LayerWriter, elf};
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::Place;

/// One platform, OCI types, on Docker Hub without a path of its own.
pub(super) const SINGLE: &str = "library/hello:1";
/// One platform, Docker's types.
pub(super) const DOCKER: &str = "rancher/hello:v1";
/// An OCI index of two platforms with BuildKit's attestation.
pub(super) const ATTESTED: &str = "rancher/attested:v1";
/// A Docker list of three platforms, one of them Windows.
pub(super) const DOCKER_LIST: &str = "rancher/agent:v1";
/// An OCI index of two platforms from another registry, without attestations.
pub(super) const QUAY: &str = "quay.io/jetstack/tool:v1";

/// All of them.
pub(super) const ALL: [&str; 5] = [SINGLE, DOCKER, ATTESTED, DOCKER_LIST, QUAY];

/// The images.
pub(super) fn fleet() -> Workload {
    let mut workload = Workload::new();
    let base = base(&mut workload);
    let linux = |architecture| Platform::new("linux", architecture);
    for (name, family) in [(SINGLE, Family::Oci), (DOCKER, Family::Docker)] {
        let image = variant(&mut workload, name, family, &base, &linux("amd64"));
        workload.tag(name, image.digest);
    }
    for (name, family) in [
        (ATTESTED, Family::Oci),
        (DOCKER_LIST, Family::Docker),
        (QUAY, Family::Oci),
    ] {
        let mut platforms = vec![linux("amd64"), linux("arm64")];
        if family == Family::Docker {
            let mut windows = Platform::new("windows", "amd64");
            windows.os_version = "10.0.17763.5458".to_owned();
            platforms.push(windows);
        }
        let each = platforms
            .iter()
            .map(|platform| variant(&mut workload, name, family, &base, platform));
        let mut members: Vec<_> = each.collect();
        if name == ATTESTED {
            members.push(workload.add_attestation(&members[0]));
        }
        let index = workload.add_index(family, &members);
        workload.tag(name, index.digest);
    }
    workload
}

/// Larger than any buffer on the way, ours or theirs.
pub(super) const BIG: &str = "rancher/big:v1";

/// Adds [`BIG`], whose one layer has 64 MiB that nobody can unpack.
pub(super) fn add_big(workload: &mut Workload) {
    let layer = workload.add_big_layer(64, 64 << 20);
    let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
    workload.tag(BIG, image.digest);
}

/// The fleet as a bundle, `bundle.tar`, beside its list.
pub(super) fn saved(workload: &Workload) -> Place {
    saved_with(workload, &[])
}

/// As [`saved`], with more options.
pub(super) fn saved_with(workload: &Workload, options: &[&str]) -> Place {
    let place = Place::with_list(workload);
    place
        .save(&FakeRegistry::with(workload).address(), "bundle.tar", options)
        .ok();
    place
}

/// Only these images of a workload.
pub(super) fn only(names: &[&str]) -> Workload {
    let mut workload = fleet();
    workload
        .images
        .retain(|image| names.contains(&image.name().as_str()));
    let manifests: Vec<Digest> = workload.images.iter().map(|image| image.root).collect();
    let kept: Vec<_> = manifests
        .iter()
        .flat_map(|root| workload.closure(*root))
        .map(|manifest| manifest.digest)
        .collect();
    let blobs: Vec<_> = manifests
        .iter()
        .flat_map(|root| workload.blobs_of(*root))
        .collect();
    workload.manifests.retain(|digest, _| kept.contains(digest));
    workload.blobs.retain(|digest, _| blobs.contains(digest));
    workload
}

/// What a container of this image prints here.
pub(super) fn says(name: &str) -> String {
    format!("hello from {name} on linux/amd64\n")
}

/// The digest behind a name.
pub(super) fn root(workload: &Workload, name: &str) -> String {
    workload.image(name).root.to_string()
}

/// The name in full: `docker.io/library/hello:1`.
pub(super) fn full(name: &str) -> String {
    match name.starts_with("quay.io/") {
        true => name.to_owned(),
        false => format!("docker.io/{name}"),
    }
}

/// The name as Docker shows it: `hello:1`.
pub(super) fn familiar(name: &str) -> &str {
    name.trim_start_matches("library/")
}

/// What all images stand on: half a megabyte that does not compress.
fn base(workload: &mut Workload) -> Layer {
    const LEN: u64 = 500_000;
    let mut writer = LayerWriter::new(Vec::new(), 1);
    writer
        .file("data/random", 0o644, LEN, SeededReader::new(7, LEN, 0))
        .unwrap();
    let (bytes, layer) = writer.finish().unwrap();
    workload.blobs.insert(layer.digest, bytes.into());
    layer
}

fn variant(
    workload: &mut Workload,
    name: &str,
    family: Family,
    base: &Layer,
    platform: &Platform,
) -> Descriptor {
    let message = format!("hello from {name} on {}/{}\n", platform.os, platform.architecture);
    let program = match platform.architecture.as_str() {
        "arm64" => elf::arm64(&message),
        _ => elf::amd64(&message),
    };
    let own = workload.add_file_layer(&[("hello", 0o755, &program)]);
    workload.add_image(family, platform, &[base.clone(), own])
}
