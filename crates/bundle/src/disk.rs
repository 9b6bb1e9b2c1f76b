//! What the writer asks of the operating system: space, locks, durable renames, copies inside the kernel. Blocking.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{self as sys, FallocateFlags, FlockOperation, RenameFlags};
use rustix::io::Errno;

use crate::BundleError;

pub(crate) use landfall_store::epoch;

/// `path` with something put behind its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder that a path lies in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes renames and removals in the folder of `path` last.
pub(crate) fn sync_folder(path: &Path) -> Result<(), BundleError> {
    let folder = folder(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(BundleError::io("sync the folder", folder))
}

/// Opens for reading and writing, creating; never through a symbolic link.
pub(crate) fn open_or_create(path: &Path) -> Result<File, BundleError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(nofollow())
        .open(path)
        .map_err(BundleError::io("create", path))
}

/// The open flag that refuses a symbolic link.
pub(crate) fn nofollow() -> i32 {
    sys::OFlags::NOFOLLOW.bits().cast_signed()
}

/// Takes the lock that keeps a second writer out, until the file is closed. File systems without locks go without.
pub(crate) fn lock(file: &File, path: &Path) -> Result<(), BundleError> {
    match sys::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(BundleError::Locked {
            path: path.to_owned(),
        }),
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK) => {
            tracing::warn!(path = %path.display(), "this file system has no locks; a second writer would not be noticed");
            Ok(())
        }
        Err(error) => Err(BundleError::io("lock", path)(error.into())),
    }
}

/// Whether the open file is still the one at `path` (it may have been renamed while we waited for its lock).
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Bytes that this user can still write to the file system of `file`.
pub(crate) fn free(file: &File) -> io::Result<u64> {
    let stat = sys::fstatvfs(file)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes that the file takes already.
pub(crate) fn allocated(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.blocks().saturating_mul(512))
}

/// Gives the file its length and, where the file system can, its blocks.
pub(crate) fn allocate(file: &File, total: u64, reserve: bool) -> io::Result<()> {
    if reserve {
        match sys::fallocate(file, FallocateFlags::empty(), 0, total) {
            Ok(()) => return file.set_len(total),
            Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.set_len(total)
}

/// Turns what the system said while the bundle's bytes were written into an error with figures.
pub(crate) fn write_error(
    source: io::Error,
    file: &File,
    path: &Path,
    needed: u64,
    total: u64,
) -> BundleError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BundleError::NoSpace {
            path: path.to_owned(),
            needed,
            free: free(file).unwrap_or(0),
        },
        io::ErrorKind::FileTooLarge => BundleError::FileTooLarge {
            path: path.to_owned(),
            total,
        },
        _ => BundleError::io("write", path)(source),
    }
}

/// Gives the blocks of a range back; a file system that cannot keeps them.
pub(crate) fn punch(file: &File, offset: u64, len: u64) {
    if len > 0 {
        let _ = sys::fallocate(
            file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            offset,
            len,
        );
    }
}

/// Copies a range from file to file, in the kernel where it can (then without reading it, on file systems that share
/// blocks).
pub(crate) fn copy_range(from: (&File, u64), to: (&File, u64), len: u64) -> io::Result<()> {
    let mut done = 0;
    while done < len {
        let (mut source, mut target) = (from.1 + done, to.1 + done);
        let wish = usize::try_from(len - done).unwrap_or(usize::MAX).min(1 << 30);
        match sys::copy_file_range(from.0, Some(&mut source), to.0, Some(&mut target), wish) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                return copy_by_hand((from.0, from.1 + done), (to.0, to.1 + done), len - done);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(from: (&File, u64), to: (&File, u64), len: u64) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    let mut buffer = vec![0; CHUNK as usize];
    let mut done = 0;
    while done < len {
        let take = usize::try_from((len - done).min(CHUNK)).unwrap_or(buffer.len());
        from.0.read_exact_at(&mut buffer[..take], from.1 + done)?;
        to.0.write_all_at(&buffer[..take], to.1 + done)?;
        done += take as u64;
    }
    Ok(())
}

/// Writes a small file so that after a crash either the old or the new one is there. The new one is not left behind
/// half written.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<File, BundleError> {
    let temporary = beside(path, ".new");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(nofollow())
        .open(&temporary)
        .map_err(BundleError::io("create", &temporary))?;
    let written = file.write_all_at(bytes, 0).and_then(|()| file.sync_all());
    if let Err(source) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(write_error(
            source,
            &file,
            path,
            bytes.len() as u64,
            bytes.len() as u64,
        ));
    }
    rename(&temporary, path)?;
    sync_folder(path)?;
    Ok(file)
}

/// Renames, replacing.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), BundleError> {
    std::fs::rename(from, to).map_err(BundleError::io("rename to", to))
}

/// Renames, unless something is there.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<(), BundleError> {
    let exists = || BundleError::Exists { path: to.to_owned() };
    match sys::renameat_with(sys::CWD, from, sys::CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(exists()),
        // FAT, NFS: no such rename. A second name for the same file is refused as surely, where there are links.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match std::fs::hard_link(from, to) {
            Ok(()) => remove(from),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            Err(_) if to.symlink_metadata().is_ok() => Err(exists()),
            Err(_) => rename(from, to),
        },
        Err(error) => Err(BundleError::io("rename to", to)(error.into())),
    }
}

/// Removes a file that need not be there.
pub(crate) fn remove(path: &Path) -> Result<(), BundleError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BundleError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
