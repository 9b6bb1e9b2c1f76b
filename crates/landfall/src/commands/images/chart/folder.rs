//! A chart as a folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::archive::{Files, unpack_within};
use crate::failure::Failure;

const MAX_BYTES: u64 = 100 * 1024 * 1024;
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 32;

/// Reads it, and the packed charts in its `charts/`. Links are not followed.
pub(super) fn read(root: &Path, shown: &str) -> Result<Files, Failure> {
    let mut files = Files::new();
    let mut left = MAX_BYTES;
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let failed = |error| Failure::local("read", &folder, &error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let (Some(name), path) = (
                entry.file_name().to_str().map(|name| format!("{prefix}{name}")),
                entry.path(),
            ) else {
                continue;
            };
            if kind.is_dir() && depth < MAX_DEPTH && entry.file_name() != ".git" {
                folders.push((path, format!("{name}/"), depth + 1));
            } else if kind.is_file() {
                let mut content = Vec::new();
                let read = File::open(&path).and_then(|file| file.take(left + 1).read_to_end(&mut content));
                read.map_err(|error| Failure::local("read", &path, &error))?;
                let size = content.len() as u64;
                if size > left || files.len() >= MAX_FILES {
                    return Err(Failure::usage(format!(
                        "{shown} is larger than any chart: is it the right folder?"
                    )));
                }
                left -= size;
                files.insert(name, content);
            }
        }
    }
    unpack_within(files, shown)
}
