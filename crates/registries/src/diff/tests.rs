//! Changes that are told, and those that are none.

use landfall_diag::SourceId;
use landfall_oci::Reference;

use super::{Change, Difference, Kind, Pull, compare};
use crate::k3s::{Behaviours, Node, Options, Program};
use crate::registries_yaml;

fn pull(text: &str, version: Option<&str>, image: &str) -> Pull {
    let file = registries_yaml::read(SourceId(0), text).registries.unwrap();
    let mut options = Options::new(Program::K3s);
    if let Some(version) = version {
        options.behaviours = Behaviours::of(version.parse().unwrap());
    }
    let image = Reference::parse(image).unwrap().with_default_tag();
    Pull::by_containerd(&Node::new(&file, options).explain(&image), &image)
}

fn difference(old: &str, new: &str, image: &str) -> Option<Difference> {
    compare(&pull(old, None, image), &pull(new, None, image))
}

fn kinds(difference: &Difference) -> Vec<(Kind, &str)> {
    let told = |change: &Change| change.kind;
    difference
        .changes
        .iter()
        .map(|change| (told(change), change.subject.as_str()))
        .collect()
}

const TWO: &str = "mirrors: {docker.io: {endpoint: ['https://a.example', 'https://b.example']}}";

#[test]
fn what_is_the_same_is_no_difference() {
    for image in [
        "nginx",
        "quay.io/a/b:1",
        "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(difference(TWO, TWO, image), None, "{image}");
    }
}

#[test]
fn endpoints_come_go_and_move() {
    let one = "mirrors: {docker.io: {endpoint: ['https://b.example']}}";
    let swapped = "mirrors: {docker.io: {endpoint: ['https://b.example', 'https://a.example']}}";
    let gone = difference(TWO, one, "nginx").unwrap();
    assert_eq!(
        kinds(&gone),
        [(Kind::Removed { from: 1 }, "https://a.example/v2")]
    );
    let come = difference(one, TWO, "nginx").unwrap();
    assert_eq!(kinds(&come), [(Kind::Added { to: 1 }, "https://a.example/v2")]);
    let moved = difference(TWO, swapped, "nginx").unwrap();
    assert_eq!(moved.changes.len(), 1, "{moved:?}");
    assert!(matches!(moved.changes[0].kind, Kind::Moved { .. }), "{moved:?}");
    assert_eq!(difference(TWO, one, "quay.io/a/b"), None);
}

#[test]
fn a_digest_is_told_once() {
    let image = "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let one = "mirrors: {docker.io: {endpoint: ['https://b.example']}}";
    assert_eq!(difference(TWO, one, image).unwrap().changes.len(), 1);
}

#[test]
fn secrets_are_compared_and_not_told() {
    let with = |password: &str| {
        format!("{TWO}\nconfigs: {{a.example: {{auth: {{username: u, password: {password}}}}}}}")
    };
    let told = difference(&with("hunter2"), &with("hunter3"), "nginx").unwrap();
    let detail = &told.changes[0].details[0];
    assert_eq!(detail.new.as_deref(), Some("user `u`, another password"));
    assert!(detail.old_at.is_some() && detail.new_at.is_some());
    assert!(!format!("{told:?}").contains("hunter"), "{told:?}");
}

#[test]
fn images_with_the_same_change_have_equal_changes() {
    let rewriting = "mirrors: {docker.io: {endpoint: ['https://a.example', 'https://b.example'], rewrite: {'^(.*)': 'x/$1'}}}";
    let (one, two) = (
        difference(TWO, rewriting, "a/b:1").unwrap(),
        difference(TWO, rewriting, "c/d:2").unwrap(),
    );
    assert_eq!(one.changes, two.changes);
    assert_eq!(one.changes[0].details[0].what, "repository");
    assert_eq!(one.repositories[0], Some(("a/b".to_owned(), "x/a/b".to_owned())));
}

#[test]
fn releases_differ_in_the_scope() {
    let text = "mirrors: {docker.io: {endpoint: ['https://a.example'], rewrite: {'^(.*)': 'x/$1'}}}";
    let told = compare(
        &pull(text, Some("v1.30.6"), "a/b"),
        &pull(text, Some("v1.30.7"), "a/b"),
    )
    .unwrap();
    let details = &told.changes[0].details;
    assert_eq!(details.len(), 1, "{told:?}");
    assert_eq!(details[0].what, "scope");
}
