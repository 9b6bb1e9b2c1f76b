//! Opening a bundle for writing: new, continued after a kill or a power loss, or under a changed plan.
//!
//! An empty partial file means that nothing is there, whatever a journal says: the journal is replaced before the
//! file gets its length. So there is no instant at which an old journal speaks of a new file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use landfall_oci::{Digest, tar};

use crate::journal::{self, Journal, Known, Replay};
use crate::names::Names;
use crate::writer::{Resume, Shared, Slot, UNFINISHED, Writer, WriterOptions, lock};
use crate::{BundleError, Layout, carry, disk};

type Blobs = BTreeMap<Digest, Known>;

pub(crate) fn open(
    path: &Path,
    layout: Layout,
    options: WriterOptions,
) -> Result<(Writer, Resume), BundleError> {
    let names = Names::of(path);
    refuse_target(&names, &options)?;
    let mut file = open_locked(&names)?;
    if names.repair()? {
        file = open_locked(&names)?;
    }
    let known = match find(&names, &file, &layout, &options)? {
        Found::Nothing => Blobs::new(),
        Found::Ours(blobs) => blobs,
        Found::OtherPlan => {
            names.set_aside()?;
            file = open_locked(&names)?;
            Blobs::new()
        }
    };
    let old = carry::Old::open(&names, options.epoch.as_deref())?;
    let epoch = options.epoch.clone().or_else(|| disk::epoch(&file));
    if let Err(error) = check_space(&names, &file, &layout) {
        let is_empty = file.metadata().is_ok_and(|stat| stat.len() == 0);
        if is_empty {
            disk::remove(&names.partial)?;
        }
        return Err(error);
    }
    let fingerprint = layout.fingerprint();
    let journal = Journal::create(&names.journal, &fingerprint, epoch.as_deref(), &known)?;
    let shared = Shared {
        slots: slots(&layout, &known),
        path: Arc::from(names.partial.as_path()),
        file: Arc::new(file),
        journal: Mutex::new(journal),
        unsynced: AtomicU64::new(0),
        syncing: Mutex::new(()),
        is_doubted: AtomicBool::new(false),
        names,
        options,
        layout,
    };
    prepare(&shared)?;
    let writer = Writer {
        shared: Arc::new(shared),
    };
    let carried_blobs = match old {
        Some(old) => old.carry_into(&writer)?,
        None => 0,
    };
    let mut resume = report(&writer);
    resume.done_blobs -= carried_blobs.min(resume.done_blobs);
    resume.carried_blobs = carried_blobs;
    Ok((writer, resume))
}

/// The target must not be there, before hours of work and not after them.
fn refuse_target(names: &Names, options: &WriterOptions) -> Result<(), BundleError> {
    let path = &names.target;
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Err(BundleError::Exists { path: path.clone() }),
        Ok(_) if !options.overwrite => {
            // A crash between the last rename and the journal's removal leaves it behind.
            if names.partial.symlink_metadata().is_err() {
                disk::remove(&names.journal)?;
            }
            Err(BundleError::Exists { path: path.clone() })
        }
        _ => Ok(()),
    }
}

/// Opens and locks the partial file; a rename by the process that held the lock before us makes us look again.
fn open_locked(names: &Names) -> Result<File, BundleError> {
    const ATTEMPTS: u32 = 8;
    for _ in 0..ATTEMPTS {
        let file = disk::open_or_create(&names.partial)?;
        disk::lock(&file, &names.partial)?;
        if disk::is_at(&file, &names.partial) {
            return Ok(file);
        }
    }
    Err(BundleError::Locked {
        path: names.partial.clone(),
    })
}

enum Found {
    Nothing,
    Ours(Blobs),
    OtherPlan,
}

fn find(names: &Names, file: &File, layout: &Layout, options: &WriterOptions) -> Result<Found, BundleError> {
    let len = file
        .metadata()
        .map_err(BundleError::io("examine", &names.partial))?
        .len();
    if len == 0 {
        return Ok(Found::Nothing);
    }
    let epoch = options.epoch.clone().or_else(|| disk::epoch(file));
    match journal::replay(&names.journal, epoch.as_deref())? {
        Some(replay) if replay.fingerprint == layout.fingerprint() => {
            Ok(Found::Ours(confirm(layout, replay, len)))
        }
        Some(replay) if is_richer_old(names, &replay, options)? => {
            // The plan has changed twice; the file with more in it is the one to take blobs from.
            file.set_len(0)
                .map_err(BundleError::io("empty", &names.partial))?;
            Ok(Found::Nothing)
        }
        Some(replay) => {
            check_space_for_both(names, file, layout, &replay)?;
            Ok(Found::OtherPlan)
        }
        None if has_head_of(file, layout) => Ok(Found::Ours(all_hints(layout))),
        None => Err(BundleError::JournalDamaged {
            path: names.journal.clone(),
            partial: names.partial.clone(),
        }),
    }
}

/// Only blobs that the plan has, at the places where it has them, as far as the file reaches.
fn confirm(layout: &Layout, replay: Replay, len: u64) -> Blobs {
    let mut blobs = replay.blobs;
    blobs.retain(|digest, known| {
        let end = known.span.offset.saturating_add(known.written);
        layout.extent_of(digest) == Some(known.span) && end <= len
    });
    blobs
}

fn is_richer_old(names: &Names, current: &Replay, options: &WriterOptions) -> Result<bool, BundleError> {
    let old = carry::Old::open(names, options.epoch.as_deref())?;
    Ok(old.is_some_and(|old| old.bytes() > current.bytes()))
}

/// Without a journal a file of the same plan still holds its blobs: each is hashed in place.
fn all_hints(layout: &Layout) -> Blobs {
    let hint = |span: crate::Span| Known {
        span,
        written: span.len,
        is_done: false,
        is_durable: false,
    };
    layout
        .to_fetch()
        .map(|(digest, span)| (digest, hint(span)))
        .collect()
}

/// Whether the known bytes in the file are those of the plan (the first block aside).
fn has_head_of(file: &File, layout: &Layout) -> bool {
    let mut buffer = Vec::new();
    layout.pieces().all(|(offset, bytes)| {
        buffer.resize(bytes.len(), 0);
        let skipped = if offset == 0 {
            (tar::BLOCK as usize).min(bytes.len())
        } else {
            0
        };
        file.read_exact_at(&mut buffer, offset).is_ok() && buffer[skipped..] == bytes[skipped..]
    })
}

fn check_space(names: &Names, file: &File, layout: &Layout) -> Result<(), BundleError> {
    let examine = |error| BundleError::io("examine", &names.partial)(error);
    let needed = layout
        .total()
        .saturating_sub(disk::allocated(file).map_err(examine)?);
    let free = disk::free(file).map_err(examine)?;
    if needed > free {
        return Err(BundleError::NoSpace {
            path: names.partial.clone(),
            needed,
            free,
        });
    }
    Ok(())
}

/// While blobs are carried over, both files take room (the old one without what never came into it). Looked at before
/// anything is renamed, so that the old plan can still be continued as it was.
fn check_space_for_both(
    names: &Names,
    file: &File,
    layout: &Layout,
    old: &Replay,
) -> Result<(), BundleError> {
    let examine = |error| BundleError::io("examine", &names.partial)(error);
    let unused = disk::allocated(file)
        .map_err(examine)?
        .saturating_sub(old.bytes());
    let free = disk::free(file).map_err(examine)?.saturating_add(unused);
    if layout.total() > free {
        return Err(BundleError::NoSpace {
            path: names.partial.clone(),
            needed: layout.total(),
            free,
        });
    }
    Ok(())
}

fn slots(layout: &Layout, known: &Blobs) -> HashMap<Digest, (crate::Span, Mutex<Slot>)> {
    let slot = |digest: &Digest| {
        let known = known.get(digest);
        Mutex::new(Slot {
            generation: 0,
            written: known.map_or(0, |known| known.written),
            is_done: known.is_some_and(|known| known.is_done),
        })
    };
    layout
        .to_fetch()
        .map(|(digest, span)| (digest, (span, slot(&digest))))
        .collect()
}

/// Gives the file its length and writes all that is known, every time: it is little, and then nobody need wonder
/// whether an earlier run came so far.
fn prepare(shared: &Shared) -> Result<(), BundleError> {
    let file = &shared.file;
    disk::allocate(file, shared.layout.total(), shared.options.reserve)
        .map_err(|error| shared.write_error(error))?;
    for (offset, mut bytes) in shared.layout.pieces() {
        if offset == 0 && bytes.len() >= tar::BLOCK as usize {
            bytes[..tar::BLOCK as usize].fill(0);
            bytes[..UNFINISHED.len()].copy_from_slice(UNFINISHED);
        }
        file.write_all_at(&bytes, offset)
            .map_err(|error| shared.write_error(error))?;
    }
    file.sync_data().map_err(|error| shared.write_error(error))?;
    disk::sync_folder(&shared.names.target)
}

fn report(writer: &Writer) -> Resume {
    let mut resume = Resume::default();
    for (digest, span) in writer.shared.layout.to_fetch() {
        let Some((_, slot)) = writer.shared.slots.get(&digest) else {
            continue;
        };
        let slot = lock(slot);
        if slot.is_done {
            resume.done_blobs += 1;
            resume.done_bytes += span.len;
        } else {
            resume.prefix_bytes += slot.written;
            if slot.written == span.len && span.len > 0 {
                resume.recheck.push(digest);
            }
        }
    }
    resume
}
