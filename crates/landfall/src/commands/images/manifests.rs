//! `images manifests`: what Kubernetes objects in files, folders and standard input want.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use landfall_images::gathered::{Gathered, Remark};
use landfall_images::manifests::{Manifests, Origin, Problem};

use super::tell;
use crate::args::{ListFormat, ManifestsArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// One file; all objects of a large cluster as JSON stay below.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
const MAX_FILES: usize = 100_000;

pub(super) fn run(args: &ManifestsArgs) -> Result<Exit, Failure> {
    let (gathered, problems) = gather(&args.files)?;
    finish(gathered, problems, &args.list)
}

/// The images of all these, and what could not be read.
pub(super) fn gather(places: &[PathBuf]) -> Result<(Gathered, Vec<Problem>), Failure> {
    let mut manifests = Manifests::new("manifests");
    for place in places {
        if place.as_os_str() == "-" {
            let bytes = bounded(std::io::stdin().lock(), place)?;
            manifests.read("standard input", &bytes, Origin::File);
            continue;
        }
        for file in files(place)? {
            let opened = File::open(&file).map_err(|error| Failure::local("read", &file, &error))?;
            manifests.read(
                &file.display().to_string(),
                &bounded(opened, &file)?,
                Origin::File,
            );
        }
    }
    Ok(manifests.finish())
}

/// Gives a list out, and tells what could not be read: then the list is not all of it.
pub(super) fn finish(
    mut gathered: Gathered,
    problems: Vec<Problem>,
    list: &crate::args::ListOutput,
) -> Result<Exit, Failure> {
    for problem in &problems {
        out::progress(&format!("{}: error: {}", problem.place, problem.message));
    }
    let is_whole = problems.is_empty();
    // Whoever reads JSON finds them there.
    if list.output == ListFormat::Json {
        gathered
            .remarks
            .extend(problems.into_iter().map(|problem| Remark {
                source: "error".to_owned(),
                place: Some(problem.place),
                message: problem.message,
            }));
    }
    match tell(gathered, list)? {
        Exit::Complete if !is_whole => Ok(Exit::Partial),
        exit => Ok(exit),
    }
}

fn bounded(reader: impl Read, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::local("read", path, &error))?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(Failure::usage(format!(
            "{} is larger than {} MiB: that is more than manifests are",
            path.display(),
            MAX_BYTES >> 20
        ))),
        false => Ok(bytes),
    }
}

/// The file itself, or all YAML and JSON files below the folder, sorted.
fn files(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![place.to_owned()]);
    while let Some(folder) = folders.pop() {
        let failed = |error| Failure::local("read", &folder, &error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && has_manifests(&path) {
                found.push(path);
            }
        }
        if found.len() + folders.len() > MAX_FILES {
            return Err(Failure::usage(format!(
                "{} has more than {MAX_FILES} files",
                place.display()
            )));
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(Failure::usage(format!(
            "{}: no .yaml, .yml or .json file in it",
            place.display()
        ))),
        false => Ok(found),
    }
}

fn has_manifests(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
}
