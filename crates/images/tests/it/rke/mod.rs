//! RKE: the table, cluster.yml, and the observed outputs of the real program.

mod bad_input;
mod kdm;
mod observed;
mod silent;
mod table;
mod vectors;

use std::path::PathBuf;

use landfall_diag::{Source, SourceId, Sources, render};
use landfall_images::rke::{Cluster, Reading};

/// The facts that the table was made of, where they stand beside the project.
fn facts() -> Option<PathBuf> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rke-system-images.json");
    if file.exists() {
        return Some(file);
    }
    eprintln!("no facts beside the project: the table is not compared with them");
    None
}

fn read(text: &str) -> Reading {
    Cluster::read(SourceId(0), text)
}

/// What a person is shown.
fn shown(text: &str, reading: &Reading) -> String {
    let mut sources = Sources::default();
    sources.add(Source::new("cluster.yml", text));
    render::render_text(&sources, &reading.diagnostics, render::Style::default())
}
