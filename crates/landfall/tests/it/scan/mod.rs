//! Images of Kubernetes objects and Helm charts, through the program.

mod chart;
mod manifests;
mod remote;
mod web;

use std::path::PathBuf;
use std::process::Command;

use crate::place::Place;

/// The charts that the library's tests are written with.
pub(crate) fn chart(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../images/tests/charts")
        .join(name)
}

/// The program with nothing on its PATH but what the place has in `bin`.
fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = place.command(args);
    command.env("PATH", place.scratch.join("bin"));
    command
}

/// A packed chart with these files.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for (name, content) in files {
        let mut entry = landfall_oci::tar::encode(&format!("app/{name}"), content.len() as u64);
        entry.extend_from_slice(content.as_bytes());
        entry.resize(entry.len().next_multiple_of(512), 0);
        encoder.write_all(&entry).unwrap();
    }
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap()
}

/// A small chart of this version.
fn app(version: &str) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: app\nversion: {version}\nappVersion: \"{version}\"\n");
    let values = "image: {repository: org/app}\n";
    packed(&[
        ("Chart.yaml", about.as_str()),
        ("values.yaml", values),
        ("templates/x.yaml", "kind: List\n"),
    ])
}
