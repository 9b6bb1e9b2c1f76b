//! What other programs keep, served where it lies, and with a directory of our own over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landfall_testkit::Workload;

use crate::place::{Place, same_bytes};
use crate::server::Serving;

/// Every file below a folder and its bytes: two equal ones prove that nothing was written.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    found.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

/// Serves `theirs` read only, then with a directory over it that takes pushes.
#[track_caller]
fn assert_journey(place: &Place, workload: &Workload, theirs: &str) {
    let before = snapshot(&place.path(theirs));
    let serving = Serving::start(place, &[theirs]);
    place.save(&serving.address, "bundle.tar", &["--overwrite"]).ok();
    place.layout("one", "one");
    let refused = place.push("one", &serving.name("new/app:1"));
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert_eq!(serving.stop(), Some(0));

    let serving = Serving::start(place, &[theirs, "--root", "store"]);
    place.push("one", &serving.name("new/app:1")).ok();
    place
        .landfall(&["pull", &serving.name("new/app:1"), "-o", "one.tar"])
        .ok();
    place.save(&serving.address, "again.tar", &["--overwrite"]).ok();
    assert!(same_bytes(&place.path("bundle.tar"), &place.path("again.tar")));
    // A tag that lies below is seen first, so nothing is taken for it that nobody would see.
    let masked = place.push("one", &serving.name(&workload.images[0].name()));
    assert_eq!(masked.code(), Some(1), "{masked}");
    assert!(masked.stderr.contains("it is served read-only"), "{masked}");
    // A second loading moves nothing: what lies below counts as there.
    let told = place
        .landfall(&["load", "bundle.tar", "-r", &serving.address, "--output", "json"])
        .ok();
    let report: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(report["report"]["bytes_moved"], 0, "{told}");
    let catalog = serving.get("/v2/_catalog?n=1000").json();
    let names = catalog["repositories"].as_array().unwrap();
    assert!(names.contains(&"new/app".into()), "{catalog}");
    for image in &workload.images {
        assert!(names.contains(&image.repository.as_str().into()), "{catalog}");
    }
    // Upkeep of the directory leaves what lies below alone.
    place
        .landfall(&["gc", "--root", "store", "--grace", "0", "--untagged-after", "0"])
        .ok();
    place.landfall(&["scrub", "--root", "store"]).ok();
    place.save(&serving.address, "again.tar", &["--overwrite"]).ok();
    assert!(snapshot(&place.path(theirs)) == before, "something was written");
}

#[test]
fn a_folder_of_dockers_registry() {
    let workload = Workload::small(62);
    let place = Place::with_list(&workload);
    workload.write_registry_storage(&place.path("theirs"));
    assert_journey(&place, &workload, "theirs");
}

#[test]
fn an_oci_layout_directory() {
    let workload = Workload::small(63);
    let place = Place::with_list(&workload);
    std::fs::create_dir(place.path("layout")).unwrap();
    workload.write_layout(&place.path("layout"));
    assert_journey(&place, &workload, "layout");
}

#[test]
fn a_wrong_folder_is_told_what_would_be_right() {
    let place = Place::new();
    place.scratch.folder("empty");
    place.scratch.write("folder/file", "x");
    place.scratch.write("file", "x");
    drop(Serving::start(&place, &["--root", "store"]));
    for (path, code, words) in [
        ("empty", 4, "docker/registry/v2"),
        ("folder", 4, "index.json"),
        (
            "file",
            4,
            "neither a tar archive nor anything else that holds images",
        ),
        ("store", 4, "use --root"),
        ("missing", 3, "no such file or directory"),
    ] {
        let outcome = place.landfall(&["serve", path, "--listen", "127.0.0.1:0"]);
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        assert!(
            outcome.stderr.contains(words) && outcome.stderr.contains(path),
            "{outcome}"
        );
        assert_eq!(outcome.stdout, "");
    }
}
