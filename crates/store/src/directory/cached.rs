//! Looking at files without ever waiting for a disk, so that it can be done on async threads.
//!
//! Opening a file whose path the kernel has in memory takes a few microseconds; going to the blocking pool for it
//! takes more, in waking one thread and then the other: half of the CPU time of a small GET (perf, 16 connections).
//! `RESOLVE_CACHED` makes the kernel say so when it would have to read a directory or an inode first, and
//! `RWF_NOWAIT` when it would have to read a page. Then, on an older kernel, and whenever the answer is anything but
//! a plain yes, the blocking pool is asked as before: `None` here says nothing.

use std::fs::File;
use std::io::IoSliceMut;
use std::path::Path;
use std::time::SystemTime;

use landfall_oci::{Descriptor, Digest, RawManifest, Repository, Target};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;

use super::Inner;
use super::blobs::content;
use super::collect::leases::{Guard, Key, Lease};
use super::manifests::Revision;
use crate::Content;

/// What a revision record fits into: some 300 bytes, unless somebody likes long media types.
const RECORD: usize = 4096;
/// Manifests above this are copied out of the page cache elsewhere: it would keep other requests waiting.
const MANIFEST: u64 = 64 * 1024;

impl Inner {
    /// The blob, if the repository holds it and the kernel knows that by heart.
    pub(super) fn cached_blob(&self, repository: &Repository, digest: &Digest) -> Option<Content> {
        open(&self.layout.member(repository, digest), OFlags::PATH)?;
        let path = self.layout.blob(digest);
        let file = open(&path, OFlags::RDONLY)?;
        // The inode of an open file is in memory.
        content(file, &path).ok()
    }

    /// [`Self::stat_blob`], with the same promise.
    pub(super) fn cached_blob_len(&self, repository: &Repository, digest: &Digest) -> Option<u64> {
        let lease = self
            .leases
            .try_take(Guard::Stat, Key::member(repository, digest))?;
        let kept = open(&self.layout.member(repository, digest), OFlags::PATH)
            .filter(|member| !self.is_renewal_due(member))
            .and_then(|_| len(&open(&self.layout.blob(digest), OFlags::PATH)?));
        keep(lease, kept)
    }

    /// [`Self::stat_manifest`], with the same promise to who asks by digest.
    pub(super) fn cached_descriptor(&self, repository: &Repository, target: &Target) -> Option<Descriptor> {
        let Target::Digest(digest) = target else {
            return self
                .cached_revision(repository, target)
                .and_then(|(_, found)| self.described(found));
        };
        let lease = self
            .leases
            .try_take(Guard::StatManifest, Key::manifest(repository, digest))?;
        let kept = self
            .cached_revision(repository, target)
            .filter(|(record, _)| !self.is_renewal_due(record))
            .and_then(|(_, found)| self.described(found));
        keep(lease, kept)
    }

    /// The manifest, if it is small.
    pub(super) fn cached_manifest(&self, repository: &Repository, target: &Target) -> Option<RawManifest> {
        let (_, found) = self.cached_revision(repository, target)?;
        let file = open(&self.layout.blob(&found.digest), OFlags::RDONLY)?;
        let size = len(&file).filter(|len| *len == found.size && *len <= MANIFEST)?;
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        (read(&file, &mut bytes)? == bytes.len()).then(|| RawManifest {
            media_type: found.media_type,
            digest: found.digest,
            bytes: bytes.into(),
        })
    }

    fn cached_revision(&self, repository: &Repository, target: &Target) -> Option<(File, Revision)> {
        let file = open(&self.revision_path(repository, target), OFlags::RDONLY)?;
        let mut record = [0; RECORD];
        let read = read(&file, &mut record)?;
        // Cut at the end of the buffer, or damaged: it is not JSON.
        let revision = serde_json::from_slice(&record[..read]).ok()?;
        Some((file, revision))
    }

    /// What the revision says, if its bytes are there.
    fn described(&self, found: Revision) -> Option<Descriptor> {
        let bytes = open(&self.layout.blob(&found.digest), OFlags::PATH)?;
        (len(&bytes)? == found.size).then(|| Descriptor::new(found.media_type, found.digest, found.size))
    }

    /// Whether [`Self::renew`] would touch it: a write, which may wait.
    fn is_renewal_due(&self, record: &File) -> bool {
        let modified = record.metadata().and_then(|data| data.modified());
        modified.map_or(true, |modified| self.is_half_spent(modified, SystemTime::now()))
    }
}

/// What was found, kept for who will rely on it; where nothing was, nothing is.
fn keep<T>(lease: Lease<'_>, found: Option<T>) -> Option<T> {
    if found.is_none() {
        lease.unused();
    }
    found
}

/// Opens what can be opened without waiting.
fn open(path: &Path, how: OFlags) -> Option<File> {
    let flags = how | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED);
    opened.ok().map(File::from)
}

/// The inode of an open file is in memory.
fn len(file: &File) -> Option<u64> {
    file.metadata().ok().map(|data| data.len())
}

/// Reads the beginning of a file, as far as it is in the page cache.
fn read(file: &File, buffer: &mut [u8]) -> Option<usize> {
    let mut buffers = [IoSliceMut::new(buffer)];
    rustix::io::preadv2(file, &mut buffers, 0, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::num::NonZeroUsize;
    use std::os::unix::fs::MetadataExt as _;

    use landfall_hash::HashService;
    use tempfile::TempDir;

    use super::*;
    use crate::{DirectoryOptions, DirectoryStore, Store as _, suite};

    /// A store with a tagged manifest and its blob.
    struct World {
        store: DirectoryStore,
        here: Repository,
        image: RawManifest,
        blob: Digest,
        _root: TempDir,
    }

    impl World {
        async fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let hash = HashService::new(NonZeroUsize::MIN);
            let store = DirectoryStore::open(root.path(), hash, DirectoryOptions::default())
                .await
                .unwrap();
            let here = suite::repository("cached/here");
            let blob = suite::blob("config");
            suite::push_blob(&store, &here, &blob).await;
            let image = suite::image(std::slice::from_ref(&blob), None, None);
            suite::put(&store, &here, &image, &[suite::tag("latest")])
                .await
                .unwrap();
            Self {
                store,
                here,
                image,
                blob: blob.0,
                _root: root,
            }
        }

        fn targets(&self) -> [Target; 2] {
            [
                Target::Tag(suite::tag("latest")),
                Target::Digest(self.image.digest),
            ]
        }

        fn has(&self, target: &Target) -> [bool; 2] {
            let inner = &self.store.inner;
            [
                inner.cached_descriptor(&self.here, target).is_some(),
                inner.cached_manifest(&self.here, target).is_some(),
            ]
        }
    }

    #[test]
    fn what_was_just_written_is_open_at_once_and_what_is_not_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        assert!(open(&path, OFlags::PATH).is_none());
        std::fs::write(&path, "bytes").unwrap();
        let mut text = String::new();
        let mut file = open(&path, OFlags::RDONLY).expect("a kernel with RESOLVE_CACHED (5.12)");
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
        assert!(open(&path.join("below"), OFlags::PATH).is_none());
    }

    #[tokio::test]
    async fn what_is_cached_is_what_the_store_says() {
        let world = World::new().await;
        let inner = &world.store.inner;
        for target in world.targets() {
            let found = inner.cached_descriptor(&world.here, &target).unwrap();
            assert_eq!(found, inner.stat_manifest(&world.here, &target).unwrap());
            let manifest = inner.cached_manifest(&world.here, &target).unwrap();
            assert_eq!(manifest, inner.manifest(&world.here, &target).unwrap());
            // Only where the repository has it.
            let other = suite::repository("cached/other");
            assert!(inner.cached_descriptor(&other, &target).is_none());
            assert!(inner.cached_manifest(&other, &target).is_none());
        }
        assert_eq!(inner.cached_blob_len(&world.here, &world.blob), Some(6));
    }

    #[tokio::test]
    async fn what_is_deleted_is_gone_and_what_moved_has_moved() {
        let world = World::new().await;
        let tag = Target::Tag(suite::tag("latest"));
        let other = suite::image(&[suite::blob("config")], None, Some("other/type"));
        suite::put(&world.store, &world.here, &other, &[suite::tag("latest")])
            .await
            .unwrap();
        let inner = &world.store.inner;
        assert_eq!(
            inner.cached_descriptor(&world.here, &tag).unwrap().digest,
            other.digest
        );
        assert_eq!(inner.cached_manifest(&world.here, &tag).unwrap(), other);
        world
            .store
            .delete_manifest(&world.here, &other.digest)
            .await
            .unwrap();
        assert_eq!(world.has(&tag), [false; 2]);
        assert_eq!(world.has(&Target::Digest(other.digest)), [false; 2]);
        assert_eq!(world.has(&Target::Digest(world.image.digest)), [true; 2]);
        world.store.delete_blob(&world.here, &world.blob).await.unwrap();
        assert_eq!(inner.cached_blob_len(&world.here, &world.blob), None);
    }

    #[tokio::test]
    async fn what_is_damaged_is_left_to_who_can_say_so() {
        let world = World::new().await;
        let inner = &world.store.inner;
        // A hard link: the record of the tag and that of the revision are one file.
        let record = inner.layout.revision(&world.here, &world.image.digest);
        let (whole, bytes) = (fs::read(&record).unwrap(), inner.layout.blob(&world.image.digest));
        for damaged in [&b""[..], b"{", &whole[..whole.len() - 1], &[0; 5000]] {
            fs::write(&record, damaged).unwrap();
            for target in world.targets() {
                assert_eq!(world.has(&target), [false; 2]);
                assert!(
                    world
                        .store
                        .stat_manifest(&world.here, &target)
                        .await
                        .unwrap_err()
                        .is_not_found()
                );
            }
        }
        fs::write(&record, &whole).unwrap();
        assert_eq!(world.has(&world.targets()[0]), [true; 2]);
        let manifest = fs::read(&bytes).unwrap();
        fs::write(&bytes, &manifest[1..]).unwrap();
        assert_eq!(world.has(&world.targets()[0]), [false; 2]);
        fs::remove_file(&bytes).unwrap();
        assert_eq!(world.has(&world.targets()[1]), [false; 2]);
    }

    /// Who is told that it is there may rely on it for the grace period: an old record is made young again.
    #[tokio::test]
    async fn a_renewal_that_is_due_is_not_done_here_and_not_left_out() {
        let world = World::new().await;
        let inner = &world.store.inner;
        let [tag, digest] = world.targets();
        let record = inner.layout.revision(&world.here, &world.image.digest);
        let member = inner.layout.member(&world.here, &world.blob);
        let age = |path: &Path| {
            let old = SystemTime::now() - inner.grace * 3 / 4;
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
            fs::metadata(path).unwrap().mtime()
        };
        let (record_old, member_old) = (age(&record), age(&member));
        assert!(
            inner.cached_descriptor(&world.here, &tag).is_some(),
            "a tag is no promise"
        );
        assert!(inner.cached_descriptor(&world.here, &digest).is_none());
        assert!(inner.cached_blob_len(&world.here, &world.blob).is_none());
        world.store.stat_manifest(&world.here, &digest).await.unwrap();
        world.store.stat_blob(&world.here, &world.blob).await.unwrap();
        assert!(fs::metadata(&record).unwrap().mtime() > record_old);
        assert!(fs::metadata(&member).unwrap().mtime() > member_old);
        assert!(inner.cached_descriptor(&world.here, &digest).is_some());
        assert!(inner.cached_blob_len(&world.here, &world.blob).is_some());
    }

    #[tokio::test]
    async fn what_is_being_removed_is_not_waited_for() {
        let world = World::new().await;
        let inner = &world.store.inner;
        let digest = &world.targets()[1];
        let condemned = [
            inner
                .leases
                .seize(Key::manifest(&world.here, &world.image.digest)),
            inner.leases.seize(Key::member(&world.here, &world.blob)),
        ];
        assert!(inner.cached_descriptor(&world.here, digest).is_none());
        assert!(inner.cached_blob_len(&world.here, &world.blob).is_none());
        drop(condemned);
        assert!(inner.cached_descriptor(&world.here, digest).is_some());
        assert!(inner.cached_blob_len(&world.here, &world.blob).is_some());
    }
}
