//! Reading all bytes and hashing them, several files at a time, at a bounded rate.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use landfall_oci::{Algorithm, Digest};
use tokio::time::Instant;

use super::super::blocking;
use super::super::collect::strict;
use super::super::publish::if_present;
use super::{Scrub, Wound, Wounds};
use crate::{Damage, Extent, Finding, Outcome, StoreError};

/// Which file it was: another one at the same place has another number or another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Identity {
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Result<Option<Self>, StoreError> {
        let data = if_present(fs::metadata(path), "look at", path)?;
        Ok(data.map(|data| Self {
            inode: data.ino(),
            seconds: data.mtime(),
            nanoseconds: data.mtime_nsec(),
        }))
    }
}

/// Keeps the rate: all readers share it.
struct Pace {
    began: Instant,
    read: AtomicU64,
    per_second: Option<u64>,
}

impl Pace {
    /// Counts bytes, and waits until as many may have been read.
    async fn spend(&self, bytes: u64) -> u64 {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(rate) = self.per_second {
            let due = Duration::from_secs_f64(read as f64 / rate.max(1) as f64);
            tokio::time::sleep_until(self.began + due).await;
        }
        read
    }
}

impl Scrub<'_> {
    /// Hashes every blob; gives those whose bytes are wrong.
    pub(super) async fn read_all(&mut self) -> Result<Wounds, StoreError> {
        let listed = self.store.with(|inner| {
            let (mut folders, mut strange) = (Vec::new(), Vec::new());
            let mut visit = |algorithm: Algorithm, folder: &Path| {
                folders.push((algorithm, folder.to_owned()));
                Ok(())
            };
            inner.each_blob_folder(&mut visit, &mut |path| strange.push(path.to_owned()))?;
            Ok((folders, strange))
        });
        let (folders, strange): (Vec<(Algorithm, PathBuf)>, Vec<PathBuf>) = listed.await?;
        strange.iter().for_each(|path| self.report_strange(path));
        let pace = Pace {
            began: Instant::now(),
            read: AtomicU64::new(0),
            per_second: self.options.bytes_per_second,
        };
        let mut wounds = Wounds::new();
        for (algorithm, folder) in folders {
            self.check_stop()?;
            let digests = self.names(algorithm, &folder).await?;
            let (this, pace) = (&*self, &pace);
            let read: Vec<_> = futures_util::stream::iter(digests)
                .map(|digest| async move { this.read(digest, pace).await.map(|read| (digest, read)) })
                .buffer_unordered(self.options.parallel.max(1))
                .try_collect()
                .await?;
            for (digest, wound) in read {
                self.scrubbed.blobs += 1;
                wounds.extend(wound.map(|wound| (digest, wound)));
            }
        }
        self.scrubbed.bytes = pace.read.load(Ordering::Relaxed);
        Ok(wounds)
    }

    /// The digests in a folder; what else is there is reported.
    async fn names(&mut self, algorithm: Algorithm, folder: &Path) -> Result<Vec<Digest>, StoreError> {
        let owned = folder.to_owned();
        let names = blocking(move || strict::names(&owned)).await?;
        let mut digests = Vec::new();
        for name in names {
            match format!("{algorithm}:{name}").parse() {
                Ok(digest) => digests.push(digest),
                Err(_) => self.report_strange(&folder.join(name)),
            }
        }
        Ok(digests)
    }

    fn report_strange(&mut self, path: &Path) {
        self.report(&Finding {
            damage: Damage::StrangeFile,
            digest: None,
            repository: None,
            place: self.store.inner.place(path),
            tags: Vec::new(),
            tags_touched: 0,
            outcome: Outcome::Left,
        });
    }

    /// Hashes one blob. `None` when it is right, or was collected meanwhile.
    async fn read(&self, digest: Digest, pace: &Pace) -> Result<Option<Wound>, StoreError> {
        let path = self.store.inner.layout.blob(&digest);
        let opened = {
            let path = path.clone();
            blocking(move || {
                let Some(file) = if_present(File::open(&path), "open", &path)? else {
                    return Ok(None);
                };
                let len = file.metadata().map_err(StoreError::io("look at", &path))?.len();
                Ok(Some((file, len, Identity::of(&path)?)))
            })
        };
        let damage = match opened.await {
            Ok(None) => return Ok(None),
            Ok(Some((file, len, identity))) => {
                let extent = Extent {
                    file: Arc::new(file),
                    path: path.into(),
                    offset: 0,
                    len,
                };
                let damage = match self.hash(extent, digest, pace).await {
                    Ok(true) => return Ok(None),
                    Ok(false) => Damage::WrongBytes,
                    Err(StoreError::Stopped) => return Err(StoreError::Stopped),
                    Err(error) => Damage::Unreadable(error.to_string()),
                };
                (damage, identity)
            }
            Err(error) => (Damage::Unreadable(error.to_string()), None),
        };
        Ok(Some(Wound {
            damage: Some(damage.0),
            identity: damage.1,
            ..Wound::default()
        }))
    }

    async fn hash(&self, extent: Extent, digest: Digest, pace: &Pace) -> Result<bool, StoreError> {
        let mut hash = self.store.hash.stream(digest.algorithm());
        let path = Arc::clone(&extent.path);
        let len = extent.len;
        let mut bytes = Box::pin(extent.stream(0..len));
        while let Some(piece) = bytes.next().await {
            self.check_stop()?;
            let piece = piece.map_err(StoreError::io("read", &path))?;
            self.observer.scrubbed(pace.spend(piece.len() as u64).await);
            hash.update(piece).await.map_err(|_| StoreError::Stopped)?;
        }
        Ok(hash.finish().await.map_err(|_| StoreError::Stopped)? == digest)
    }
}
