//! What can be typed, and by which name the program is called.

use std::process::Command;

use landfall_testkit::{Outcome, run};

use super::{load, save};
use crate::place::{PROGRAM, Place};

/// The program under a script's name.
fn called(place: &Place, name: &str, args: &[&str]) -> Outcome {
    let link = place.path(name);
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let mut command = Command::new(link);
    command.args(args).current_dir(place.scratch.path()).env_clear();
    run(&mut command)
}

/// Case 7: help is no error, for both.
#[test]
fn help_ends_with_0() {
    let place = Place::new();
    for (script, word) in [
        ("save", "-h"),
        ("save", "--help"),
        ("load", "-h"),
        ("load", "--help"),
    ] {
        let outcome = place.landfall(&[&format!("rancher-{script}-images"), word]);
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        assert!(
            outcome
                .stdout
                .starts_with(&format!("USAGE: rancher-{script}-images")),
            "{outcome}"
        );
    }
}

/// Case 7: what the scripts do not know ends with 1, and the nearest word is told.
#[test]
fn unknown_words_end_with_1() {
    let place = Place::new();
    for (args, told) in [
        (
            ["rancher-save-images", "--image-lits", "x"],
            "did you mean `--image-list`?",
        ),
        (
            ["rancher-save-images", "--image-list=x", ""],
            "write `--image-list x`",
        ),
        (
            ["rancher-load-images", "--registri", "x"],
            "did you mean `--registry`?",
        ),
    ] {
        let outcome = place.landfall(&args);
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        assert!(
            outcome.stderr.contains(told) && outcome.stdout.contains("USAGE"),
            "{outcome}"
        );
    }
}

#[test]
fn load_needs_a_registry() {
    let place = Place::new();
    let outcome = place.landfall(&["rancher-load-images", "-l", "x"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains("-r") && outcome.stdout.contains("USAGE"),
        "{outcome}"
    );
    let outcome = place.landfall(&["rancher-load-images", "--ps1"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stdout.contains("Registry address is required\n"),
        "{outcome}"
    );
}

#[test]
fn a_script_by_its_name() {
    let place = Place::new();
    place.scratch.write("rancher-images.txt", "a:1\n");
    place.scratch.write("rancher-windows-images.txt", "a:1\n");
    let ops = ["--dry-run", "--format", "ops"];
    for name in ["rancher-save-images", "rancher-save-images.sh"] {
        assert_eq!(
            called(&place, name, &ops).ok(),
            "docker pull a:1\ndocker save a:1\n"
        );
    }
    let outcome = called(
        &place,
        "rancher-save-images.ps1",
        &["-o", "1809", "--dry-run", "--format=ops"],
    );
    let name = "a:1-windows-1809";
    assert_eq!(
        outcome.ok(),
        format!("docker pull {name}\ndocker save {name} -o rancher-windows-images.tar.gz\n")
    );
    let outcome = called(
        &place,
        "rancher-load-images.sh",
        &["-r", "reg", "--dry-run", "--format=ops"],
    );
    assert!(outcome.ok().ends_with("docker push reg/rancher/a:1\n"));
}

/// Case 6, for both scripts: upstream ends with 0 in each of these.
#[test]
fn what_is_not_there_is_an_error() {
    let place = Place::new();
    let target = landfall_testkit::FakeRegistry::empty();
    let outcome = save(&place, &[]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stderr.contains("rancher-images.txt"), "{outcome}");
    place.scratch.write("rancher-images.txt", "a:1\n");
    let outcome = load(&place, &target, &[]);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stderr.contains("rancher-images.tar.gz"), "{outcome}");
    let outcome = load(&place, &target, &["--compat-exit-zero"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("rancher-images.tar.gz"),
        "still told: {outcome}"
    );
}

#[test]
fn the_powershell_scripts_need_a_release_here() {
    let place = Place::new();
    let outcome = place.landfall(&["rancher-save-images", "--ps1"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("Could not find 'rancher-windows-images.txt' file\n"),
        "{outcome}"
    );
    place.scratch.write("rancher-windows-images.txt", "a:1\n");
    let outcome = place.landfall(&["rancher-save-images", "--ps1"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stderr.contains("-o is needed"), "{outcome}");
}
