//! Why a node could not be set up.

use std::io;
use std::path::{Path, PathBuf};

/// A failure to read or change a node's folder. Unless the message says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room on the disk.
    #[error("there is no room for {}: the disk is full, or a quota is; free some and try again", path.display())]
    NoRoom {
        /// What was being written.
        path: PathBuf,
    },
    /// The folder of certs.d is not usable.
    #[error("{} cannot be used as certs.d: {reason}", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A name that cannot be a file or folder of ours.
    #[error("`{name}` cannot be a name in certs.d: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// Another process is at work.
    #[error("another process{} is changing {} now; wait for it, and try again", .process.as_ref().map(|id| format!(" ({id})")).unwrap_or_default(), root.display())]
    InUse {
        /// The folder.
        root: PathBuf,
        /// Its process id, as far as it is known.
        process: Option<String>,
    },
    /// Files of others are in the way.
    #[error(
        "{} not ours, or changed by hand since: {}; keep or replace what is there",
        if .files.len() == 1 { "this file is" } else { "these files are" },
        .files.join(", ")
    )]
    Conflicts {
        /// What is in the way, with who made it.
        files: Vec<String>,
    },
    /// Somebody else changed a file while we were at it.
    #[error("{} was changed by another program at the same moment; everything is as it was: try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is no record of a change.
    #[error("nothing to undo: there is no record of a change of {}", root.display())]
    NothingToUndo {
        /// The folder.
        root: PathBuf,
    },
    /// A record that cannot be read.
    #[error("the record {} is damaged: {reason}; what it held cannot be brought back from it", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A change that neither went through nor could be taken back.
    #[error(
        "{} is changed in part: {source}; it could not be taken back now: once the cause is gone, undo does it",
        root.display()
    )]
    Half {
        /// The folder.
        root: PathBuf,
        /// What stopped the change.
        source: Box<NodeError>,
    },
}

impl NodeError {
    pub(crate) fn io(what: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom { path },
            _ => Self::Io { what, path, source },
        }
    }
}

// It travels in results of small things.
const _: () = assert!(size_of::<NodeError>() <= 128);
