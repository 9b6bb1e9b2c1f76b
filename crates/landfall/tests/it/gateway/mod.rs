//! `landfall serve --upstreams`: one registry in the place of many, as its users set it up.

mod away;
mod crowd;
mod pulls;
mod wrong;

use landfall_oci::{Digest, Platform};
use landfall_testkit::digest::sha256;
use landfall_testkit::workload::{Content, Family, Layer};
use landfall_testkit::{FakeRegistry, Workload};

use crate::place::Place;
use crate::server::{Answer, Serving};

/// Who gave an answer.
const FROM: &str = "x-landfall-served-from";

/// Starts a gateway to the upstreams of this registries.yaml, over `store` and its cache.
#[track_caller]
fn gateway(place: &Place, yaml: &str, args: &[&str]) -> Serving {
    place.scratch.write("registries.yaml", yaml);
    let mut all = vec!["--root", "store", "--upstreams", "registries.yaml"];
    all.extend(args);
    Serving::start(place, &all)
}

/// A registries.yaml in which all registries are at one upstream. Nobody else is asked for what it has not.
fn all_at(upstream: &FakeRegistry) -> String {
    format!("mirrors:\n  \"*\":\n    endpoint: [\"{}\"]\n", upstream.url())
}

/// An image with one layer of text, so that whole answers can be compared.
struct App {
    workload: Workload,
    root: Digest,
    layer: Digest,
    text: String,
}

impl App {
    fn new(name: &str, len: usize) -> Self {
        let mut workload = Workload::new();
        let line = format!("{name}, over and over\n");
        let text: String = line.chars().cycle().take(len).collect();
        let digest = sha256(text.as_bytes());
        workload
            .blobs
            .insert(digest, Content::Memory(text.clone().into()));
        let layer = Layer {
            digest,
            size: text.len() as u64,
            diff_id: digest,
        };
        let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
        workload.tag(name, image.digest);
        Self {
            workload,
            root: image.digest,
            layer: digest,
            text,
        }
    }
}

/// A success that came from there.
#[track_caller]
fn came_from(answer: &Answer, from: &str) {
    assert_eq!(
        (answer.status, answer.header(FROM)),
        (200, Some(from)),
        "{answer}"
    );
}

/// How many requests there were for manifests and blobs.
fn asked(upstream: &FakeRegistry) -> usize {
    upstream.count_where(|request| request.path.contains("/manifests/") || request.path.contains("/blobs/"))
}
