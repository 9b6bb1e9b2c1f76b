//! A file replaced as a whole: nobody ever reads half of it, and its rights and owner stay.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;

/// Puts new bytes in the place of the old ones. A link stays, and what it leads to is replaced.
pub(super) fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::local("replace", path, &error);
    let target = fs::canonicalize(path).map_err(failed)?;
    let directory = target.parent().unwrap_or(Path::new("/"));
    let metadata = fs::metadata(&target).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .prefix(".landfall-")
        .tempfile_in(directory)
        .map_err(failed)?;
    file.write_all(new).map_err(failed)?;
    file.as_file()
        .set_permissions(metadata.permissions())
        .map_err(failed)?;
    let made = file.as_file().metadata().map_err(failed)?;
    if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
        fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid())).map_err(failed)?;
        // Giving a file away may take rights from it.
        file.as_file()
            .set_permissions(metadata.permissions())
            .map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    if fs::read(&target).map_err(failed)? != old {
        return Err(Failure::new(
            Exit::Local,
            format!(
                "{}: it was changed meanwhile; nothing was written",
                path.display()
            ),
        ));
    }
    file.persist(&target).map_err(|error| failed(error.error))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}
