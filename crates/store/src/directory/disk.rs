//! The one place below every change that the store makes to its root.
//!
//! Whatever creates, writes, links, renames, removes or syncs goes through [`Disk`], so that a test can note each
//! step and rebuild the folder that a crash between any two of them leaves. Reading needs no such place. Neither
//! does the lock, which means nothing after a crash, nor making a record young again: no sync makes that last, and
//! a power cut that takes it back has cut the push that relied on it as well. All of this blocks: it runs on the
//! blocking pool or on the hash threads.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::Indexes;
use super::publish::Durability;

/// A change of the file system, with all that is needed to make it again. Paths are relative to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A folder was made.
    MakeFolder(PathBuf),
    /// An empty file was made.
    Create(PathBuf),
    /// Bytes were written into a file.
    Write {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file was cut or lengthened.
    SetLen {
        /// The file.
        path: PathBuf,
        /// Its new length.
        len: u64,
    },
    /// A file's bytes and length were forced to the disk.
    SyncFile(PathBuf),
    /// A file got a second name.
    Link {
        /// The name it has.
        from: PathBuf,
        /// The name it got.
        to: PathBuf,
    },
    /// A file got another name, in the place of whatever had it.
    Rename {
        /// The name it had.
        from: PathBuf,
        /// The name it has.
        to: PathBuf,
    },
    /// A name of a file was removed.
    Remove(PathBuf),
    /// An empty folder was removed.
    RemoveFolder(PathBuf),
    /// The names in a folder were forced to the disk.
    SyncFolder(PathBuf),
    /// All that was done before was forced to the disk.
    SyncAll,
}

/// Takes note of changes, in their order: for tests.
pub trait Recorder: Send + Sync + 'static {
    /// This has just been done.
    fn note(&self, change: Change);
}

/// Changes files and folders below one root.
#[derive(Clone)]
pub(super) struct Disk {
    root: Arc<Path>,
    durability: Durability,
    indexes: Arc<Indexes>,
    recorder: Option<Arc<dyn Recorder>>,
}

/// An open file, and the name under which it was opened.
#[derive(Clone)]
pub(super) struct DiskFile {
    disk: Disk,
    path: Arc<Path>,
    file: Arc<File>,
}

impl Disk {
    pub(super) fn new(
        root: &Path,
        durability: Durability,
        indexes: Arc<Indexes>,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        Self {
            root: root.into(),
            durability,
            indexes,
            recorder,
        }
    }

    /// What lists the folders that are changed here.
    pub(super) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// Makes a file that must not be there yet, for reading and writing.
    pub(super) fn create(&self, path: &Path) -> io::Result<DiskFile> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true);
        let file = self
            .indexes
            .while_changing(&[(path, true)], || options.open(path))?;
        self.note(|| Change::Create(self.relative(path)));
        Ok(self.file(path, file))
    }

    /// Opens a file that is there, for reading and writing.
    pub(super) fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(self.file(path, file))
    }

    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.indexes
            .while_changing(&[(path, true)], || fs::create_dir(path))?;
        self.note(|| Change::MakeFolder(self.relative(path)));
        Ok(())
    }

    /// Gives a file a second name, which must be free.
    pub(super) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.indexes
            .while_changing(&[(to, true)], || fs::hard_link(from, to))?;
        self.note(|| Change::Link {
            from: self.relative(from),
            to: self.relative(to),
        });
        Ok(())
    }

    /// Gives a file another name, in the place of whatever has it. When that is the same file under a second name,
    /// the system does nothing: then the first name must be one that nobody lists.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let changes = [(from, false), (to, true)];
        self.indexes.while_changing(&changes, || fs::rename(from, to))?;
        self.note(|| Change::Rename {
            from: self.relative(from),
            to: self.relative(to),
        });
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.indexes
            .while_changing(&[(path, false)], || fs::remove_file(path))?;
        self.note(|| Change::Remove(self.relative(path)));
        Ok(())
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.indexes
            .while_changing(&[(path, false)], || fs::remove_dir(path))?;
        self.note(|| Change::RemoveFolder(self.relative(path)));
        Ok(())
    }

    /// Makes what was created, linked, renamed or removed in a folder last.
    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.durability == Durability::Full {
            File::open(path)?.sync_all()?;
            self.note(|| Change::SyncFolder(self.relative(path)));
        }
        Ok(())
    }

    /// Makes everything last that was done below the root, by whomever.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        if self.durability == Durability::Full {
            rustix::fs::syncfs(File::open(&self.root)?)?;
            self.note(|| Change::SyncAll);
        }
        Ok(())
    }

    fn file(&self, path: &Path, file: File) -> DiskFile {
        DiskFile {
            disk: self.clone(),
            path: path.into(),
            file: Arc::new(file),
        }
    }

    fn note(&self, change: impl FnOnce() -> Change) {
        if let Some(recorder) = &self.recorder {
            recorder.note(change());
        }
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("root", &self.root)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl DiskFile {
    /// The file itself, to read from and to ask about.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(bytes, offset)?;
        self.disk.note(|| Change::Write {
            path: self.disk.relative(&self.path),
            offset,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.disk.note(|| Change::SetLen {
            path: self.disk.relative(&self.path),
            len,
        });
        Ok(())
    }

    /// Forces bytes and length to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.disk.durability == Durability::Full {
            self.file.sync_all()?;
            self.disk
                .note(|| Change::SyncFile(self.disk.relative(&self.path)));
        }
        Ok(())
    }
}
