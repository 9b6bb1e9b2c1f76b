//! One folder, held open: whatever is done in it is done in it, and never through a link.
//!
//! All names are single steps, so no path can be changed under us between a look and a deed. Unlike the walk that
//! serves foreign trees, a link is not passed over in silence here: it is in the way, and whoever put it there must
//! be told.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, fsync, mkdirat, open, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::NodeError;

/// Nobody's `hosts.toml` or certificate is larger; what is, is not read into memory.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Called before each change of the disk, with what and where. For tests that end the process there.
pub(super) type Watch = Arc<dyn Fn(&'static str, &Path) + Send + Sync>;

/// An open folder.
#[derive(Clone)]
pub(super) struct Folder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    watch: Option<Watch>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// Whose a file or folder is, and who may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Rights {
    pub(super) mode: u32,
    /// `None`: whoever makes it.
    pub(super) owner: Option<(u32, u32)>,
}

/// A file's bytes and rights.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    pub(super) rights: Rights,
}

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder by its path, which is the operator's word and may lead over links. `None`: there is none.
    pub(super) fn open(path: &Path, watch: Option<Watch>) -> Result<Option<Self>, NodeError> {
        match open(path, OPEN, Mode::empty()) {
            Ok(fd) => Ok(Some(Self {
                fd: Arc::new(fd),
                path: path.to_owned(),
                watch,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(NodeError::io("open", path, error)),
        }
    }

    /// Whoever watches this one.
    pub(super) fn watch(&self) -> Option<Watch> {
        self.watch.clone()
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder below; `None` when there is none, or when it is something else.
    pub(super) fn folder(&self, name: &str) -> Result<Option<Self>, NodeError> {
        match openat(&self.fd, name, OPEN | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Some(Self {
                fd: Arc::new(fd),
                path: self.join(name),
                watch: self.watch.clone(),
            })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(NodeError::io("open", &self.join(name), error)),
        }
    }

    /// The folder below, made if it is not there.
    pub(super) fn folder_or_new(&self, name: &str, mode: u32) -> Result<Self, NodeError> {
        if self.kind(name)?.is_none() {
            self.make_folder(name, Rights { mode, owner: None })?;
            self.sync()?;
        }
        let missing = || NodeError::Root {
            path: self.join(name),
            reason: "it is not a folder",
        };
        self.folder(name)?.ok_or_else(missing)
    }

    /// What a name stands for; `None`: nothing.
    pub(super) fn kind(&self, name: &str) -> Result<Option<Kind>, NodeError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(NodeError::io("look at", &self.join(name), error)),
        }
    }

    /// The rights of this folder itself.
    pub(super) fn rights(&self) -> Result<Rights, NodeError> {
        let stat =
            rustix::fs::fstat(&self.fd).map_err(|error| NodeError::io("look at", &self.path, error))?;
        Ok(rights(stat.st_mode, stat.st_uid, stat.st_gid))
    }

    /// All names, sorted. One that is no text is shown with replacement characters: nothing is ever done to it.
    pub(super) fn names(&self) -> Result<Vec<String>, NodeError> {
        let failed = |error: Errno| NodeError::io("list", &self.path, error);
        // A listing has its own position: the descriptor that we keep must not be moved.
        let listing = openat(&self.fd, ".", OPEN, Mode::empty()).map_err(failed)?;
        let mut names = Vec::new();
        for entry in Dir::new(listing).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a regular file; `None` when there is none, or something else.
    pub(super) fn read(&self, name: &str) -> Result<Option<Found>, NodeError> {
        let failed = |source: io::Error| NodeError::io("read", &self.join(name), source);
        // Without blocking: opening a pipe would wait for its writer for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(failed(error.into())),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| failed(error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(failed(io::Error::other("it is larger than such a file can be")));
        }
        Ok(Some(Found {
            bytes,
            rights: rights(stat.st_mode, stat.st_uid, stat.st_gid),
        }))
    }

    // Changes.

    fn about_to(&self, what: &'static str, name: &str) {
        if let Some(watch) = &self.watch {
            watch(what, &self.join(name));
        }
    }

    /// Writes a new file and has it on the disk when this returns.
    pub(super) fn write_new(&self, name: &str, bytes: &[u8], rights: Rights) -> Result<(), NodeError> {
        self.about_to("make", name);
        let failed = |source: io::Error| NodeError::io("write", &self.join(name), source);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&self.fd, name, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(made.map_err(|error| failed(error.into()))?);
        self.about_to("fill", name);
        file.write_all(bytes).map_err(failed)?;
        give(&file, rights).map_err(|error| failed(error.into()))?;
        file.sync_all().map_err(failed)
    }

    pub(super) fn make_folder(&self, name: &str, rights: Rights) -> Result<(), NodeError> {
        self.about_to("make", name);
        let failed = |error: Errno| NodeError::io("make", &self.join(name), error);
        mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)).map_err(failed)?;
        if let Some(made) = self.folder(name)? {
            give(&*made.fd, rights).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), NodeError> {
        self.about_to("rename", to);
        renameat(&self.fd, from, &self.fd, to).map_err(|error| NodeError::io("rename", &self.join(to), error))
    }

    /// Removes a file; one that is gone already is no failure.
    pub(super) fn remove_file(&self, name: &str) -> Result<(), NodeError> {
        self.remove(name, AtFlags::empty())
    }

    /// Removes an empty folder. `false`: it is not empty.
    pub(super) fn remove_folder(&self, name: &str) -> Result<bool, NodeError> {
        self.about_to("remove", name);
        match unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(error) => Err(NodeError::io("remove", &self.join(name), error)),
        }
    }

    fn remove(&self, name: &str, flags: AtFlags) -> Result<(), NodeError> {
        self.about_to("remove", name);
        match unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(NodeError::io("remove", &self.join(name), error)),
        }
    }

    /// Removes a folder of ours with the files in it. A folder within it is not ours, and stops this.
    pub(super) fn remove_with_files(&self, name: &str) -> Result<(), NodeError> {
        if let Some(folder) = self.folder(name)? {
            for file in folder.names()? {
                folder.remove_file(&file)?;
            }
        }
        match self.remove_folder(name)? {
            true => Ok(()),
            false => Err(NodeError::io("remove", &self.join(name), Errno::NOTEMPTY)),
        }
    }

    /// Makes the names in this folder last.
    pub(super) fn sync(&self) -> Result<(), NodeError> {
        fsync(&self.fd).map_err(|error| NodeError::io("sync", &self.path, error))
    }
}

fn rights(mode: u32, uid: u32, gid: u32) -> Rights {
    Rights {
        mode: mode & 0o7777,
        owner: Some((uid, gid)),
    }
}

/// Sets rights whatever the umask is. An owner that is right already is left alone: only root may give files away.
fn give(fd: impl std::os::fd::AsFd, rights: Rights) -> Result<(), Errno> {
    if let Some((uid, gid)) = rights.owner {
        let stat = rustix::fs::fstat(&fd)?;
        if (stat.st_uid, stat.st_gid) != (uid, gid) {
            fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
    }
    fchmod(&fd, Mode::from_raw_mode(rights.mode))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_read_or_written_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let tree = tempfile::tempdir().unwrap();
        symlink(outside.path(), tree.path().join("dir")).unwrap();
        symlink(outside.path().join("secret"), tree.path().join("file")).unwrap();
        symlink(outside.path().join("new"), tree.path().join("dangling")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            tree.path().join("pipe"),
            FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let folder = Folder::open(tree.path(), None).unwrap().unwrap();
        assert!(folder.folder("dir").unwrap().is_none());
        assert!(folder.read("file").unwrap().is_none());
        assert!(folder.read("pipe").unwrap().is_none());
        assert_eq!(folder.kind("file").unwrap(), Some(Kind::Link));
        assert_eq!(folder.kind("pipe").unwrap(), Some(Kind::Other));
        let rights = Rights {
            mode: 0o644,
            owner: None,
        };
        assert!(folder.write_new("dangling", b"x", rights).is_err());
        assert!(!outside.path().join("new").exists());
        folder.write_new("new", b"x", rights).unwrap();
        folder.rename("new", "file").unwrap();
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
        assert_eq!(folder.read("file").unwrap().unwrap().bytes, b"x");
    }
}
