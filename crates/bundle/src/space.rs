//! What a bundle will take of the disk, looked up without touching anything: for plans and dry runs.

use std::fs::File;
use std::path::Path;

use crate::names::Names;
use crate::{BundleError, Layout, disk, journal};

/// The disk's side of a plan. All in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes of blobs that an earlier run left and that need not be fetched again.
    pub already_there: u64,
    /// What the bundle still takes of the disk.
    pub needed: u64,
    /// What there is for this user.
    pub free: u64,
}

/// Looks at the disk and at what an earlier run left beside `path`. Blocking; changes nothing.
///
/// # Errors
/// [`BundleError::Io`], for example when the folder does not exist.
pub fn space(path: &Path, layout: &Layout) -> Result<Space, BundleError> {
    let names = Names::of(path);
    let folder = disk::folder(path);
    let opened = File::open(folder).map_err(BundleError::io("open", folder))?;
    let free = disk::free(&opened).map_err(BundleError::io("examine", folder))?;
    let current = left(&names.partial, &names.journal)?;
    let old = left(&names.old_partial, &names.old_journal)?;
    let is_same_plan = |left: &Left| left.replay.fingerprint == layout.fingerprint();
    let allocated = match &current {
        Some(left) if is_same_plan(left) => left.allocated,
        _ => 0,
    };
    let there = layout.to_fetch().map(|(digest, span)| {
        let written = |left: &Option<Left>| {
            let known = left.as_ref()?.replay.blobs.get(&digest)?;
            (known.span.len == span.len).then_some(known.written)
        };
        written(&current).max(written(&old)).unwrap_or(0)
    });
    Ok(Space {
        already_there: there.sum(),
        needed: layout.total().saturating_sub(allocated),
        free,
    })
}

struct Left {
    allocated: u64,
    replay: journal::Replay,
}

fn left(partial: &Path, journal: &Path) -> Result<Option<Left>, BundleError> {
    let Ok(file) = File::open(partial) else {
        return Ok(None);
    };
    let examine = BundleError::io("examine", partial);
    let allocated = disk::allocated(&file).map_err(examine)?;
    if allocated == 0 {
        return Ok(None);
    }
    let replay = journal::replay(journal, disk::epoch(&file).as_deref())?;
    Ok(replay.map(|replay| Left { allocated, replay }))
}
