//! Real lists, which come from elsewhere and stay there: these checks run only where their folder stands beside the
//! project.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document;
use crate::place::Place;

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lists");
    if !folder.exists() {
        eprintln!("no real lists beside the project: not checked");
        return None;
    }
    Some(folder)
}

fn lists(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            lists(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

#[test]
fn the_list_of_an_rke2_release_is_the_one_it_was_published_with() {
    let Some(folder) = folder() else { return };
    let base = folder.join("rke2");
    let args = [
        "images",
        "rke2",
        "--version",
        "v1.34.3+rke2r3",
        "--no-companions",
        "--release-url",
    ];
    let made = Place::new().landfall(&[&args[..], &[base.to_str().unwrap()]].concat());
    let published = base.join("v1.34.3+rke2r3/REAL-ASSET-rke2-images-all.linux-amd64.txt");
    assert_eq!(made.stdout, std::fs::read_to_string(published).unwrap());
    assert_eq!(made.stderr, "");
}

/// All parts of a release together are its whole list.
#[test]
fn the_parts_of_a_release_are_the_whole() {
    let Some(folder) = folder() else { return };
    let base = folder.join("rke2");
    for version in ["v1.30.14+rke2r4", "v1.34.3+rke2r3", "v1.36.3+rke2r1"] {
        let list = |more: &[&str]| {
            let args = [
                "images",
                "rke2",
                "--version",
                version,
                "--release-url",
                base.to_str().unwrap(),
            ];
            Place::new().landfall(&[&args[..], more].concat()).stdout
        };
        let parts = [
            "--cni",
            "canal,calico,cilium,flannel,multus",
            "--with",
            "traefik,ingress-nginx,vsphere,harvester",
        ];
        assert_eq!(list(&parts), list(&[]), "{version}");
        assert!(list(&["--cni", "canal"]).lines().count() < 25, "{version}");
    }
}

/// Each is read, and every claim that something is missing is one of these, which are true.
#[test]
fn every_list_is_linted_without_a_false_claim() {
    let Some(folder) = folder() else { return };
    let mut found = Vec::new();
    lists(&folder, &mut found);
    found.sort();
    let mut args = vec!["images", "lint", "--output", "json", "-r", "reg.example:5000/all"];
    args.extend(found.iter().map(|path| path.to_str().unwrap()));
    let made = Place::new().landfall(&args);
    assert_eq!(made.code(), Some(0), "{made}");
    let mut missing = Vec::new();
    for list in document(&made)["lists"].as_array().unwrap() {
        assert_eq!(list["errors"], 0, "{}", list["list"]);
        let name = Path::new(list["list"].as_str().unwrap())
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let notes = list["notes"].as_array().unwrap();
        let warnings = notes.iter().filter(|note| note["level"] == "warning");
        missing.extend(warnings.map(|note: &Value| {
            (
                name.clone(),
                note["message"]
                    .as_str()
                    .unwrap()
                    .split('`')
                    .nth(3)
                    .unwrap()
                    .to_owned(),
            )
        }));
    }
    let solver = |version: &str| format!("quay.io/jetstack/cert-manager-acmesolver:{version}");
    let expected = [
        ("cert-manager-v0.12.0-grep-image.txt", solver("v0.12.0")),
        ("movers_image-mirror_sources.txt", solver("v0.8.1")),
        ("movers_rancher-v2.7.9_712_nofinalnewline.txt", solver("v1.12.3")),
        ("rancher-images-v2.7.9-airgapped-demo.txt", solver("v1.12.3")),
    ];
    assert_eq!(missing, expected.map(|(list, name)| (list.to_owned(), name)));
}
