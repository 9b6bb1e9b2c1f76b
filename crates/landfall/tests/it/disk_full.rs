//! A registry on a disk that really is full: a small one, of memory, in a mount namespace of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_testkit::{Workload, run};

use crate::place::Place;
use crate::server::Serving;

/// Tells the child where its disk is. It is larger than what a store keeps back for itself (64 MiB).
const DISK: &str = "LANDFALL_SMALL_DISK";

#[test]
fn on_a_small_disk() {
    let place = Place::new();
    let disk = place.scratch.folder("disk");
    // Root makes a mount namespace as it is; anybody else becomes root of a namespace first.
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if rustix::process::geteuid().as_raw() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    let script = r#"mount -t tmpfs -o size=80m none "$1" && exec "$2" --exact disk_full::child --nocapture"#;
    command
        .args(["sh", "-c", script, "sh"])
        .arg(&disk)
        .arg(std::env::current_exe().unwrap())
        .env(DISK, &disk);
    let told = run(&mut command).ok();
    assert!(told.contains("1 passed"), "{told}");
    assert_eq!(
        std::fs::read_dir(disk).unwrap().count(),
        0,
        "the small disk was never there"
    );
}

/// Takes what is left of the disk.
fn fill(disk: &Path) {
    let mut file = std::fs::File::create(disk.join("filler")).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Not a test of its own: runs on the small disk.
#[test]
fn child() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    let place = Place::new();
    let root = disk.join("store");
    let root = root.to_str().unwrap();
    let serving = Serving::start(&place, &["--root", root]);
    let digest = place.layout("small", "small");
    place.push("small", &serving.name("team/app:1")).ok();
    // Announced: refused before the bytes, with the figures.
    let mut big = Workload::new();
    let layer = big.add_big_layer(5, 24 << 20);
    let platform = landfall_oci::Platform::new("linux", "amd64");
    let image = big.add_image(landfall_testkit::workload::Family::Oci, &platform, &[layer]);
    big.tag("big/image:1", image.digest);
    big.write_layout(&place.path("big"));
    let refused = place.push("big", &serving.name("team/big:1"));
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(
        refused.stderr.contains("507") && refused.stderr.contains("DENIED"),
        "{refused}"
    );
    // To the last byte, and everything that gives room still works.
    fill(&disk);
    place.layout("other", "other");
    let refused = place.push("other", &serving.name("team/app:2"));
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(
        refused.stderr.contains("507") && refused.stderr.contains("DENIED"),
        "{refused}"
    );
    let manifest = format!("/v2/team/app/manifests/{digest}");
    assert_eq!(serving.get(&manifest).status, 200);
    assert_eq!(serving.get("/readyz").status, 200);
    let deleted = serving.request("DELETE", &manifest, &[]);
    assert_eq!(deleted.status, 202, "{deleted}");
    let gc = ["gc", "--root", root, "--grace", "0", "--keep-trash", "0"];
    let told = place.landfall(&gc).ok();
    // Small blobs of the image that was refused may have come before the refusal: they go as well.
    let manifest_file = format!("file       {digest}");
    assert!(told.contains(&manifest_file), "{told}");
    assert!(told.contains("removed: 0 manifests"), "{told}");
    // With room, pushes work again without a restart, also on a directory that was opened while it was full.
    std::fs::remove_file(disk.join("filler")).unwrap();
    place.push("other", &serving.name("team/app:2")).ok();
    fill(&disk);
    assert_eq!(serving.stop(), Some(0));
    let serving = Serving::start(&place, &["--root", root]);
    assert_eq!(serving.get("/v2/team/app/manifests/2").status, 200);
    std::fs::remove_file(disk.join("filler")).unwrap();
    place.push("small", &serving.name("team/app:1")).ok();
    place.landfall(&["scrub", "--root", root]).ok();
}
