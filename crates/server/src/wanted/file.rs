//! The file in which the list survives a restart: written under another name, synced, renamed. Blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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
