//! A temporary folder that real daemons can live in.
//!
//! Its path is short, because a unix socket's path has at most 107 bytes and containerd nests its own below it;
//! and its end undoes what container runtimes leave: mounts, and processes that outlive the daemon they served.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

/// Set to keep the folders of a run, to look into them.
const KEEP: &str = "LANDFALL_KEEP";

/// A temporary folder, removed at the end together with the mounts and runtime processes below it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes `/tmp/lf-XXXXXX`, whatever `TMPDIR` says (that one may be long).
    pub fn new() -> Self {
        Self::within(Path::new("/tmp"))
    }

    /// Makes the folder in another place: on another file system, say.
    pub fn within(parent: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("lf-")
            .tempdir_in(parent)
            .unwrap_or_else(|error| panic!("cannot make a folder in {}: {error}", parent.display()));
        Self { path: folder.keep() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below the folder; nothing is made.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder below (with its parents) and returns its path.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        path
    }

    /// Writes a file below and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        }
        fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        end_shims(&self.path);
        unmount_below(&self.path);
        if std::env::var_os(KEEP).is_some() {
            eprintln!("kept: {}", self.path.display());
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("left behind: {}: {error}", self.path.display());
        }
    }
}

/// Unmounts what is mounted below a folder, innermost first.
pub fn unmount_below(folder: &Path) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = |line: &str| {
        let point = PathBuf::from(line.split(' ').nth(4)?);
        point.starts_with(folder).then_some(point)
    };
    let points: Vec<_> = table.lines().filter_map(below).collect();
    for point in points.iter().rev() {
        if let Err(error) = unmount(point, UnmountFlags::DETACH) {
            eprintln!("cannot unmount {}: {error}", point.display());
        }
    }
}

/// Ends the containerd shims that were started for a containerd whose folder this is: they detach themselves on
/// purpose and survive it. Only a process whose arguments name the folder, which is ours alone, is touched.
fn end_shims(folder: &Path) {
    let ours = folder.to_string_lossy();
    let Ok(processes) = fs::read_dir("/proc") else {
        return;
    };
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        let is_shim = arguments
            .split('\0')
            .next()
            .is_some_and(|program| program.contains("containerd-shim"));
        if is_shim
            && arguments.contains(&*ours)
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_short_and_goes_away() {
        let scratch = Scratch::new();
        let path = scratch.path().to_owned();
        assert!(path.as_os_str().len() < 16);
        scratch.write("a/b/c", "x");
        drop(scratch);
        assert!(!path.exists());
    }
}
