//! A walk over the headers of a tar: one read per entry, and strict, because what several programs read must mean the
//! same to all of them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use landfall_oci::{Digest, tar};
use tar::{Header, Kind};

use crate::{BundleError, Span};

/// The longest pax record or GNU long name that is read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;
const END_MARKER: &str = "end of archive";

/// What a tar holds, as far as an image layout is concerned.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// `blobs/<algorithm>/<hex>`.
    pub(crate) blobs: HashMap<Digest, Span>,
    /// Files at the top.
    pub(crate) documents: HashMap<String, Span>,
    /// The first link, refused unless the archive is of a kind that has links.
    first_link: Option<String>,
    /// The first name of another program's that is there twice; refused likewise.
    first_twice: Option<String>,
}

/// What extension headers said of the entry that follows.
#[derive(Default)]
struct Pending {
    path: Option<String>,
    size: Option<u64>,
}

struct Walker<'a> {
    file: &'a File,
    path: &'a Path,
    len: u64,
    position: u64,
    others: HashSet<String>,
    found: Walked,
}

/// Walks the whole archive. Blocking.
pub(crate) fn walk(file: &File, path: &Path) -> Result<Walked, BundleError> {
    let len = file.metadata().map_err(BundleError::io("examine", path))?.len();
    let mut walker = Walker {
        file,
        path,
        len,
        position: 0,
        others: HashSet::new(),
        found: Walked::default(),
    };
    while walker.step()? {}
    let found = walker.found;
    if found.is_docker_archive() {
        return Err(BundleError::DockerArchive {
            path: path.to_owned(),
        });
    }
    if let Some(entry) = found.first_twice {
        return Err(BundleError::Duplicate {
            path: path.to_owned(),
            entry,
        });
    }
    if let Some(entry) = found.first_link {
        return Err(BundleError::UnsafeEntry {
            path: path.to_owned(),
            entry,
            reason: "is a link; an image layout has none",
        });
    }
    Ok(found)
}

impl Walked {
    /// Whether `manifest.json` (or the older `repositories`) is what counts.
    ///
    /// Docker from version 25 on writes an `index.json` beside it, and `repositories`. The manifests behind that index
    /// are made up for the archive: they name unpacked layers, or none at all (25.0). With the containerd store, where
    /// the manifests are the real ones, there is no `repositories`.
    fn is_docker_archive(&self) -> bool {
        let has = |name| self.documents.contains_key(name);
        let is_legacy = has("manifest.json") || has("repositories");
        is_legacy
            && (!has("index.json") || has("repositories") && has("manifest.json"))
            && !has("landfall.json")
    }
}

impl Walker<'_> {
    /// One entry with its extension headers; `false` at the end.
    fn step(&mut self) -> Result<bool, BundleError> {
        let mut pending = Pending::default();
        loop {
            let at = self.position;
            let Some(header) = self.header()? else {
                return Ok(false);
            };
            let name = pending.path.clone().unwrap_or_else(|| header.name.clone());
            let extension = matches!(header.kind, Kind::Pax | Kind::PaxGlobal | Kind::LongName);
            let size = match pending.size {
                Some(size) if header.kind == Kind::File => size,
                _ => header.size,
            };
            let content = self.content(&name, size)?;
            match header.kind {
                _ if extension => self.extend(&mut pending, &header, content, at)?,
                // GNU's long link target; the link itself follows.
                Kind::Other(b'K') => {}
                Kind::Directory => {
                    self.clean(&name)?;
                    return Ok(true);
                }
                Kind::Link => {
                    self.found.first_link.get_or_insert(name);
                    return Ok(true);
                }
                Kind::File => {
                    self.add(&name, content)?;
                    return Ok(true);
                }
                _ => return Err(self.refuse(&name, "is neither a file nor a directory")),
            }
        }
    }

    /// Reads the header at the current position, and checks the end marker when there is none.
    fn header(&mut self) -> Result<Option<Header>, BundleError> {
        let at = self.position;
        let no_tar = || BundleError::NotABundle {
            path: self.path.to_owned(),
            found: "neither a tar archive nor anything else that holds images".to_owned(),
        };
        if self.len < tar::BLOCK {
            return Err(no_tar());
        }
        let block = self.block(at, END_MARKER)?;
        self.position = at + tar::BLOCK;
        let header = tar::decode(&block).map_err(|source| match at {
            0 => no_tar(),
            _ => BundleError::Damaged {
                path: self.path.to_owned(),
                offset: at,
                source,
            },
        })?;
        // One block of zeros at the very end is tolerated, as by every other reader; more data after it is not.
        if header.is_none()
            && self.position < self.len
            && self
                .block(self.position, END_MARKER)?
                .iter()
                .any(|byte| *byte != 0)
        {
            return Err(BundleError::Damaged {
                path: self.path.to_owned(),
                offset: self.position,
                source: tar::HeaderError::Checksum,
            });
        }
        Ok(header)
    }

    fn block(&self, at: u64, entry: &str) -> Result<[u8; tar::BLOCK as usize], BundleError> {
        let mut block = [0; tar::BLOCK as usize];
        match self.file.read_exact_at(&mut block, at) {
            Ok(()) => Ok(block),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.truncated(entry, at + tar::BLOCK))
            }
            Err(error) => Err(BundleError::io("read", self.path)(error)),
        }
    }

    /// The span of a content that begins here; the position moves behind it.
    fn content(&mut self, name: &str, size: u64) -> Result<Span, BundleError> {
        let offset = self.position;
        let end = offset.checked_add(size).filter(|end| *end <= i64::MAX as u64);
        let Some(end) = end else {
            return Err(self.refuse(name, "has a size beyond any file"));
        };
        // The padding of the last entry may be all that is cut; the missing end marker tells that.
        if end > self.len {
            return Err(self.truncated(name, end));
        }
        self.position = tar::padded(end);
        Ok(Span { offset, len: size })
    }

    fn extend(
        &self,
        pending: &mut Pending,
        header: &Header,
        content: Span,
        at: u64,
    ) -> Result<(), BundleError> {
        if content.len > MAX_EXTENSION {
            return Err(self.refuse(&header.name, "is a tar extension of absurd size"));
        }
        let mut bytes = vec![0; usize::try_from(content.len).unwrap_or(0)];
        self.file
            .read_exact_at(&mut bytes, content.offset)
            .map_err(BundleError::io("read", self.path))?;
        let damaged = |source| BundleError::Damaged {
            path: self.path.to_owned(),
            offset: at,
            source,
        };
        if header.kind == Kind::LongName {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            bytes.truncate(end);
            let name = String::from_utf8(bytes).map_err(|_| damaged(tar::HeaderError::Name))?;
            pending.path = Some(name);
            return Ok(());
        }
        let fields = tar::decode_pax(&bytes).map_err(damaged)?;
        if header.kind == Kind::PaxGlobal && (fields.path.is_some() || fields.size.is_some()) {
            return Err(self.refuse(&header.name, "renames every entry that follows"));
        }
        if header.kind == Kind::Pax {
            pending.path = fields.path.or(pending.path.take());
            pending.size = fields.size.or(pending.size);
        }
        Ok(())
    }

    /// A file: a blob, a document at the top, or something that is none of our business.
    fn add(&mut self, name: &str, content: Span) -> Result<(), BundleError> {
        let name = self.clean(name)?;
        let is_new = match blob_digest(&name) {
            Some(digest) => self.found.blobs.insert(digest, content).is_none(),
            None if !name.contains('/') => self.found.documents.insert(name.clone(), content).is_none(),
            None if self.others.insert(name.clone()) => true,
            None => {
                self.found.first_twice.get_or_insert(name);
                return Ok(());
            }
        };
        if is_new {
            return Ok(());
        }
        Err(BundleError::Duplicate {
            path: self.path.to_owned(),
            entry: name,
        })
    }

    /// A name without `./`; refuses what could lead out of the archive.
    fn clean(&self, name: &str) -> Result<String, BundleError> {
        clean(name).map_err(|reason| self.refuse(name, reason))
    }

    fn refuse(&self, entry: &str, reason: &'static str) -> BundleError {
        BundleError::UnsafeEntry {
            path: self.path.to_owned(),
            entry: entry.to_owned(),
            reason,
        }
    }

    fn truncated(&self, entry: &str, expected: u64) -> BundleError {
        BundleError::Truncated {
            path: self.path.to_owned(),
            entry: entry.to_owned(),
            expected,
            actual: self.len,
        }
    }
}

/// A name without `./` and doubled slashes; the reason why one that could lead out of the archive is refused.
pub(crate) fn clean(name: &str) -> Result<String, &'static str> {
    if name.starts_with('/') {
        return Err("has an absolute name");
    }
    let parts: Vec<_> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    match parts.contains(&"..") {
        true => Err("leads out of the archive"),
        false => Ok(parts.join("/")),
    }
}

/// The digest in `blobs/<algorithm>/<hex>`.
pub(crate) fn blob_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}
