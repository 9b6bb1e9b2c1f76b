//! Rancher's save and load scripts without Docker: the acceptance list of what they do, and of what they get wrong.

mod archives;
mod charts;
mod loading;
mod ops;
mod saving;
mod windows;
mod words;

use landfall_testkit::{FakeRegistry, Outcome, Workload};

use crate::place::Place;

/// The usual names: with a path, bare, with a host.
const NAMES: [&str; 3] = ["rancher/a:1", "b:2", "quay.io/x/y:3"];

/// A registry that has one small image under each of these names.
fn upstream(names: &[&str]) -> FakeRegistry {
    let mut workload = Workload::hello("x/seed:1", "hello");
    let root = workload.images[0].root;
    for name in names {
        workload.tag(name, root);
    }
    workload.images.retain(|image| image.name() != "x/seed:1");
    FakeRegistry::with(&workload)
}

fn save(place: &Place, more: &[&str]) -> Outcome {
    place.landfall(&[&["rancher-save-images"], more].concat())
}

fn load(place: &Place, target: &FakeRegistry, more: &[&str]) -> Outcome {
    place.landfall(&[&["rancher-load-images", "-r", &target.address()], more].concat())
}

/// A folder with these images in an archive that was saved from `source`, and the list.
fn saved(source: &FakeRegistry, names: &[&str]) -> Place {
    let place = Place::new();
    place.scratch.write("rancher-images.txt", names.join("\n"));
    save(&place, &["-s", &source.address()]).ok();
    place
}

fn tags(target: &FakeRegistry) -> Vec<String> {
    target.tags().into_keys().collect()
}
