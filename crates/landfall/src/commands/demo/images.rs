//! The demo's images: this program, and files that every machine has, some for several platforms.

use std::fs;
use std::path::Path;

use landfall_oci::{Platform, Reference};

use crate::commands::self_image;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::make_image::{Images, Start};
use crate::own_files::RootFile;

/// Folders to take files from, the first that has any.
const LICENCES: [&str; 3] = [
    "/usr/share/common-licenses",
    "/usr/share/licenses",
    "/usr/share/doc",
];
const ZONES: [&str; 2] = ["/usr/share/zoneinfo", "/etc"];
const MOST_FILES: usize = 40;
const MOST_BYTES: u64 = 1 << 20;

/// Writes them into one bundle.
pub(crate) fn make(path: &Path) -> Result<(), Failure> {
    let mut images = Images::default();
    self_image::add(&mut images, name("landfall/landfall:demo")?)?;
    let failed =
        |error: std::io::Error| Failure::new(Exit::Local, format!("cannot make the demo's images: {error}"));
    let licences = files(&LICENCES, "licences/");
    let manifest = images
        .manifest(&self_image::host_platform(), &licences, &Start::default())
        .map_err(failed)?;
    images.name(name("demo/licences:1")?, manifest);
    let mut members = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let platform = Platform::new("linux", architecture);
        let mut zones = files(&ZONES, "zones/");
        zones.push(RootFile {
            name: "platform".to_owned(),
            mode: 0o644,
            bytes: platform.to_string().into_bytes(),
        });
        let manifest = images
            .manifest(&platform, &zones, &Start::default())
            .map_err(failed)?;
        members.push((platform, manifest));
    }
    let index = images.index(&members).map_err(failed)?;
    images.name(name("quay.io/demo/zones:2026")?, index);
    Ok(images.write(path, true)?)
}

fn name(text: &str) -> Result<Reference, Failure> {
    Reference::parse(text).map_err(|error| Failure::usage(error.to_string()))
}

/// A few small files of the first folder that exists; never fails, for which files there are does not matter.
fn files(folders: &[&str], below: &str) -> Vec<RootFile> {
    let folder = folders.iter().map(Path::new).find(|folder| folder.is_dir());
    let entries = folder
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten()
        .flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() < MOST_BYTES))
        .collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        let name = format!("{below}{}", path.file_name()?.to_str()?);
        Some(RootFile {
            name,
            mode: 0o644,
            bytes: fs::read(path).ok()?,
        })
    };
    paths.iter().filter_map(file).take(MOST_FILES).collect()
}
