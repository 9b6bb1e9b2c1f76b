//! Makes the benchmark's workload from the machine's own files and lays it down as the storage of Debian's
//! docker-registry, with the list of its images and, on demand, a huge layer.
//!
//! ```text
//! make_workload FOLDER [--small] [--big BYTES | --only-big BYTES]
//! ```
//! leaves `FOLDER/registry` (docker-registry's root), `FOLDER/blobs` (every unique layer, as files),
//! `FOLDER/list.txt` and `FOLDER/facts.json`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use landfall_oci::Platform;
use landfall_testkit::workload::{Content, Family, Recipe, Workload};

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(
        words
            .next()
            .expect("usage: make_workload FOLDER [--small] [--big BYTES]"),
    );
    let mut recipe = Some(Recipe::rancher_like());
    let mut big = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--small" => recipe = Some(Recipe::small(1)),
            "--big" => big = words.next().and_then(|bytes| bytes.parse().ok()),
            "--only-big" => {
                recipe = None;
                big = words.next().and_then(|bytes| bytes.parse().ok());
            }
            other => panic!("unknown option {other}"),
        }
    }
    let mut workload = recipe.map_or_else(Workload::new, |recipe| recipe.build(Some(&folder.join("blobs"))));
    if let Some(bytes) = big {
        let layer = workload.add_big_layer(1, bytes);
        let image = workload.add_image(Family::Oci, &Platform::new("linux", "amd64"), &[layer]);
        workload.tag("rancher/huge:v1", image.digest);
    }
    workload.write_registry_storage(&folder.join("registry"));
    fs::write(folder.join("list.txt"), workload.list()).expect("the list can be written");
    let multi = workload
        .images
        .iter()
        .filter(|image| workload.manifests[&image.root].media_type.is_index());
    let facts = serde_json::json!({
        "images": workload.images.len(),
        "multi_platform": multi.count(),
        "manifests": workload.manifests.len(),
        "unique_blobs": workload.blobs.len(),
        "bytes": workload.blob_bytes(),
        "largest": workload.blobs.values().map(Content::len).max(),
    });
    fs::write(folder.join("facts.json"), facts.to_string()).expect("the facts can be written");
    println!("{facts}");
}
