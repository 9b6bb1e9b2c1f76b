//! A tar that passes by once: the entries of a stream, as strict as [`crate::walk`] is with a file.

use std::io::{self, Read};
use std::path::Path;

use landfall_oci::tar::{self, Kind};

use super::input::{Plain, ends};
use crate::{BundleError, walk};

/// The longest pax record or GNU long name that is read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;
const MAX_NAME: usize = 4096;
const MAX_ENTRIES: u64 = 1 << 20;
const END_MARKER: &str = "end of archive";

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name, without `./`.
    pub(super) name: String,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A regular file of this length; its content is read next.
    File(u64),
    Directory,
    /// A link to the entry of this name.
    Link(String),
}

/// See the module.
pub(super) struct Entries<'a> {
    input: Plain,
    path: &'a Path,
    /// Bytes taken from the input.
    position: u64,
    /// Of the present entry: content, and padding behind it.
    left: (u64, u64),
    current: String,
    count: u64,
}

/// What extension headers said of the entry that follows.
#[derive(Default)]
struct Pending {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(input: Plain, path: &'a Path) -> Self {
        Self {
            input,
            path,
            position: 0,
            left: (0, 0),
            current: END_MARKER.to_owned(),
            count: 0,
        }
    }

    /// The next entry; `None` when the archive has ended, and its stream, too.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, BundleError> {
        self.skip()?;
        let mut pending = Pending::default();
        loop {
            let at = self.position;
            self.current = END_MARKER.to_owned();
            let block = self.block()?;
            let is_first = at == 0;
            let header = tar::decode(&block).map_err(|source| match is_first {
                true => self.not_an_archive(),
                false => self.damaged(at, source),
            })?;
            let Some(header) = header else {
                self.end()?;
                return Ok(None);
            };
            self.count += 1;
            let name = pending.name.clone().unwrap_or_else(|| header.name.clone());
            self.current.clone_from(&name);
            if self.count > MAX_ENTRIES {
                return Err(self.refuse(&name, "is one of more than a million"));
            }
            let size = match pending.size {
                Some(size) if header.kind == Kind::File => size,
                _ => header.size,
            };
            if size > i64::MAX as u64 - tar::BLOCK {
                return Err(self.refuse(&name, "has a size beyond any file"));
            }
            self.left = (size, tar::padded(size) - size);
            match header.kind {
                Kind::Pax | Kind::PaxGlobal | Kind::LongName | Kind::Other(b'K') => {
                    self.extend(&mut pending, &header, at)?;
                }
                Kind::File | Kind::Directory | Kind::Link => {
                    let link = pending.link.unwrap_or(header.link);
                    return self
                        .entry(&name, header.kind, size, &link, block[156] == b'1')
                        .map(Some);
                }
                Kind::Other(_) => return Err(self.refuse(&name, "is neither a file nor a directory")),
            }
        }
    }

    fn entry(&self, name: &str, kind: Kind, size: u64, link: &str, hard: bool) -> Result<Entry, BundleError> {
        if name.len() > MAX_NAME || link.len() > MAX_NAME {
            return Err(self.refuse(
                &name[..name.floor_char_boundary(64)],
                "has a name of absurd length",
            ));
        }
        let clean = walk::clean(name).map_err(|reason| self.refuse(name, reason))?;
        let what = match kind {
            Kind::File => What::File(size),
            Kind::Directory => What::Directory,
            _ => {
                let from = if hard { "" } else { &clean };
                let target = link_target(from, link);
                What::Link(target.ok_or_else(|| self.refuse(name, "is a link out of the archive"))?)
            }
        };
        Ok(Entry { name: clean, what })
    }

    fn extend(&mut self, pending: &mut Pending, header: &tar::Header, at: u64) -> Result<(), BundleError> {
        if self.left.0 > MAX_EXTENSION {
            return Err(self.refuse(&header.name, "is a tar extension of absurd size"));
        }
        let mut bytes = Vec::new();
        let read = self.content().read_to_end(&mut bytes);
        read.map_err(|error| self.failed(error))?;
        self.skip()?;
        if matches!(header.kind, Kind::LongName | Kind::Other(b'K')) {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            bytes.truncate(end);
            let text = String::from_utf8(bytes).map_err(|_| self.damaged(at, tar::HeaderError::Name))?;
            match header.kind {
                Kind::LongName => pending.name = Some(text),
                _ => pending.link = Some(text),
            }
            return Ok(());
        }
        let fields = tar::decode_pax(&bytes).map_err(|source| self.damaged(at, source))?;
        if header.kind == Kind::PaxGlobal {
            let renames = fields.path.is_some() || fields.size.is_some() || fields.linkpath.is_some();
            return match renames {
                true => Err(self.refuse(&header.name, "renames every entry that follows")),
                false => Ok(()),
            };
        }
        pending.name = fields.path.or(pending.name.take());
        pending.link = fields.linkpath.or(pending.link.take());
        pending.size = fields.size.or(pending.size);
        Ok(())
    }

    /// The content of the present entry. It never ends early: what is missing is an error.
    pub(super) fn content(&mut self) -> Content<'_, 'a> {
        Content { entries: self }
    }

    /// Passes over what is left of the present entry.
    fn skip(&mut self) -> Result<(), BundleError> {
        let len = self.left.0 + self.left.1;
        self.left = (0, 0);
        self.position += len;
        self.input.pass(len).map_err(|error| self.failed(error))
    }

    fn block(&mut self) -> Result<[u8; tar::BLOCK as usize], BundleError> {
        let mut block = [0; tar::BLOCK as usize];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BundleError> {
        let mut at = 0;
        while at < buffer.len() {
            match self.input.read(&mut buffer[at..]) {
                Ok(0) if self.position == 0 => return Err(self.not_an_archive()),
                Ok(0) => return Err(self.failed(ends())),
                Ok(len) => at += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.position += at as u64;
        Ok(())
    }

    /// Behind the first block of zeros there are only zeros; they are read so that the stream's own checksum is
    /// compared.
    fn end(&mut self) -> Result<(), BundleError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let len = match self.input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|error| self.failed(error))?,
            };
            if len == 0 {
                return Ok(());
            }
            if buffer[..len].iter().any(|byte| *byte != 0) {
                return Err(self.damaged(self.position, tar::HeaderError::Checksum));
            }
            self.position += len as u64;
        }
    }

    /// What an error of the input means.
    pub(super) fn failed(&self, source: io::Error) -> BundleError {
        BundleError::Unreadable {
            path: self.path.to_owned(),
            entry: self.current.as_str().into(),
            source,
        }
    }

    pub(super) fn refuse(&self, entry: &str, reason: &'static str) -> BundleError {
        BundleError::UnsafeEntry {
            path: self.path.to_owned(),
            entry: entry.to_owned(),
            reason,
        }
    }

    fn damaged(&self, offset: u64, source: tar::HeaderError) -> BundleError {
        BundleError::Damaged {
            path: self.path.to_owned(),
            offset,
            source,
        }
    }

    fn not_an_archive(&self) -> BundleError {
        crate::reader::not_a_bundle(self.path, "what is in it is no tar archive")
    }
}

/// See [`Entries::content`].
pub(super) struct Content<'b, 'a> {
    entries: &'b mut Entries<'a>,
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let entries = &mut *self.entries;
        let wish = usize::try_from(entries.left.0)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if wish == 0 {
            return Ok(0);
        }
        let len = entries.input.read(&mut buffer[..wish])?;
        if len == 0 {
            return Err(ends());
        }
        entries.left.0 -= len as u64;
        entries.position += len as u64;
        Ok(len)
    }
}

/// Where a link leads: a hard link's target is a name of the archive, a symbolic one's begins beside the link.
fn link_target(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::link_target;

    #[test]
    fn links_stay_within_the_archive() {
        let to = |from, target| link_target(from, target);
        assert_eq!(
            to("a/layer.tar", "../b/layer.tar").as_deref(),
            Some("b/layer.tar")
        );
        assert_eq!(to("a/layer.tar", "./x").as_deref(), Some("a/x"));
        assert_eq!(to("", "b/x").as_deref(), Some("b/x"));
        assert_eq!(to("a/layer.tar", "../../b"), None);
        assert_eq!(to("a", "/etc/passwd"), None);
        assert_eq!(to("a/b", ".."), None);
    }
}
