//! How long bytes that were not synced can be believed to be where they were written.

use std::fs::File;

use rustix::fs::{AtFlags, StatxFlags, statx};

/// `STATX_MNT_ID_UNIQUE` (Linux 6.8): a mount's number, never given out again.
const MNT_ID_UNIQUE: u32 = 0x4000;

/// Names the time during which this file's unsynced bytes cannot have been lost: one boot, one mount, one inode.
/// `None` when that cannot be told, which is then equal to no other epoch.
#[must_use]
pub fn epoch(file: &File) -> Option<String> {
    epoch_within(&boot_id()?, file)
}

/// The same, where it is known which boot this is.
pub(crate) fn epoch_within(boot: &str, file: &File) -> Option<String> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID | StatxFlags::from_bits_retain(MNT_ID_UNIQUE);
    let stat = statx(file, "", AtFlags::EMPTY_PATH, mask).ok()?;
    Some(format!(
        "{boot}/{}:{}/{}/{}",
        stat.stx_dev_major, stat.stx_dev_minor, stat.stx_mnt_id, stat.stx_ino
    ))
}

/// Names the time since the system started.
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
