//! Image lists from files: read, remarked upon, refused when a line is no image.

use std::io::Read;
use std::path::Path;

use landfall_images::{Entry, List, NoteKind};
use landfall_oci::Reference;

use crate::failure::Failure;
use crate::out;

/// More than this is no list: the largest real ones have a few thousand lines.
const MAX_LIST_BYTES: u64 = 64 * 1024 * 1024;

/// As many bad lines as are shown.
const MOST_ERRORS: usize = 20;

/// Reads a list (`-`: standard input) with all its notes.
pub(crate) fn read_raw(path: &Path) -> Result<List, Failure> {
    parse(&bytes(path)?, path)
}

/// A list's bytes (`-`: standard input).
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin()
            .lock()
            .take(MAX_LIST_BYTES)
            .read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|file| file.take(MAX_LIST_BYTES).read_to_end(&mut bytes)),
    };
    if let Err(error) = read {
        let advice = match error.kind() {
            std::io::ErrorKind::IsADirectory => "; give the list in this folder",
            _ => "",
        };
        return Err(Failure::usage(format!(
            "cannot read the image list {}: {error}{advice}",
            path.display()
        )));
    }
    if bytes.len() as u64 == MAX_LIST_BYTES {
        return Err(Failure::usage(format!(
            "{} is too large for an image list",
            path.display()
        )));
    }
    Ok(bytes)
}

/// Reads the bytes of a list.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<List, Failure> {
    List::parse_bytes(bytes).map_err(|offset| {
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        let advice = match is_archive(bytes) {
            true => {
                "this is an archive, not a list: `landfall inspect` and `landfall load` take it, `landfall list` prints its names"
            }
            false => "an image list is plain text, one image per line",
        };
        Failure::usage(format!(
            "{}:{line}: not text (byte {offset}); {advice}",
            path.display()
        ))
    })
}

/// What people give by mistake: gzip, zstd, zip, tar.
fn is_archive(bytes: &[u8]) -> bool {
    let heads: [&[u8]; 3] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"];
    heads.iter().any(|head| bytes.starts_with(head)) || bytes.get(257..262) == Some(b"ustar")
}

/// A line that is no image ends the run.
pub(crate) fn refuse_errors(list: &List, path: &Path) -> Result<(), Failure> {
    let count = list.errors().count();
    let mut errors: Vec<_> = list
        .errors()
        .take(MOST_ERRORS)
        .map(|note| format!("{}:{}: {}", path.display(), note.line, note.message))
        .collect();
    if count > MOST_ERRORS {
        errors.push(format!("and {} more", count - MOST_ERRORS));
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "{}\nmend these lines or comment them out with #",
            errors.join("\n")
        ))),
    }
}

/// Reads a list to work on: notes go to standard error, a line that is no image is an error, and so is an empty list.
pub(crate) fn read(path: &Path, quiet: bool) -> Result<Vec<Entry>, Failure> {
    let list = read_raw(path)?;
    refuse_errors(&list, path)?;
    if list.entries.is_empty() {
        return Err(Failure::usage(format!("{}: no image in it", path.display())));
    }
    if !quiet {
        for note in list
            .notes
            .iter()
            .filter(|note| note.kind != NoteKind::ImpliedLatest)
        {
            out::progress(&format!(
                "{}:{}: note: {}",
                path.display(),
                note.line,
                note.message
            ));
        }
    }
    Ok(list.entries)
}

/// Names typed on the command line, as entries.
pub(crate) fn from_names(names: &[String]) -> Result<Vec<Entry>, Failure> {
    let entry = |(position, name): (usize, &String)| match Reference::parse(name) {
        Ok(reference) => Ok(Entry {
            reference: reference.with_default_tag(),
            text: name.clone(),
            line: position + 1,
        }),
        Err(error) => Err(Failure::usage(error.to_string())),
    };
    names.iter().enumerate().map(entry).collect()
}
