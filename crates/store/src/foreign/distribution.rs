//! The storage folder of Docker's registry (the program is called distribution), layout version 2.
//!
//! ```text
//! docker/registry/v2/blobs/sha256/<2>/<hex>/data                              the bytes, manifests too
//! docker/registry/v2/repositories/<name>/_layers/<algorithm>/<hex>/link       the repository holds this blob
//!                                       /_manifests/revisions/sha256/<hex>/link          … this manifest
//!                                       /_manifests/tags/<tag>/current/link   what the tag points at
//! ```
//!
//! A link is a file with a digest in it. That of a blob pushed by SHA-512 holds the SHA-256 digest under which the
//! bytes lie. Deleting removes link files and leaves their folders. A crash may leave a link empty
//! (distribution#1960), and version 2 rewrites links in place, so for a moment a link that is changed is empty, too.

use std::path::Path;
use std::time::Duration;

use landfall_oci::{Algorithm, Digest, Repository, Tag, Target};

use super::{Found, Tree, blob_file, folders, walk};
use crate::smallest::Smallest;
use crate::{Beneath, Extent, Listing, Page, Stamp, StoreError};

/// Where the layout may begin below the folder that was named.
const BEGINNINGS: [&str; 4] = ["docker/registry/v2", "registry/v2", "v2", ""];
/// The longest digest is SHA-512's, 135 bytes.
const MAX_LINK: usize = 256;
/// How long a link that is being rewritten is waited for, in steps.
const SETTLE: Duration = Duration::from_millis(2);
const SETTLE_STEPS: u32 = 10;

/// See the module.
pub(super) struct Distribution {
    blobs: Beneath,
    repositories: Beneath,
}

/// What a link says.
enum Link {
    To(Digest),
    /// Nothing yet: it was written a moment ago.
    Changing,
    /// Nothing, or it is not there.
    Absent,
}

impl Distribution {
    /// `None` when the folder is not laid out like that.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let io = |error| StoreError::io("open", path)(error);
        let root = Beneath::new(path).map_err(io)?;
        for beginning in BEGINNINGS {
            let Some(base) = root.folder(beginning).map_err(io)? else {
                continue;
            };
            let (blobs, repositories) = (base.folder("blobs"), base.folder("repositories"));
            if let (Some(blobs), Some(repositories)) = (blobs.map_err(io)?, repositories.map_err(io)?) {
                return Ok(Some(Self { blobs, repositories }));
            }
        }
        Ok(None)
    }

    /// The digest in a link; `None` where there is no link, or one that says nothing.
    fn link(&self, path: &str) -> Result<Option<Digest>, StoreError> {
        for _ in 0..SETTLE_STEPS {
            match self.link_now(path)? {
                Link::Changing => std::thread::sleep(SETTLE),
                Link::To(digest) => return Ok(Some(digest)),
                Link::Absent => return Ok(None),
            }
        }
        Ok(None)
    }

    fn link_now(&self, path: &str) -> Result<Link, StoreError> {
        let read = self.repositories.read(path, MAX_LINK);
        let read = read.map_err(StoreError::io("read", &self.repositories.join(path)))?;
        let Some(bytes) = read else {
            return Ok(Link::Absent);
        };
        if let Some(digest) = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok())
        {
            return Ok(Link::To(digest));
        }
        let file = self.repositories.file(path).ok().flatten();
        let stamp = file.and_then(|file| Stamp::of(&file).ok());
        if stamp.is_some_and(|stamp| stamp.is_young()) {
            return Ok(Link::Changing);
        }
        let path = self.repositories.join(path);
        tracing::warn!(path = %path.display(), "a link holds no digest: left out");
        Ok(Link::Absent)
    }

    /// Where the bytes of `digest` are, which this link makes the repository's own.
    fn linked(&self, link: &str, digest: &Digest) -> Result<Option<Extent>, StoreError> {
        match self.link(link)? {
            Some(target) if target == *digest || target.algorithm() != digest.algorithm() => {
                self.data(&target)
            }
            Some(target) => {
                let path = self.repositories.join(link);
                tracing::warn!(path = %path.display(), %target, "a link points at something else: left out");
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn data(&self, digest: &Digest) -> Result<Option<Extent>, StoreError> {
        blob_file(&self.blobs, &data_path(digest), digest)
    }

    /// Whether at least one manifest is there.
    fn has_manifests(&self, repository: &Repository) -> Result<bool, StoreError> {
        for algorithm in Algorithm::ALL {
            let folder = revisions(repository, algorithm);
            for hex in folders(&self.repositories, &folder)? {
                if self.link(&format!("{folder}/{}/link", hex?))?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn data_path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
}

fn revisions(repository: &Repository, algorithm: Algorithm) -> String {
    format!("{repository}/_manifests/revisions/{algorithm}")
}

impl Tree for Distribution {
    fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<Extent>, StoreError> {
        let link = format!(
            "{repository}/_layers/{}/{}/link",
            digest.algorithm(),
            digest.hex()
        );
        self.linked(&link, digest)
    }

    fn may_hold(&self, digest: &Digest) -> Result<bool, StoreError> {
        // Under another algorithm the bytes lie somewhere that only a link knows.
        Ok(digest.algorithm() != Algorithm::Sha256 || self.data(digest)?.is_some())
    }

    fn manifest(&self, repository: &Repository, target: &Target) -> Result<Option<Found>, StoreError> {
        let digest = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(tag) => self.link(&format!("{repository}/_manifests/tags/{tag}/current/link"))?,
        };
        let Some(digest) = digest else { return Ok(None) };
        let link = format!(
            "{}/{}/link",
            revisions(repository, digest.algorithm()),
            digest.hex()
        );
        let extent = self.linked(&link, &digest)?;
        // The layout keeps no media type: Docker's registry, too, goes by the manifest's own field or its shape.
        Ok(extent.map(|extent| Found {
            digest,
            media_type: None,
            is_declared: true,
            extent,
        }))
    }

    fn manifests(
        &self,
        repository: &Repository,
        visit: &mut dyn FnMut(Digest) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for algorithm in Algorithm::ALL {
            let folder = revisions(repository, algorithm);
            for hex in folders(&self.repositories, &folder)? {
                if let Ok(digest) = format!("{algorithm}:{}", hex?).parse() {
                    visit(digest)?;
                }
            }
        }
        Ok(())
    }

    fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Option<Listing<Tag>>, StoreError> {
        let folder = format!("{repository}/_manifests/tags");
        let mut after = page.after.map(str::to_owned);
        let mut items = Vec::new();
        loop {
            // One more than wanted, so that `more` is true only when something follows.
            let wanted = page.limit.saturating_add(1) - items.len();
            let mut smallest = Smallest::new(after.as_deref(), wanted);
            for name in folders(&self.repositories, &folder)? {
                smallest.offer(&name?);
            }
            let (names, more) = smallest.finish();
            after = names.last().cloned().or(after);
            for name in names {
                let Ok(tag) = name.parse::<Tag>() else { continue };
                match self.link_now(&format!("{folder}/{name}/current/link"))? {
                    Link::To(_) | Link::Changing => items.push(tag),
                    Link::Absent => {}
                }
            }
            if !more || items.len() > page.limit {
                break;
            }
        }
        if items.is_empty() && !self.has_manifests(repository)? {
            return Ok(None);
        }
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        Ok(Some(Listing { items, more }))
    }

    fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        walk::page(&self.repositories, page, &|repository| {
            self.has_manifests(repository)
        })
    }
}
