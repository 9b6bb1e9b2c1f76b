//! What was typed without a flag: configuration files, then images.

use std::path::{Path, PathBuf};

use landfall_oci::Reference;

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
