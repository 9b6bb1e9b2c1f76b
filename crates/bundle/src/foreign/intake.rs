//! One pass over an archive that cannot be read in place: every file of it goes into the spool as it passes.
//!
//! Which files are layers is said by a document that may come last, so what looks like a tar is compressed at once, with
//! the digest of its unpacked bytes at hand: that is what images name it by. Everything else is kept as it is.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use landfall_codec::{Compression, decoder, gzip};
use landfall_hash::Hasher;
use landfall_oci::{Algorithm, Digest, MAX_MANIFEST_BYTES, tar};

use super::Workshop;
use super::input::Plain;
use super::spool::{Spool, Stored};
use super::stream::{Content, Entries, Entry, What};
use crate::reader::MAX_DOCUMENT;
use crate::{BundleError, Span, walk};

/// The names of what describes the images.
const DOCUMENTS: [&str; 5] = [
    "index.json",
    "manifest.json",
    "repositories",
    "landfall.json",
    "hauler-index.json",
];
/// Documents that are kept when only they are wanted, in bytes.
const MAX_DOCUMENTS: u64 = 256 << 20;
const MAX_LINKS: usize = 16;
const HEAD: usize = tar::BLOCK as usize;

/// What is kept of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    All,
    /// Only what can be a document: to look at an archive without unpacking it.
    Documents,
}

/// How a file was put down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    AsIs,
    /// It was a tar; what is put down is our gzip of it.
    Packed,
    /// It was compressed already, and is put down as it was.
    Compressed(Compression),
}

/// One file of the archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Digest of its bytes as they were in the archive.
    pub(super) digest: Digest,
    pub(super) len: u64,
    pub(super) form: Form,
    /// `None` when it was passed over.
    pub(super) stored: Option<Stored>,
}

#[derive(Debug)]
enum Item {
    File(Held),
    Link(String),
}

/// What an archive was found to hold.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    pub(super) path: &'a Path,
    pub(super) spool: Spool,
    pub(super) workshop: &'a Workshop,
    keep: Keep,
    items: HashMap<String, Item>,
    /// What is in the spool, so that nothing is there twice.
    known: HashMap<Digest, Span>,
}

impl<'a> Intake<'a> {
    /// Takes everything in.
    pub(super) fn of(
        input: Plain,
        path: &'a Path,
        workshop: &'a Workshop,
        spool: Spool,
        keep: Keep,
    ) -> Result<Self, BundleError> {
        let mut intake = Self {
            path,
            spool,
            workshop,
            keep,
            items: HashMap::new(),
            known: HashMap::new(),
        };
        let mut entries = Entries::new(input, path);
        while let Some(Entry { name, what }) = entries.next()? {
            let item = match what {
                What::Directory => continue,
                What::Link(target) => Item::Link(target),
                What::File(size) => Item::File(intake.file(&mut entries, &name, size)?),
            };
            intake.add(name, item)?;
        }
        Ok(intake)
    }

    fn add(&mut self, name: String, item: Item) -> Result<(), BundleError> {
        let is_same = match (self.items.get(&name), &item) {
            (None, _) => true,
            (Some(Item::File(one)), Item::File(other)) => one.digest == other.digest && one.stored.is_some(),
            (Some(Item::Link(one)), Item::Link(other)) => one == other,
            _ => false,
        };
        if !is_same {
            return Err(BundleError::Duplicate {
                path: self.path.to_owned(),
                entry: name,
            });
        }
        self.items.insert(name, item);
        Ok(())
    }

    fn file(&mut self, entries: &mut Entries<'_>, name: &str, size: u64) -> Result<Held, BundleError> {
        let base = name.rsplit('/').next().unwrap_or(name);
        if size > MAX_DOCUMENT && DOCUMENTS.contains(&base) {
            return Err(BundleError::TooLarge {
                path: self.path.to_owned(),
                entry: name.to_owned(),
                size,
                limit: MAX_DOCUMENT,
            });
        }
        let head = read_head(&mut entries.content()).map_err(|error| entries.failed(error))?;
        let algorithm = walk::blob_digest(name).map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let form = match Compression::sniff(&head) {
            Compression::None if looks_like_tar(&head) => Form::Packed,
            Compression::None => Form::AsIs,
            compression => Form::Compressed(compression),
        };
        if self.keep == Keep::Documents && !self.is_document(&head, size) {
            return Ok(Held {
                digest: Digest::Sha256([0; 32]),
                len: size,
                form,
                stored: None,
            });
        }
        if form != Form::Packed {
            self.spool.check(size)?;
        }
        self.put(entries, &head, algorithm, form, size)
    }

    fn is_document(&self, head: &[u8], size: u64) -> bool {
        let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_small = size <= 2 * MAX_MANIFEST_BYTES as u64 && self.spool.len() + size <= MAX_DOCUMENTS;
        is_small && matches!(first, Some(b'{' | b'['))
    }

    fn put(
        &mut self,
        entries: &mut Entries<'_>,
        head: &[u8],
        algorithm: Algorithm,
        form: Form,
        len: u64,
    ) -> Result<Held, BundleError> {
        let threads = self.workshop.threads;
        let mut content = Hashed::new(head.chain(entries.content()), algorithm);
        let is_packed = form == Form::Packed;
        let mut piece = self
            .spool
            .piece(if is_packed { Algorithm::Sha256 } else { algorithm });
        let copied = match is_packed {
            true => gzip::compress(&mut content, &mut piece, threads),
            false => io::copy(&mut content.inner, &mut piece),
        };
        if let Some(failed) = piece.take_failure() {
            return Err(failed);
        }
        let digest = content.hasher.finish();
        copied.map_err(|error| entries.failed(error))?;
        let stored = piece.keep_once(&mut self.known);
        Ok(Held {
            digest: if is_packed { digest } else { stored.digest },
            len,
            form,
            stored: Some(stored),
        })
    }

    /// The file of this name, through links.
    pub(super) fn find(&self, name: &str) -> Option<&Held> {
        let mut name = name;
        for _ in 0..MAX_LINKS {
            match self.items.get(name)? {
                Item::File(held) => return Some(held),
                Item::Link(target) => name = target,
            }
        }
        None
    }

    /// The names of all files.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.items.keys().map(String::as_str)
    }

    /// Leaves only what is below this folder, under its name there.
    pub(super) fn descend(&mut self, folder: &str) {
        let below = |name: &str| name.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let items = std::mem::take(&mut self.items);
        self.items = items
            .into_iter()
            .filter_map(|(name, item)| {
                let item = match item {
                    Item::Link(target) => Item::Link(below(&target)?),
                    file => file,
                };
                Some((below(&name)?, item))
            })
            .collect();
    }

    /// A small file's bytes.
    pub(super) fn bytes(&self, held: &Held) -> Result<Option<bytes::Bytes>, BundleError> {
        match (held.stored, held.form) {
            (Some(stored), Form::AsIs) => crate::reader::read_all(&self.spool.extent(stored.span)).map(Some),
            _ => Ok(None),
        }
    }

    /// A file as gzip, and the digest of what is in it.
    pub(super) fn packed(&mut self, held: &Held) -> Result<(Stored, Digest), BundleError> {
        let Some(stored) = held.stored else {
            return Err(crate::reader::not_a_bundle(self.path, "it was only looked at"));
        };
        match held.form {
            Form::Packed => Ok((stored, held.digest)),
            Form::Compressed(compression @ (Compression::Gzip | Compression::Zstd)) => {
                let diff_id = self.unpacked_digest(stored, compression)?;
                Ok((stored, diff_id))
            }
            Form::Compressed(compression) => self.pack(stored, compression),
            Form::AsIs => self.pack(stored, Compression::None),
        }
    }

    /// The digest of what is in a compressed file.
    fn unpacked_digest(&self, stored: Stored, compression: Compression) -> Result<Digest, BundleError> {
        let mut plain = decoder(compression, Piece::new(&self.spool, stored.span));
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match plain.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(len) => hasher.update(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(stored, error)),
            }
        }
    }

    fn pack(&mut self, stored: Stored, compression: Compression) -> Result<(Stored, Digest), BundleError> {
        let plain = decoder(compression, Piece::new(&self.spool, stored.span));
        let mut content = Hashed::new(plain, Algorithm::Sha256);
        let mut piece = self.spool.piece(Algorithm::Sha256);
        let copied = gzip::compress(&mut content, &mut piece, self.workshop.threads);
        if let Some(failed) = piece.take_failure() {
            return Err(failed);
        }
        if let Err(error) = copied {
            drop(piece);
            return Err(self.unreadable(stored, error));
        }
        Ok((piece.keep_once(&mut self.known), content.hasher.finish()))
    }

    /// A file as it was in the archive: what was compressed on the way in is unpacked again.
    pub(super) fn raw(&mut self, held: &Held) -> Result<Option<Span>, BundleError> {
        let Some(stored) = held.stored else {
            return Ok(None);
        };
        if held.form != Form::Packed {
            return Ok(Some(stored.span));
        }
        let mut plain = decoder(Compression::Gzip, Piece::new(&self.spool, stored.span));
        let mut piece = self.spool.piece(held.digest.algorithm());
        let copied = io::copy(&mut plain, &mut piece);
        if let Some(failed) = piece.take_failure() {
            return Err(failed);
        }
        if let Err(error) = copied {
            drop(piece);
            return Err(self.unreadable(stored, error));
        }
        Ok(Some(piece.keep_once(&mut self.known).span))
    }

    fn unreadable(&self, stored: Stored, source: io::Error) -> BundleError {
        BundleError::Unreadable {
            path: self.path.to_owned(),
            entry: stored.digest.to_string().into(),
            source,
        }
    }
}

/// Enough of a file's beginning to tell what it is.
fn read_head(content: &mut Content<'_, '_>) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    content.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// A tar's first header, or the zeros of an empty one.
fn looks_like_tar(head: &[u8]) -> bool {
    head.first_chunk::<HEAD>()
        .is_some_and(|block| tar::decode(block).is_ok())
}

/// Hashes what passes.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..len]);
        Ok(len)
    }
}

/// A piece of the spool, read from its beginning to its end.
struct Piece {
    extent: landfall_store::Extent,
    at: u64,
}

impl Piece {
    fn new(spool: &Spool, span: Span) -> Self {
        Self {
            extent: spool.extent(span),
            at: 0,
        }
    }
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let left = self.extent.len - self.at;
        let wish = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let len = self
            .extent
            .file
            .read_at(&mut buffer[..wish], self.extent.offset + self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}
