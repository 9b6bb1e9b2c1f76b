//! The file in which the list survives a restart: written under another name, synced, renamed. Blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use landfall_oci::Reference;
use serde::{Deserialize, Serialize};

use super::memory::Entry;
use crate::error::ServerError;

/// What is read at most: many times what is ever written.
const MAX_BYTES: u64 = 256 << 20;

/// The only version so far.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    wanted: Vec<Entry>,
}

/// Asks the registry that keeps its list in `path` to forget these images. It does so within seconds; where none
/// runs, the next one does. Blocks.
///
/// # Errors
/// [`ServerError::Io`].
pub fn ask_to_forget(path: &Path, images: &[Reference]) -> Result<(), ServerError> {
    let path = forgotten(path);
    let lines: String = images.iter().map(|image| format!("{image}\n")).collect();
    let append = || {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)?
            .write_all(lines.as_bytes())
    };
    append().map_err(ServerError::io("write", &path))
}

fn forgotten(path: &Path) -> PathBuf {
    path.with_added_extension("forget")
}

/// Where the list lies.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// One writer at a time; the later one has the later state.
    writing: Mutex<()>,
}

impl StateFile {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            writing: Mutex::default(),
        }
    }

    /// What was written last. A file that cannot be understood is set aside: a list of missing images must not keep
    /// a registry from starting.
    pub(super) fn read(&self) -> Result<Vec<Entry>, ServerError> {
        let bytes = match fs::metadata(&self.path).and_then(|about| match about.len() <= MAX_BYTES {
            true => fs::read(&self.path),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ServerError::io("read", &self.path)(error)),
        };
        let reason = match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.version == VERSION => return Ok(state.wanted),
            Ok(state) => format!("it has the version {}, not {VERSION}", state.version),
            Err(error) => error.to_string(),
        };
        let aside = self.path.with_added_extension("unreadable");
        tracing::warn!(path = %self.path.display(), aside = %aside.display(), reason,
            "the list of wanted images cannot be read; it is set aside and begun anew");
        fs::rename(&self.path, &aside).map_err(ServerError::io("set aside", &self.path))?;
        Ok(Vec::new())
    }

    /// What another process has asked to be forgotten since this was called last.
    pub(super) fn take_forgotten(&self) -> Result<Vec<Reference>, ServerError> {
        let (path, taken) = (
            forgotten(&self.path),
            self.path.with_added_extension("forgetting"),
        );
        match fs::rename(&path, &taken) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ServerError::io("take", &path)(error)),
        }
        let text = fs::read_to_string(&taken).map_err(ServerError::io("read", &taken))?;
        fs::remove_file(&taken).map_err(ServerError::io("remove", &taken))?;
        Ok(text
            .lines()
            .filter_map(|line| Reference::parse(line).ok())
            .collect())
    }

    /// Writes what `entries` gives once it is this writer's turn.
    pub(super) fn write(&self, entries: impl FnOnce() -> Vec<Entry>) -> Result<(), ServerError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State {
            version: VERSION,
            wanted: entries(),
        };
        let bytes = serde_json::to_vec(&state).map_err(|error| ServerError::Setup {
            what: "write down which images are wanted",
            reason: error.to_string(),
        })?;
        let written = || -> io::Result<()> {
            let temporary = self.path.with_added_extension("new");
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).open(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            match self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        written().map_err(ServerError::io("write", &self.path))
    }
}
