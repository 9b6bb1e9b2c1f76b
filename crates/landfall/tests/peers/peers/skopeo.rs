//! Debian's skopeo: what people copy images with who do not want a daemon.

use landfall_testkit::Workload;
use landfall_testkit::digest::sha256;
use landfall_testkit::peers::{DockerRegistry, Skopeo};

use super::fleet::{ALL, ATTESTED, DOCKER, DOCKER_LIST, QUAY, SINGLE, fleet, full, only, saved};
use super::serving::Serving;
use super::stored;
use crate::place::Place;

/// The images with OCI types. skopeo 1.9 finds no others in an OCI archive.
const OCI: [&str; 3] = [SINGLE, ATTESTED, QUAY];

fn archive(transport: &str, place: &Place, name: &str) -> String {
    format!("{transport}:{}:{name}", place.path("bundle.tar").display())
}

/// Pushes a bundle into a registry, image by image, and reads it back.
#[track_caller]
fn copy_out(skopeo: &Skopeo, place: &Place, workload: &Workload, registry: &str) {
    for name in OCI {
        let to = format!("docker://{registry}/{name}");
        skopeo
            .copy(
                &archive("oci-archive", place, &full(name)),
                &to,
                &["--preserve-digests"],
            )
            .ok();
        assert_eq!(
            sha256(skopeo.raw_manifest(&to).ok().as_bytes()),
            workload.image(name).root,
            "{name}"
        );
    }
    // Docker's types are in reach as `docker save` would have them: one platform, under a new digest.
    for name in [DOCKER, DOCKER_LIST] {
        let to = format!("docker://{registry}/{name}");
        let refused = skopeo.copy(&archive("oci-archive", place, &full(name)), &to, &[]);
        assert!(
            refused.stderr.contains("no descriptor found"),
            "no longer so? {refused}"
        );
        skopeo
            .copy(&archive("docker-archive", place, &full(name)), &to, &[])
            .ok();
        let config = workload.closure(workload.image(name).root)[0].view().unwrap();
        let config = config.blobs().next().unwrap().digest;
        let pushed = skopeo.raw_manifest(&to).ok();
        assert!(pushed.contains(&config.to_string()), "{name}: {pushed}");
    }
}

#[test]
fn copies_out_of_our_bundles() {
    let workload = fleet();
    let place = saved(&workload);
    let registry = DockerRegistry::empty();
    let skopeo = Skopeo::new();
    copy_out(&skopeo, &place, &workload, &registry.address());
    stored::assert_holds(&registry, &only(&OCI));
    let raw = skopeo
        .raw_manifest(&archive("oci-archive", &place, &full(SINGLE)))
        .ok();
    assert_eq!(sha256(raw.as_bytes()), workload.image(SINGLE).root);
}

#[test]
fn what_it_writes_we_push_and_load() {
    let workload = only(&[ATTESTED, QUAY, DOCKER_LIST]);
    let upstream = DockerRegistry::with(&workload);
    let registry = DockerRegistry::empty();
    let skopeo = Skopeo::new();
    let place = Place::new();
    // A layout of one image is pushed under any name; an archive of a named one goes where its name says.
    for (n, name) in [ATTESTED, QUAY].into_iter().enumerate() {
        let from = format!("docker://{}/{name}", upstream.address());
        skopeo
            .copy(
                &from,
                &format!(
                    "oci:{}:{}",
                    place.path(&format!("layout{n}")).display(),
                    full(name)
                ),
                &[],
            )
            .ok();
        skopeo
            .copy(
                &from,
                &format!(
                    "oci-archive:{}:{}",
                    place.path("archive.tar").display(),
                    full(name)
                ),
                &[],
            )
            .ok();
        let target = format!("{}/pushed/image{n}:1", registry.address());
        place.landfall(&["push", &format!("layout{n}"), &target]).ok();
        let pushed = stored::tag(&registry, &format!("pushed/image{n}"), "1");
        assert_eq!(pushed, Some(workload.image(name).root));
        place
            .landfall(&["load", "archive.tar", "-r", &registry.address()])
            .ok();
        std::fs::remove_file(place.path("archive.tar")).unwrap();
    }
    stored::assert_holds(&registry, &only(&[ATTESTED, QUAY]));
    // Docker's manifests are rewritten for a layout, so the digest is another; the result is whole all the same.
    let from = format!("docker://{}/{DOCKER_LIST}", upstream.address());
    skopeo
        .copy(
            &from,
            &format!("oci:{}:{}", place.path("rewritten").display(), full(DOCKER_LIST)),
            &[],
        )
        .ok();
    place
        .landfall(&["load", "rewritten", "-r", &registry.address()])
        .ok();
    let loaded = stored::tag(&registry, "rancher/agent", "v1");
    assert!(loaded.is_some() && loaded != Some(workload.image(DOCKER_LIST).root));
}

#[test]
fn copies_from_bundles_in_place_byte_for_byte() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let skopeo = Skopeo::new();
    for name in ALL {
        let from = format!("docker://{}", serving.name(name));
        let told = landfall_testkit::run(skopeo.skopeo().args(["inspect", "--tls-verify=false", &from])).ok();
        assert!(told.contains("\"Architecture\": \"amd64\""), "{told}");
        let folder = place.path("copied");
        skopeo
            .copy(
                &from,
                &format!("dir:{}", folder.display()),
                &["--preserve-digests"],
            )
            .ok();
        for manifest in workload.closure(workload.image(name).root) {
            let file = match manifest.digest == workload.image(name).root {
                true => "manifest.json".to_owned(),
                false => format!("{}.manifest.json", manifest.digest.hex()),
            };
            assert!(
                std::fs::read(folder.join(&file)).unwrap() == manifest.bytes,
                "{name}: {file}"
            );
        }
        for blob in workload.blobs_of(workload.image(name).root) {
            assert_eq!(sha256(&std::fs::read(folder.join(blob.hex())).unwrap()), blob);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
    for name in OCI {
        let layout = place.path("layout");
        let (from, to) = (
            format!("docker://{}", serving.name(name)),
            format!("oci:{}:x", layout.display()),
        );
        skopeo.copy(&from, &to, &["--preserve-digests"]).ok();
        for manifest in workload.closure(workload.image(name).root) {
            let file = layout.join("blobs/sha256").join(manifest.digest.hex());
            assert!(
                std::fs::read(file).unwrap() == manifest.bytes,
                "{name}: {}",
                manifest.digest
            );
        }
    }
}

#[test]
fn copies_into_our_registry() {
    let workload = fleet();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["--root", "store"]);
    let skopeo = Skopeo::new();
    copy_out(&skopeo, &place, &workload, serving.address());
    // From registry to registry nothing is rewritten.
    let upstream = DockerRegistry::with(&workload);
    for name in ALL {
        let from = format!("docker://{}/{name}", upstream.address());
        skopeo
            .copy(
                &from,
                &format!("docker://{}", serving.name(name)),
                &["--preserve-digests"],
            )
            .ok();
    }
    place.save(serving.address(), "again.tar", &[]).ok();
    assert!(crate::place::same_bytes(
        &place.path("bundle.tar"),
        &place.path("again.tar")
    ));
}

/// Everything by digest, from our registry behind TLS and a password into an open one, and back.
#[test]
fn copies_between_our_registries_by_digest() {
    let workload = fleet();
    let place = saved(&workload);
    let private = Serving::start_private(&place, "s3cret", &["bundle.tar", "--root", "private"]);
    let open = Serving::start(&place, &["--root", "open"]);
    let skopeo = Skopeo::new();
    let name = |serving: &Serving, name: &str| format!("docker://{}", serving.name(name));
    let refused = skopeo.copy(&name(&private, SINGLE), &name(&open, SINGLE), &[]);
    assert!(!refused.is_ok(), "{refused}");
    let mut login = skopeo.skopeo();
    login.args([
        "login",
        "--tls-verify=false",
        "--username",
        "admin",
        "--password-stdin",
    ]);
    login.arg(private.address());
    let password = place.scratch.write("password", "s3cret");
    login.stdin(std::fs::File::open(password).unwrap());
    let told = login.output().unwrap();
    assert!(told.status.success(), "{told:?}");
    for image in &workload.images {
        let by_digest = format!("{}@{}", image.repository, image.root);
        let options = ["--preserve-digests"];
        skopeo
            .copy(&name(&private, &by_digest), &name(&open, &by_digest), &options)
            .ok();
        let back = format!("back/{}:v2", image.repository);
        skopeo
            .copy(&name(&open, &by_digest), &name(&private, &back), &options)
            .ok();
        let raw = skopeo.raw_manifest(&name(&private, &back)).ok();
        assert_eq!(sha256(raw.as_bytes()), image.root, "{back}");
    }
}
