//! Address ranges that stand for ranges of files.
//!
//! hyper sends `Bytes`, and `Bytes` are memory. So that a file can be sent without ever being in our memory, a body
//! gives hyper the bytes of a mapping, and the socket recognises their address and tells the kernel to send the file
//! instead ([`super::send`]). The mapping is a name, not data: its pages are never touched, so it costs neither
//! memory nor page faults.
//!
//! # Why this is sound
//! A slice promises memory that can be read and does not change. A mapping of a file keeps that promise as long as
//! nobody writes to the file or truncates it, and nobody can promise that for other processes. Hence two layers:
//! - Nothing reads through the mapping. hyper queues a body's `Bytes` and passes them on as they are, because the
//!   socket says that it writes vectored; the socket looks at addresses only, and sends by descriptor or, where
//!   `sendfile` does not work, by `pread` into a buffer of its own. A file that was truncated meanwhile ends the
//!   response with an error; it cannot raise SIGBUS here, since a page that is not touched cannot fault.
//! - Should anything read it after all (a body collected into one buffer, a change in hyper), the pages are mapped
//!   readable and show the file's content. Files given to [`super::ResponseBody::file`] are content-addressed: they
//!   are renamed into place when complete and neither written nor truncated afterwards. Of a file that still grows
//!   ([`super::ResponseBody::growing`]) only what is written for good is ever mapped.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// A mapped range of a file.
pub(super) struct Region {
    map: Mmap,
    file: Arc<File>,
    /// Of the first mapped byte, in the file.
    offset: u64,
}

/// The regions that one connection may be sending: one, or a few when requests are pipelined.
#[derive(Default)]
pub(super) struct Regions(Mutex<Vec<Weak<Region>>>);

/// A place in a file, found by address.
pub(super) struct Place {
    region: Arc<Region>,
    /// In the file.
    pub(super) offset: u64,
}

/// Keeps a region mapped as long as hyper holds bytes of it.
struct Held(Arc<Region>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.map
    }
}

impl Regions {
    /// Bytes whose address stands for `len` bytes of the file at `offset`.
    ///
    /// # Errors
    /// When the system refuses the mapping: the caller can read the file instead.
    pub(super) fn bytes(&self, file: &Arc<File>, offset: u64, len: usize) -> io::Result<Bytes> {
        // SAFETY: see the head of this file: nothing reads through the mapping, and the file does not change.
        let map = unsafe { MmapOptions::new().offset(offset).len(len).map(file)? };
        let region = Arc::new(Region {
            map,
            file: Arc::clone(file),
            offset,
        });
        let mut regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        regions.retain(|region| region.strong_count() > 0);
        regions.push(Arc::downgrade(&region));
        Ok(Bytes::from_owner(Held(region)))
    }

    /// The place that `slice` stands for, if any. A region that was let go is not found, so an address that is
    /// used again for something else is not mistaken.
    pub(super) fn find(&self, slice: &[u8]) -> Option<Place> {
        let regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        regions.iter().find_map(|region| {
            let region = region.upgrade()?;
            let mapped = region.map.as_ptr_range();
            let offset = (slice.as_ptr() as usize).checked_sub(mapped.start as usize)?;
            let inside = !slice.is_empty() && offset + slice.len() <= region.map.len();
            inside.then(|| Place {
                offset: region.offset + offset as u64,
                region,
            })
        })
    }
}

impl Place {
    pub(super) fn file(&self) -> &Arc<File> {
        &self.region.file
    }

    /// The region, without keeping it.
    pub(super) fn region(&self) -> Weak<Region> {
        Arc::downgrade(&self.region)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn a_slice_is_found_at_its_place_in_the_file() {
        let regions = Regions::default();
        // An offset that is not at a page.
        let bytes = regions.bytes(&file(&[7; 20_000]), 5001, 10_000).unwrap();
        assert_eq!(regions.find(&bytes).unwrap().offset, 5001);
        assert_eq!(regions.find(&bytes[123..]).unwrap().offset, 5124);
        assert_eq!(regions.find(&bytes[9999..]).unwrap().offset, 15_000);
        assert!(
            regions.find(&bytes[10_000..]).is_none(),
            "an empty slice is nowhere"
        );
        assert!(regions.find(&[7; 100]).is_none());
        assert!(bytes.iter().all(|byte| *byte == 7), "reading it is not a crash");
    }

    #[test]
    fn what_was_let_go_is_not_found() {
        let regions = Regions::default();
        let file = file(&[1; 9000]);
        let first = regions.bytes(&file, 0, 9000).unwrap();
        let second = regions.bytes(&file, 4096, 100).unwrap();
        let address = first.as_ptr() as usize;
        drop(first);
        // The same address range may be mapped again at once, and must then be the new region's.
        let third = regions.bytes(&file, 0, 9000).unwrap();
        let place = regions.find(&third).unwrap();
        assert_eq!(place.offset, 0);
        assert!(!place.region().ptr_eq(&regions.find(&second).unwrap().region()));
        assert_eq!(
            regions.0.lock().unwrap().len(),
            2,
            "address {address:x} was forgotten"
        );
    }
}
