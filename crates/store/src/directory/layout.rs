//! Where each thing lies below the root. The only place that makes paths.
//!
//! ```text
//! landfall-store                        says what this directory is, and in which version
//! lock                                  held by the one process that writes here
//! tmp/                                  files on their way; emptied at every start
//! uploads/<uuid>, <uuid>.json           an upload session: its bytes, its repository
//! blobs/<alg>/<2 hex>/<hex>             bytes, immutable, shared by all repositories (manifests too)
//! trash/<run>/run.json, blobs/, repos/  what a collection removed, at the same places as below the root
//! repos/<name>/_blobs/<alg>/<hex>       empty: the repository holds this blob
//! repos/<name>/_manifests/<alg>/<hex>   a revision record: media type, size, subject
//! repos/<name>/_referrers/<alg>/<hex of the subject>/<alg>-<hex>     the descriptor of a referrer
//! repos/<name>/_history/<tag>/<n>-<ms>-<alg>-<hex>    empty: the n-th change of the tag
//! repos/<name>/_tags/<tag>              a hard link to the revision record that the tag points at
//! ```
//! No part of a repository's name can begin with `_`, so a record is never taken for a repository below it.

use std::path::{Path, PathBuf};

use landfall_oci::{Algorithm, Digest, Repository, Tag};

use crate::UploadId;

/// Makes paths from parsed names; raw text never gets here.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn marker(&self) -> PathBuf {
        self.root.join("landfall-store")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(super) fn upload_data(&self, id: &UploadId) -> PathBuf {
        self.root.join(format!("uploads/{id}"))
    }

    pub(super) fn upload_record(&self, id: &UploadId) -> PathBuf {
        self.root.join(format!("uploads/{id}.json"))
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root
            .join(format!("blobs/{}/{}/{hex}", digest.algorithm(), &hex[..2]))
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.root.join("repos")
    }

    pub(super) fn repository(&self, name: &Repository) -> PathBuf {
        self.repositories().join(name.as_str())
    }

    pub(super) fn member(&self, name: &Repository, digest: &Digest) -> PathBuf {
        self.record(name, "_blobs", digest)
    }

    pub(super) fn members(&self, name: &Repository) -> PathBuf {
        self.repository(name).join("_blobs")
    }

    pub(super) fn revision(&self, name: &Repository, digest: &Digest) -> PathBuf {
        self.record(name, "_manifests", digest)
    }

    pub(super) fn revisions(&self, name: &Repository) -> PathBuf {
        self.repository(name).join("_manifests")
    }

    pub(super) fn referrers(&self, name: &Repository, subject: &Digest) -> PathBuf {
        self.record(name, "_referrers", subject)
    }

    pub(super) fn all_referrers(&self, name: &Repository) -> PathBuf {
        self.repository(name).join("_referrers")
    }

    pub(super) fn referrer(&self, name: &Repository, subject: &Digest, digest: &Digest) -> PathBuf {
        self.referrers(name, subject).join(file_name(digest))
    }

    pub(super) fn tags(&self, name: &Repository) -> PathBuf {
        self.repository(name).join("_tags")
    }

    pub(super) fn tag(&self, name: &Repository, tag: &Tag) -> PathBuf {
        self.tags(name).join(tag.as_str())
    }

    pub(super) fn history(&self, name: &Repository, tag: &Tag) -> PathBuf {
        self.histories(name).join(tag.as_str())
    }

    pub(super) fn histories(&self, name: &Repository) -> PathBuf {
        self.repository(name).join("_history")
    }

    fn record(&self, name: &Repository, kind: &str, digest: &Digest) -> PathBuf {
        let mut path = self.repository(name);
        path.push(kind);
        path.push(digest.algorithm().as_str());
        path.push(digest.hex());
        path
    }
}

/// A digest as one file name: `<alg>-<hex>`, which sorts as its text does.
pub(super) fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm(), digest.hex())
}

/// The digest that [`file_name`] wrote.
pub(super) fn parse_file_name(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.split_once('-')?;
    let _: Algorithm = algorithm.parse().ok()?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_never_a_repository() {
        for record in ["_blobs", "_manifests", "_referrers", "_history", "_tags"] {
            assert!(record.parse::<Repository>().is_err(), "{record}");
            assert!(format!("a/{record}").parse::<Repository>().is_err(), "{record}");
        }
    }

    #[test]
    fn a_digest_survives_being_a_file_name() {
        let digest = Digest::Sha512([0xab; 64]);
        assert_eq!(parse_file_name(&file_name(&digest)), Some(digest));
        assert_eq!(parse_file_name("sha256-00"), None);
        assert_eq!(parse_file_name("..-.."), None);
    }
}
