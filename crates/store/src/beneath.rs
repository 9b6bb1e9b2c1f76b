//! A folder out of which nothing leads: files are opened step by step below it, and no link is ever followed.
//!
//! For trees that other programs write. A link, a pipe or a device in such a tree is treated as if it were not
//! there, with a warning: serving `/etc/shadow` because somebody put a link into the tree is not an option. The
//! path of the folder itself is the operator's word and may be a link.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, open, openat, statat};
use rustix::io::Errno;

/// A folder out of which nothing leads. Everything here blocks.
#[derive(Clone, Debug)]
pub struct Beneath {
    folder: Arc<OwnedFd>,
    path: Arc<Path>,
}

/// A step on the way; only its name is needed, so a folder that may not be listed can be passed.
const STEP: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Without blocking: opening a pipe would wait for its writer for ever.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl Beneath {
    /// Takes a folder.
    ///
    /// # Errors
    /// What the system said; `NotADirectory` for anything but a folder.
    pub fn new(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            folder: Arc::new(open(path, flags, Mode::empty())?),
            path: path.into(),
        })
    }

    /// The folder's path, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something below, for messages.
    #[must_use]
    pub fn join(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// A folder below this one; `None` when there is none.
    ///
    /// # Errors
    /// What the system said, other than "not there".
    pub fn folder(&self, relative: &str) -> io::Result<Option<Self>> {
        let found = self.open(relative, STEP)?;
        Ok(found.map(|folder| Self {
            folder: Arc::new(folder),
            path: self.join(relative).into(),
        }))
    }

    /// Opens a regular file for reading; `None` when there is none.
    ///
    /// # Errors
    /// What the system said, other than "not there".
    pub fn file(&self, relative: &str) -> io::Result<Option<File>> {
        let Some(file) = self.open(relative, READ)?.map(File::from) else {
            return Ok(None);
        };
        if file.metadata()?.is_file() {
            return Ok(Some(file));
        }
        self.warn(relative, "is not a regular file");
        Ok(None)
    }

    /// Reads a small file whole; `None` when there is none or when it has more than `limit` bytes.
    ///
    /// # Errors
    /// What the system said, other than "not there".
    pub fn read(&self, relative: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(relative)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take((limit as u64).saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() <= limit {
            return Ok(Some(bytes));
        }
        self.warn(relative, "is larger than such a file can be");
        Ok(None)
    }

    /// The names of the folders in a folder below this one, in no order; none when it is not there. Names that are no
    /// text are left out.
    ///
    /// # Errors
    /// What the system said.
    pub fn folders(&self, relative: &str) -> io::Result<impl Iterator<Item = io::Result<String>>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let listing = self.open(relative, flags)?.map(Dir::new).transpose()?;
        let entries = listing.into_iter().flatten();
        Ok(entries.filter_map(move |entry| match entry {
            Ok(entry) => self.folder_name(relative, &entry).transpose(),
            Err(error) => Some(Err(error.into())),
        }))
    }

    fn folder_name(&self, relative: &str, entry: &DirEntry) -> io::Result<Option<String>> {
        let Some(name) = entry
            .file_name()
            .to_str()
            .ok()
            .filter(|name| !matches!(*name, "." | ".."))
        else {
            return Ok(None);
        };
        let kind = match entry.file_type() {
            // Some file systems do not say it in the listing.
            FileType::Unknown => self.kind(relative, name)?,
            kind => kind,
        };
        if kind == FileType::Symlink {
            self.warn(&format!("{relative}/{name}"), "is a link");
        }
        Ok((kind == FileType::Directory).then(|| name.to_owned()))
    }

    fn kind(&self, relative: &str, name: &str) -> io::Result<FileType> {
        let Some(folder) = self.open(relative, STEP)? else {
            return Ok(FileType::Unknown);
        };
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => Ok(FileType::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, relative: &str, last: OFlags) -> io::Result<Option<OwnedFd>> {
        let mut at: Option<OwnedFd> = None;
        let mut parts = relative.split('/').filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() {
            return self.step(&at, ".", last).map(Some).map_err(io::Error::from);
        }
        while let Some(part) = parts.next() {
            if part == "." || part == ".." {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            let flags = if parts.peek().is_some() { STEP } else { last };
            match self.step(&at, part, flags) {
                Ok(found) => at = Some(found),
                Err(Errno::NOENT | Errno::NAMETOOLONG | Errno::NXIO) => return Ok(None),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let from = at.as_ref().unwrap_or(&self.folder);
                    if statat(from, part, AtFlags::SYMLINK_NOFOLLOW)
                        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
                    {
                        self.warn(relative, "leads over a link");
                    }
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(at)
    }

    fn step(&self, at: &Option<OwnedFd>, part: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        loop {
            let opened = openat(at.as_ref().unwrap_or(&self.folder), part, flags, Mode::empty());
            if !matches!(opened, Err(Errno::INTR)) {
                return opened;
            }
        }
    }

    fn warn(&self, relative: &str, reason: &'static str) {
        tracing::warn!(path = %self.join(relative).display(), "{reason}: left out");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Beneath, folder: &str) -> Vec<String> {
        let mut found: Vec<_> = root.folders(folder).unwrap().map(Result::unwrap).collect();
        found.sort();
        found
    }

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "content").unwrap();
        symlink(outside.path(), root.join("a/out")).unwrap();
        symlink(outside.path().join("secret"), root.join("a/link")).unwrap();
        symlink(root.join("a/b/file"), root.join("a/inside")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let beneath = Beneath::new(root).unwrap();
        assert_eq!(beneath.read("a/b/file", 7).unwrap().unwrap(), b"content");
        assert_eq!(beneath.read("a/b/file", 6).unwrap(), None);
        for refused in [
            "a/out/secret",
            "a/link",
            "a/inside",
            "loop",
            "a/b",
            "a/b/file/x",
            "nope",
            "",
        ] {
            assert!(beneath.file(refused).unwrap().is_none(), "{refused}");
        }
        for illegal in ["../x", "a/../a/b/file", "./a/b/file"] {
            assert!(beneath.file(illegal).is_err(), "{illegal}");
        }
        assert_eq!(names(&beneath, "a"), ["b"]);
        assert_eq!(names(&beneath, ""), ["a"]);
        assert!(names(&beneath, "a/out").is_empty());
        assert!(beneath.folder("a/out").unwrap().is_none());
        let inner = beneath.folder("a/b").unwrap().unwrap();
        assert!(inner.file("file").unwrap().is_some());
        assert!(Beneath::new(&root.join("a/b/file")).is_err());
    }

    #[test]
    fn a_pipe_neither_blocks_nor_counts() {
        let folder = tempfile::tempdir().unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(
            Beneath::new(folder.path())
                .unwrap()
                .file("pipe")
                .unwrap()
                .is_none()
        );
    }
}
