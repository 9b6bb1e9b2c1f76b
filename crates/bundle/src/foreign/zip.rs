//! The directory at the end of a zip file, read so that stored entries can be used in place.
//!
//! Strict as the tar walk is: what two readers could understand in two ways is refused. Sizes come from the central
//! directory, and the local header of each entry must carry the same name.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{BundleError, Span, walk};

const END: [u8; 4] = *b"PK\x05\x06";
const END_LEN: usize = 22;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_LEN: u64 = 56;
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const LOCATOR64_LEN: usize = 20;
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const CENTRAL_LEN: usize = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LEN: u64 = 30;
/// The longest comment that may follow the end record.
const MAX_COMMENT: u64 = 0xffff;
/// The largest directory that is read: some million entries.
const MAX_DIRECTORY: u64 = 256 << 20;
/// A value that stands in the zip64 record.
const IN_ZIP64: u64 = 0xffff_ffff;

/// The stored files of an archive, by name.
pub(super) fn read(file: &File, path: &Path) -> Result<HashMap<String, Span>, BundleError> {
    let len = file.metadata().map_err(BundleError::io("examine", path))?.len();
    let zip = Zip { file, path, len };
    let (offset, size, count) = zip.directory()?;
    let bytes = zip.bytes(offset, size, "central directory")?;
    let mut files = HashMap::new();
    let mut rest = &bytes[..];
    for _ in 0..count {
        let (entry, next) = zip.entry(rest)?;
        rest = next;
        let name = walk::clean(&entry.name).map_err(|reason| zip.refuse(&entry.name, reason))?;
        if entry.name.ends_with('/') {
            continue;
        }
        let span = zip.content(&entry)?;
        if files.insert(name.clone(), span).is_some() {
            let path = path.to_owned();
            return Err(BundleError::Duplicate { path, entry: name });
        }
    }
    match rest.is_empty() {
        true => Ok(files),
        false => Err(zip.refuse("central directory", "holds more entries than its end record says")),
    }
}

struct Zip<'a> {
    file: &'a File,
    path: &'a Path,
    len: u64,
}

struct Central {
    name: String,
    flags: u16,
    method: u16,
    packed: u64,
    size: u64,
    header: u64,
}

impl Zip<'_> {
    /// Where the central directory is, its length, and how many entries it has.
    fn directory(&self) -> Result<(u64, u64, u64), BundleError> {
        let tail_len = self.len.min(END_LEN as u64 + MAX_COMMENT + LOCATOR64_LEN as u64);
        let tail = self.bytes(self.len - tail_len, tail_len, "end record")?;
        // The end record's comment reaches exactly to the end of the file.
        let is_end = |at: &usize| {
            let record = &tail[*at..];
            record.starts_with(&END)
                && record.len() >= END_LEN
                && END_LEN + usize::from(u16_at(record, 20)) == record.len()
        };
        let at = (0..tail.len()).rev().find(is_end).ok_or_else(|| self.cut())?;
        let end = &tail[at..];
        let mut found = (
            u64::from(u32_at(end, 16)),
            u64::from(u32_at(end, 12)),
            u64::from(u16_at(end, 10)),
        );
        let locator = at.checked_sub(LOCATOR64_LEN).map(|start| &tail[start..at]);
        if let Some(locator) = locator.filter(|locator| locator.starts_with(&LOCATOR64)) {
            found = self.zip64(u64_at(locator, 8))?;
        } else if u16_at(end, 4) != 0 || u16_at(end, 8) != u16_at(end, 10) {
            return Err(self.refuse("end record", "is of an archive in several files; join them first"));
        }
        let (offset, size, count) = found;
        let fits = offset.checked_add(size).is_some_and(|end| end <= self.len);
        if !fits || size > MAX_DIRECTORY || count.saturating_mul(CENTRAL_LEN as u64) > size {
            return Err(self.refuse("end record", "describes a directory that cannot be"));
        }
        Ok(found)
    }

    fn zip64(&self, at: u64) -> Result<(u64, u64, u64), BundleError> {
        let end = self.bytes(at, END64_LEN, "zip64 end record")?;
        if !end.starts_with(&END64) {
            return Err(self.refuse("zip64 end record", "is not where the file says"));
        }
        if u64_at(&end, 24) != u64_at(&end, 32) {
            return Err(self.refuse(
                "zip64 end record",
                "is of an archive in several files; join them first",
            ));
        }
        Ok((u64_at(&end, 48), u64_at(&end, 40), u64_at(&end, 32)))
    }

    fn entry<'b>(&self, bytes: &'b [u8]) -> Result<(Central, &'b [u8]), BundleError> {
        let damaged = || self.refuse("central directory", "is damaged; copy the file again");
        if bytes.len() < CENTRAL_LEN || !bytes.starts_with(&CENTRAL) {
            return Err(damaged());
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
        let (name_end, extra_end) = (CENTRAL_LEN + lengths[0], CENTRAL_LEN + lengths[0] + lengths[1]);
        let next = bytes.get(extra_end + lengths[2]..).ok_or_else(damaged)?;
        let name = std::str::from_utf8(&bytes[CENTRAL_LEN..name_end]).map_err(|_| damaged())?;
        let mut entry = Central {
            name: name.to_owned(),
            flags: u16_at(bytes, 8),
            method: u16_at(bytes, 10),
            packed: u64::from(u32_at(bytes, 20)),
            size: u64::from(u32_at(bytes, 24)),
            header: u64::from(u32_at(bytes, 42)),
        };
        entry.widen(&bytes[name_end..extra_end]).ok_or_else(damaged)?;
        Ok((entry, next))
    }

    /// Where a stored entry's bytes are.
    fn content(&self, entry: &Central) -> Result<Span, BundleError> {
        if entry.flags & 1 != 0 {
            return Err(self.refuse(&entry.name, "is encrypted"));
        }
        if entry.method != 0 || entry.packed != entry.size {
            let reason = "is compressed, and entries of this archive are read in place; unpack it and zip it with `zip -0`";
            return Err(self.refuse(&entry.name, reason));
        }
        let header = self.bytes(entry.header, LOCAL_LEN, &entry.name)?;
        let name_len = u64::from(u16_at(&header, 26));
        let name = self.bytes(entry.header + LOCAL_LEN, name_len, &entry.name)?;
        if !header.starts_with(&LOCAL) || name != entry.name.as_bytes() {
            return Err(self.refuse(&entry.name, "is not where the directory of the archive says"));
        }
        let offset = entry.header + LOCAL_LEN + name_len + u64::from(u16_at(&header, 28));
        match offset.checked_add(entry.size) {
            Some(end) if end <= self.len => Ok(Span {
                offset,
                len: entry.size,
            }),
            _ => Err(self.refuse(&entry.name, "reaches beyond the end of the file")),
        }
    }

    fn bytes(&self, offset: u64, len: u64, entry: &str) -> Result<Vec<u8>, BundleError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => {}
            _ => return Err(self.refuse(entry, "reaches beyond the end of the file")),
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(BundleError::io("read", self.path))?;
        Ok(bytes)
    }

    fn cut(&self) -> BundleError {
        BundleError::Unreadable {
            path: self.path.to_owned(),
            entry: "end record".into(),
            source: std::io::Error::new(
                std::io::ErrorKind::UnexpectedEof,
                "a zip file ends with a directory of its entries, and this one does not: it is incomplete, or its \
                 writing was interrupted; copy or save it again",
            ),
        }
    }

    fn refuse(&self, entry: &str, reason: &'static str) -> BundleError {
        BundleError::UnsafeEntry {
            path: self.path.to_owned(),
            entry: entry.to_owned(),
            reason,
        }
    }
}

impl Central {
    /// Takes the values that do not fit into 32 bits from the zip64 field, in the order in which they stand there.
    fn widen(&mut self, mut extra: &[u8]) -> Option<()> {
        const ZIP64: u16 = 1;
        while extra.len() >= 4 {
            let (kind, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
            let mut field = extra.get(4..4 + len)?;
            if kind == ZIP64 {
                for value in [&mut self.size, &mut self.packed, &mut self.header] {
                    if *value == IN_ZIP64 {
                        *value = u64_at(field.get(..8)?, 0);
                        field = &field[8..];
                    }
                }
            }
            extra = &extra[4 + len..];
        }
        Some(())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// Zeros where there is nothing: callers have compared lengths.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}
