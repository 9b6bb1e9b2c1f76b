//! `lint --online`: the registries are asked.

use landfall_testkit::fake_registry::{Auth, Fault, Kind, Rule};
use landfall_testkit::{FakeRegistry, Workload};

use super::{document, said};
use crate::place::Place;

fn online(place: &Place, registry: &FakeRegistry, more: &[&str]) -> landfall_testkit::Outcome {
    let address = registry.address();
    let mut args = vec![
        "images",
        "lint",
        "list.txt",
        "--online",
        "--from",
        &address,
        "--attempts",
        "1",
    ];
    args.extend(more);
    place.landfall(&args)
}

#[test]
fn existence_platforms_sizes() {
    let workload = Workload::small(7);
    let registry = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    let made = online(&place, &registry, &[]);
    said(&made, 0, &["IMAGE", "PLATFORMS", "0 errors"]);
    let asked = document(&online(&place, &registry, &["--output", "json"]));
    let images = asked["online"]["images"].as_array().unwrap();
    assert_eq!(images.len(), workload.images.len());
    assert!(
        images
            .iter()
            .all(|image| image["bytes"].as_u64().is_some_and(|bytes| bytes > 0)),
        "{asked}"
    );
    // Manifests say it all.
    assert_eq!(registry.blob_bytes_sent(), 0);
}

#[test]
fn a_tag_that_is_not_there_and_the_nearest_one() {
    let workload = Workload::hello("rancher/calico:v3.4.1", "hello");
    let registry = FakeRegistry::with(&workload);
    let place = Place::new();
    place.scratch.write(
        "list.txt",
        "rancher/calico:v3.4.1\nrancher/calico:v3.4.0\nrancher/calico:zebra-stripes\nrancher/none:1\n",
    );
    let made = online(&place, &registry, &[]);
    said(
        &made,
        1,
        &[
            "list.txt:2: error: `rancher/calico:v3.4.0`",
            "the nearest tag there is v3.4.1",
            "none of the 1 tags there is like it",
            "list.txt:4: error:",
            "3 errors",
        ],
    );
    let kinds = document(&online(&place, &registry, &["--output", "json"]));
    assert_eq!(kinds["notes"][0]["kind"], "absent");
}

#[test]
fn who_cannot_be_asked() {
    let workload = Workload::hello("rancher/calico:v3.4.1", "hello");
    let registry = FakeRegistry::with(&workload);
    let place = Place::with_list(&workload);
    registry.rule(Rule::on(Kind::Manifest, Fault::status(503, "UNAVAILABLE")));
    let made = online(&place, &registry, &["--output", "json"]);
    said(&made, 1, &[]);
    assert_eq!(document(&made)["notes"][0]["kind"], "unchecked");
    let closed = FakeRegistry::builder()
        .workload(&workload)
        .auth(Auth::basic("user", "secret"))
        .start();
    said(&online(&place, &closed, &[]), 6, &["list.txt:1: error:"]);
    let nobody = place.landfall(&[
        "images",
        "lint",
        "list.txt",
        "--online",
        "--from",
        "127.0.0.1:1",
        "--attempts",
        "1",
    ]);
    said(&nobody, 5, &["list.txt:1: error:"]);
}
