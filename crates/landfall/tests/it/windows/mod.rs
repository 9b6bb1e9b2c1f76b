//! Windows and Linux images under one name, in one pass.

mod foreign;
mod loading;
mod membership;
mod schemes;

use landfall_oci::{Index, Reference, View};
use landfall_testkit::{FakeRegistry, Outcome};

use crate::place::Place;

/// Saves `linux.txt` and `windows.txt` for both versions.
fn save(place: &Place, upstream: &FakeRegistry, more: &[&str]) -> Outcome {
    let from = upstream.address();
    let mut args = vec!["save", "-l", "linux.txt", "-o", "bundle.tar", "--from", &from];
    args.extend(["--windows-list", "windows.txt"]);
    if !more.contains(&"--windows-versions") {
        args.extend(["--windows-versions", crate::windows_world::BOTH]);
    }
    args.extend(more);
    place.landfall(&args)
}

fn lists(place: &Place, linux: &str, windows: &str) {
    let lines = |names: &str| {
        names
            .split(' ')
            .map(|name| format!("{name}\n"))
            .collect::<String>()
    };
    place.scratch.write("linux.txt", lines(linux));
    place.scratch.write("windows.txt", lines(windows));
}

fn load(place: &Place, bundle: &str, target: &FakeRegistry, more: &[&str]) -> Outcome {
    let address = target.address();
    let mut args = vec!["load", bundle, "-r", &address];
    args.extend(more);
    place.landfall(&args)
}

/// The index behind a name of the target.
#[track_caller]
fn index(target: &FakeRegistry, name: &str) -> Index {
    let place: Reference = name.parse().unwrap();
    let repository = name.rsplit_once(':').unwrap().0.parse().unwrap();
    let stored = target.manifest(&repository, &place.with_default_tag().target());
    let stored = stored.unwrap_or_else(|| panic!("{name} is not there: {:?}", target.tags()));
    let digest = landfall_testkit::digest::sha256(&stored.bytes);
    let manifest = landfall_oci::RawManifest::new(Some(&stored.media_type), digest, stored.bytes).unwrap();
    match manifest.view().unwrap() {
        View::Index(index) => *index,
        View::Image(_) => panic!("{name} is one image"),
    }
}

/// The members' platforms, as text.
#[track_caller]
fn platforms(target: &FakeRegistry, name: &str) -> Vec<String> {
    let members = index(target, name).manifests;
    let platforms = members
        .iter()
        .map(|member| member.platform.as_ref().unwrap().to_string());
    platforms.collect()
}

const WINDOWS_1809: &str = "windows(10.0.17763.5458)/amd64";
const WINDOWS_2022: &str = "windows(10.0.20348.2113)/amd64";
