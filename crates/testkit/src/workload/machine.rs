//! Real files to fill layers with: the machine's own libraries and programs, which compress as real images do.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that every Debian machine has, in the order in which they are used.
const FOLDERS: [&str; 4] = ["/usr/lib", "/usr/bin", "/usr/sbin", "/usr/share"];
/// Larger files are left out: one of them would make its layer far larger than was ordered.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The machine's regular files, sorted by path, handed out one after the other.
#[derive(Debug)]
pub struct MachineFiles {
    files: std::vec::IntoIter<(PathBuf, u64)>,
}

impl MachineFiles {
    /// Walks the folders until it has found `enough` bytes.
    pub fn find(enough: u64) -> Self {
        let mut files = Vec::new();
        let mut total = 0;
        for folder in FOLDERS {
            walk(Path::new(folder), enough, &mut total, &mut files);
        }
        Self {
            files: files.into_iter(),
        }
    }

    /// The next file and its length; `None` when all have been used.
    pub fn next_file(&mut self) -> Option<(PathBuf, u64)> {
        self.files.next()
    }
}

fn walk(folder: &Path, enough: u64, total: &mut u64, files: &mut Vec<(PathBuf, u64)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if *total >= enough {
            return;
        }
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.is_dir() {
            walk(&path, enough, total, files);
        } else if meta.is_file() && is_usable(&path, meta.len()) {
            *total += meta.len();
            files.push((path, meta.len()));
        }
    }
}

/// The layer writer knows no names above 100 bytes, and none that are not text.
fn is_usable(path: &Path, len: u64) -> bool {
    (1..=LARGEST).contains(&len) && path.to_str().is_some_and(|name| name.len() <= 100)
}
