//! `landfall demo`, as a newcomer's first command: offline, as root, with a real containerd at its end.

use crate::place::Place;

#[test]
fn ends_with_a_container_that_runs() {
    let place = Place::new();
    let told = place.landfall(&["demo"]).ok();
    let version = place.landfall(&["--version"]).ok();
    let lines: Vec<_> = told
        .lines()
        .filter(|line| line.trim() == version.trim())
        .collect();
    assert!(
        !lines.is_empty(),
        "no container said `{}`:\n{told}",
        version.trim()
    );
    assert!(!told.contains("Skipped"), "{told}");
    assert_eq!(
        std::fs::read_dir(place.scratch.path()).unwrap().count(),
        0,
        "something was left here"
    );
}

#[test]
fn keeps_its_folder_when_asked_to() {
    let place = Place::new();
    place.landfall(&["demo", "--keep", "kept"]).ok();
    let kept: Vec<_> = std::fs::read_dir(place.path("kept"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let bundles = kept
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"));
    let mut verified = 0;
    for bundle in bundles {
        place.landfall(&["verify", bundle.to_str().unwrap()]).ok();
        verified += 1;
    }
    assert!(verified > 0, "{kept:?}");
}
