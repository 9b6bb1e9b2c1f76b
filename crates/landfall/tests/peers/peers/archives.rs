//! What other programs put into files: theirs into a registry through us, and ours into a node's containerd.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use landfall_testkit::peers::{Containerd, DockerRegistry, Dockerd, Podman, Skopeo};
use landfall_testkit::{Workload, run};
use serde_json::Value;

use super::fleet::{
    ALL, ATTESTED, DOCKER, DOCKER_LIST, QUAY, SINGLE, familiar, fleet, full, only, saved, says,
};
use super::stored;
use crate::place::Place;

/// The digest of the config of an image, of its first platform where it has several.
fn config(workload: &Workload, name: &str) -> String {
    let manifest = workload.closure(workload.image(name).root)[0];
    manifest
        .view()
        .unwrap()
        .blobs()
        .next()
        .unwrap()
        .digest
        .to_string()
}

/// What a registry has under a name.
#[track_caller]
fn manifest(registry: &DockerRegistry, repository: &str, tag: &str) -> Value {
    let bytes = registry.stored_manifest(repository, tag);
    serde_json::from_slice(&bytes.unwrap_or_else(|| panic!("no {repository}:{tag}"))).unwrap()
}

/// The digests of its unpacked layers, as its config has them.
#[track_caller]
fn diff_ids(registry: &DockerRegistry, repository: &str, tag: &str) -> Value {
    let config = manifest(registry, repository, tag)["config"]["digest"].clone();
    let hex = config
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned();
    let blobs = registry.root().join("docker/registry/v2/blobs/sha256");
    let bytes = std::fs::read(blobs.join(&hex[..2]).join(&hex).join("data")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["rootfs"]["diff_ids"].clone()
}

fn gzip(from: &Path, to: &Path) {
    let mut out = flate2::write::GzEncoder::new(File::create(to).unwrap(), flate2::Compression::default());
    out.write_all(&std::fs::read(from).unwrap()).unwrap();
    out.finish().unwrap();
}

#[test]
fn docker_save_piped_through_gzip_is_what_ranchers_script_writes() {
    let workload = only(&[SINGLE, DOCKER, QUAY]);
    let names = [SINGLE, DOCKER, QUAY];
    let place = saved(&workload);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    docker.save(&names.map(familiar), &place.path("plain.tar")).ok();
    gzip(&place.path("plain.tar"), &place.path("rancher-images.tar.gz"));

    let registry = DockerRegistry::empty();
    place
        .landfall(&["load", "rancher-images.tar.gz", "-r", &registry.address()])
        .ok();
    // Shared layers are there once: three images of two layers have four.
    let mut layers: Vec<_> = Vec::new();
    for name in names {
        let (repository, tag) = familiar(name).rsplit_once(':').unwrap();
        let stored = manifest(&registry, repository, tag);
        assert_eq!(stored["config"]["digest"], config(&workload, name), "{name}");
        layers.extend(
            stored["layers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|layer| layer["digest"].to_string()),
        );
    }
    assert_eq!(layers.len(), 6);
    layers.sort();
    layers.dedup();
    assert_eq!(layers.len(), 4);
    // Another daemon gets what the first one had: the image's id is the digest of its config, which names its layers.
    let other = Dockerd::start();
    for name in names {
        let here = format!("{}/{}", registry.address(), familiar(name));
        other.pull(&here).ok();
        let id = run(other
            .docker()
            .args(["image", "inspect", "--format", "{{.Id}}", &here]))
        .ok();
        assert_eq!(id.trim(), config(&workload, name));
        assert_eq!(other.run(&here).ok(), says(name));
    }
    // Plain and compressed, loaded and converted, today and tomorrow: one digest.
    for (archive, bundle) in [("plain.tar", "one.tar"), ("rancher-images.tar.gz", "other.tar")] {
        place.landfall(&["convert", archive, "-o", bundle]).ok();
        place.landfall(&["verify", bundle]).ok();
    }
    assert!(place.read("one.tar") == place.read("other.tar"));
    let about = place.landfall(&["inspect", "one.tar", "--output", "json"]).ok();
    let root = stored::tag(&registry, "hello", "1").unwrap();
    assert!(about.contains(&root.to_string()), "{about}");
    // And back again, into a daemon.
    let third = Dockerd::start();
    third.load(&place.path("one.tar")).ok();
    for name in names {
        assert_eq!(third.run(familiar(name)).ok(), says(name));
    }
}

#[test]
fn what_docker_saves_is_shown_served_and_pushed() {
    let workload = only(&[SINGLE, DOCKER]);
    let place = saved(&workload);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    docker
        .save(&[familiar(SINGLE), DOCKER], &place.path("docker.tar"))
        .ok();
    let list = place.landfall(&["list", "docker.tar"]).ok();
    let mut names: Vec<_> = list.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["hello:1", "rancher/hello:v1"]);
    let about = place.landfall(&["inspect", "docker.tar"]).ok();
    assert!(
        about.contains("linux/amd64") && about.contains(&config(&workload, SINGLE)),
        "{about}"
    );
    let registry = DockerRegistry::empty();
    let target = format!("{}/pushed/hello:2", registry.address());
    place
        .landfall(&["push", "docker.tar", &target, "--image", "hello:1"])
        .ok();
    let pushed = stored::tag(&registry, "pushed/hello", "2").unwrap();
    let about = place.landfall(&["inspect", "docker.tar", "--digests"]).ok();
    assert!(about.contains(&pushed.to_string()), "{about}");
    let serving = super::serving::Serving::start(&place, &["docker.tar"]);
    let other = Dockerd::start();
    other.pull(&serving.name(DOCKER)).ok();
    assert_eq!(other.run(&serving.name(DOCKER)).ok(), says(DOCKER));
}

#[test]
fn an_image_saved_by_its_id_has_no_name() {
    let workload = only(&[DOCKER]);
    let place = saved(&workload);
    let docker = Dockerd::start();
    docker.load(&place.path("bundle.tar")).ok();
    docker
        .save(&[&config(&workload, DOCKER)], &place.path("id.tar"))
        .ok();
    let registry = DockerRegistry::empty();
    let refused = place.landfall(&["load", "id.tar", "-r", &registry.address()]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    let target = format!("{}/named/now:1", registry.address());
    place.landfall(&["push", "id.tar", &target]).ok();
    assert_eq!(
        manifest(&registry, "named/now", "1")["config"]["digest"],
        config(&workload, DOCKER)
    );
}

#[test]
fn podmans_archives() {
    let workload = only(&[SINGLE, DOCKER]);
    let place = saved(&workload);
    let podman = Podman::new();
    podman.load(&place.path("bundle.tar")).ok();
    podman
        .save(
            "docker-archive",
            &[&full(SINGLE), &full(DOCKER)],
            &place.path("multi.tar"),
        )
        .ok();
    podman
        .save("docker-archive", &[&full(DOCKER)], &place.path("one.tar"))
        .ok();
    podman
        .save("oci-archive", &[&full(SINGLE)], &place.path("oci.tar"))
        .ok();
    gzip(&place.path("oci.tar"), &place.path("oci.tar.gz"));
    gzip(&place.path("one.tar"), &place.path("one.tgz"));
    for (archives, names) in [
        (&["multi.tar"][..], &[SINGLE, DOCKER][..]),
        (&["one.tar", "one.tgz"], &[DOCKER]),
        (&["oci.tar", "oci.tar.gz"], &[SINGLE]),
    ] {
        let mut roots = Vec::new();
        for archive in archives {
            let registry = DockerRegistry::empty();
            place.landfall(&["load", archive, "-r", &registry.address()]).ok();
            for name in names {
                let (repository, tag) = familiar(name).rsplit_once(':').unwrap();
                // podman rewrites configs of OCI's types on the way; the layers are what they were.
                let inspect = [
                    "image",
                    "inspect",
                    "--format",
                    "{{json .RootFS.Layers}}",
                    &full(name),
                ];
                let layers: Value = serde_json::from_str(&run(podman.podman().args(inspect)).ok()).unwrap();
                assert_eq!(diff_ids(&registry, repository, tag), layers, "{archive} {name}");
                roots.push(stored::tag(&registry, repository, tag));
                let other = Podman::new();
                let here = format!("{}/{}", registry.address(), familiar(name));
                other.pull(&here).ok();
                assert_eq!(other.run(&here).ok(), says(name));
            }
        }
        assert!(
            roots
                .chunks(names.len())
                .all(|chunk| chunk == &roots[..names.len()])
        );
    }
}

#[test]
fn skopeos_archives_and_folders() {
    let workload = fleet();
    let upstream = DockerRegistry::with(&workload);
    let skopeo = Skopeo::new();
    let place = Place::new();
    let registry = DockerRegistry::empty();
    let from = |name: &str| format!("docker://{}/{name}", upstream.address());
    // One image, as Docker would save it, and under which name.
    let archive = format!(
        "docker-archive:{}:{}",
        place.path("docker.tar").display(),
        full(DOCKER)
    );
    skopeo.copy(&from(DOCKER), &archive, &[]).ok();
    place
        .landfall(&["load", "docker.tar", "-r", &registry.address()])
        .ok();
    assert_eq!(
        manifest(&registry, "rancher/hello", "v1")["config"]["digest"],
        config(&workload, DOCKER)
    );
    // An archive that names no more than a tag.
    let archive = format!("oci-archive:{}:v9", place.path("oci.tar").display());
    skopeo.copy(&from(SINGLE), &archive, &[]).ok();
    place
        .landfall(&[
            "convert",
            "oci.tar",
            "-o",
            "named.tar",
            "--name",
            "quay.io/team/app",
        ])
        .ok();
    assert_eq!(
        place.landfall(&["list", "named.tar"]).ok(),
        "quay.io/team/app:v9\n"
    );
    // A folder keeps everything, indexes of several platforms, too.
    skopeo
        .copy(
            &from(ATTESTED),
            &format!("dir:{}", place.path("dir").display()),
            &[],
        )
        .ok();
    let target = format!("{}/from/dir:1", registry.address());
    place.landfall(&["push", "dir", &target]).ok();
    assert_eq!(
        stored::tag(&registry, "from/dir", "1"),
        Some(workload.image(ATTESTED).root)
    );
    // A tree of them.
    std::fs::create_dir(place.path("tree")).unwrap();
    for name in [DOCKER_LIST, ATTESTED] {
        let source = format!("{}/{}", upstream.address(), name.rsplit_once(':').unwrap().0);
        let mut sync = skopeo.skopeo();
        sync.args([
            "sync",
            "--all",
            "--src-tls-verify=false",
            "--src",
            "docker",
            "--dest",
            "dir",
            &source,
        ]);
        run(sync.arg(place.path("tree"))).ok();
    }
    place.landfall(&["load", "tree", "-r", &registry.address()]).ok();
    assert_eq!(
        stored::tag(&registry, "agent", "v1"),
        Some(workload.image(DOCKER_LIST).root)
    );
    assert_eq!(
        stored::tag(&registry, "attested", "v1"),
        Some(workload.image(ATTESTED).root)
    );
}

/// What K3s does at its start, with the client that has the same calls.
#[test]
fn exported_archives_are_imported_by_a_nodes_containerd() {
    let workload = fleet();
    let place = saved(&workload);
    for (format, unpack) in [
        ("tar", None),
        ("tar.gz", Some(["gzip", "-d"])),
        ("tar.zst", Some(["zstd", "-d"])),
    ] {
        let out = format!("node-{format}");
        place
            .landfall(&["export", "k3s", "bundle.tar", "-o", &out, "--format", format])
            .ok();
        let archive = place
            .path(&out)
            .join(format!("agent/images/k3s-airgap-images-amd64.{format}"));
        let files: Vec<_> = std::fs::read_dir(archive.parent().unwrap()).unwrap().collect();
        assert_eq!(files.len(), 1, "{files:?}");
        // We read it, too, and K3s unpacks it by its suffix.
        place.landfall(&["verify", archive.to_str().unwrap()]).ok();
        if let Some([program, option]) = unpack {
            run(std::process::Command::new(program).arg(option).arg(&archive)).ok();
        }
        let plain = archive.with_file_name("k3s-airgap-images-amd64.tar");
        let containerd = Containerd::start();
        run(containerd
            .ctr()
            .args(["--namespace", "k8s.io", "images", "import", "--all-platforms"])
            .arg(&plain))
        .ok();
        let listed = run(containerd
            .ctr()
            .args(["--namespace", "k8s.io", "images", "list", "--quiet"]))
        .ok();
        for name in ALL {
            assert!(listed.lines().any(|line| line == full(name)), "{name}: {listed}");
        }
    }
    // As in the archives that K3s publishes; `ctr` has no option for what K3s does with members that are missing.
    place
        .landfall(&["export", "rke2", "bundle.tar", "-o", "kept", "--keep-index"])
        .ok();
    let archive = place.path("kept/agent/images/rke2-images.linux-amd64.tar");
    let containerd = Containerd::start();
    assert!(!containerd.import(&archive, &["--all-platforms"]).is_ok());
    containerd.import(&archive, &["--platform", "linux/amd64"]).ok();
    assert_eq!(
        containerd.image_digest(&full(QUAY)).unwrap(),
        workload.image(QUAY).root.to_string()
    );
    for name in ALL {
        assert_eq!(containerd.run(&full(name), "kept").ok(), says(name));
    }
}

#[test]
fn what_containerd_exports_as_k3s_does_is_loaded() {
    let workload = only(&[SINGLE, DOCKER, QUAY]);
    let place = saved(&workload);
    let containerd = Containerd::start();
    containerd
        .import(&place.path("bundle.tar"), &["--all-platforms"])
        .ok();
    let names = [SINGLE, DOCKER, QUAY].map(full);
    let mut export = containerd.ctr();
    export
        .args(["images", "export", "--platform", "linux/amd64"])
        .arg(place.path("k3s.tar"));
    run(export.args(&names)).ok();
    for (program, suffix) in [("zstd", "zst"), ("lz4", "lz4"), ("bzip2", "bz2"), ("gzip", "gz")] {
        let packed = place.path(&format!("k3s-airgap-images-amd64.tar.{suffix}"));
        let mut pack = std::process::Command::new(program);
        pack.arg("-c").arg(place.path("k3s.tar"));
        let told = pack.output().unwrap();
        assert!(told.status.success(), "{told:?}");
        std::fs::write(&packed, told.stdout).unwrap();
        let registry = DockerRegistry::empty();
        place
            .landfall(&["load", packed.to_str().unwrap(), "-r", &registry.address()])
            .ok();
        assert_eq!(
            stored::tag(&registry, "hello", "1"),
            Some(workload.image(SINGLE).root)
        );
        assert_eq!(
            stored::tag(&registry, "rancher/hello", "v1"),
            Some(workload.image(DOCKER).root)
        );
        assert!(stored::tag(&registry, "quay.io/jetstack/tool", "v1").is_some());
    }
}
