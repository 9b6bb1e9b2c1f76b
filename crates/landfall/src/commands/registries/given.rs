//! What was typed without a flag: configuration files, then images.

use std::path::{Path, PathBuf};

use landfall_oci::Reference;

use crate::args::Program;
use crate::exit::Exit;
use crate::failure::Failure;

/// What is not the name of anything here and ends so was meant as a file.
const ENDINGS: [&str; 6] = [".yaml", ".yml", ".toml", ".conf", ".json", ".d"];

/// Tells files from images: what is there is a file.
pub(super) fn split(
    given: &[String],
    images: &[Reference],
) -> Result<(Vec<PathBuf>, Vec<Reference>), Failure> {
    let mut files = Vec::new();
    let mut named = Vec::new();
    for text in given {
        let path = Path::new(text);
        if text == "-" || path.exists() {
            files.push(path.to_owned());
        } else if text.starts_with(['/', '.', '~']) || ENDINGS.iter().any(|ending| text.ends_with(ending)) {
            return Err(Failure::new(
                Exit::Local,
                format!("cannot read {text}: no such file (an image of that name can be given with --image)"),
            ));
        } else {
            let image: Reference = text.parse().map_err(|error| {
                Failure::usage(format!(
                    "`{text}` is no file that is there, and no image: {error}"
                ))
            })?;
            named.push(image.with_default_tag());
        }
    }
    named.extend(images.iter().map(|image| image.clone().with_default_tag()));
    Ok((files, named))
}

/// The node's own file, where none was named.
pub(super) fn or_own(files: &mut Vec<PathBuf>, program: Program) -> Result<(), Failure> {
    if !files.is_empty() {
        return Ok(());
    }
    let places: &[&str] = match program {
        Program::K3s => &[
            "/etc/rancher/k3s/registries.yaml",
            "/etc/rancher/rke2/registries.yaml",
        ],
        Program::Rke2 => &["/etc/rancher/rke2/registries.yaml"],
        Program::Containerd => &["/etc/containerd/config.toml"],
    };
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    let none = || {
        let places = places.join(" or ");
        Failure::usage(format!("there is no {places} here: name a configuration file"))
    };
    files.push(found.ok_or_else(none)?);
    Ok(())
}
