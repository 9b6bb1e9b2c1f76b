//! Uploads across restarts, and how many of them there may be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use landfall_hash::digest;
use landfall_oci::Algorithm;
use landfall_store::{
    Chunk, DirectoryOptions, DirectoryStore, Durability, Store, StoreError, UploadId, suite,
};

use crate::{hash, open, options};

/// An upload of which a first part was accepted by a store that is closed now.
struct Begun {
    root: tempfile::TempDir,
    id: UploadId,
    whole: Bytes,
    algorithm: Algorithm,
}

const PART: usize = 300_000;

impl Begun {
    async fn new(algorithm: Algorithm) -> Self {
        let root = tempfile::tempdir().unwrap();
        let whole: Vec<u8> = (0..500_000_u32).map(|at| (at % 251) as u8).collect();
        let begun = Self {
            id: UploadId::random().unwrap(),
            whole: whole.into(),
            root,
            algorithm,
        };
        let store = open(begun.root.path()).await;
        let here = suite::repository("here");
        let id = store.start_upload(&here, Some(algorithm)).await.unwrap().id;
        let part = begun.whole.slice(..PART);
        store.append(&here, &id, Chunk::of(part)).await.unwrap();
        Self { id, ..begun }
    }

    fn file(&self) -> PathBuf {
        self.root.path().join(format!("uploads/{}", self.id))
    }

    fn change_first_byte(&self) {
        let mut bytes = fs::read(self.file()).unwrap();
        bytes[0] ^= 1;
        fs::write(self.file(), bytes).unwrap();
    }

    fn add_bytes(&self, more: &[u8]) {
        use std::io::Write as _;
        let mut file = fs::OpenOptions::new().append(true).open(self.file()).unwrap();
        file.write_all(more).unwrap();
    }

    /// The record says that it was written before the system was started.
    fn reboot(&self) {
        let path = self.file().with_extension("json");
        let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["epoch"] = "an earlier one".into();
        fs::write(path, record.to_string()).unwrap();
    }

    /// Sends what is missing and ends the upload.
    async fn finish(&self, offset: usize) -> Result<u64, StoreError> {
        let store = open(self.root.path()).await;
        let here = suite::repository("here");
        assert_eq!(store.upload(&here, &self.id).await?.offset, offset as u64);
        let rest = self.whole.slice(offset..);
        store.append(&here, &self.id, Chunk::of(rest)).await?;
        let wanted = digest(self.algorithm, &self.whole);
        store.commit(&here, &self.id, &wanted).await
    }
}

#[tokio::test]
async fn what_was_hashed_is_not_hashed_again() {
    for algorithm in Algorithm::ALL {
        let begun = Begun::new(algorithm).await;
        // Nobody does this; it shows that the prefix is not read.
        begun.change_first_byte();
        begun.finish(PART).await.unwrap();
    }
}

#[tokio::test]
async fn what_came_behind_the_kept_state_is_hashed() {
    // As if the process had been killed in the middle of a chunk.
    let begun = Begun::new(Algorithm::Sha256).await;
    begun.add_bytes(&begun.whole[PART..PART + 1000]);
    begun.finish(PART + 1000).await.unwrap();
    let begun = Begun::new(Algorithm::Sha256).await;
    begun.add_bytes(&[9; 1000]);
    let wrong = begun.finish(PART + 1000).await;
    assert!(
        matches!(wrong, Err(StoreError::DigestMismatch { .. })),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn after_a_power_cut_bytes_count_as_far_as_their_hash_was_kept() {
    for algorithm in Algorithm::ALL {
        let begun = Begun::new(algorithm).await;
        begun.add_bytes(&[0; 1000]);
        begun.reboot();
        begun.finish(PART).await.unwrap();
    }
}

#[tokio::test]
async fn after_a_power_cut_that_took_bytes_an_upload_begins_again() {
    let harms: [fn(&Begun); 3] = [
        |begun| begun.change_first_byte(),
        |begun| {
            fs::File::options()
                .write(true)
                .open(begun.file())
                .unwrap()
                .set_len(100)
                .unwrap()
        },
        |begun| {
            let path = begun.file().with_extension("json");
            let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            record["state"] = "sha256-7-00-".into();
            fs::write(path, record.to_string()).unwrap();
        },
    ];
    for harm in harms {
        let begun = Begun::new(Algorithm::Sha256).await;
        harm(&begun);
        begun.reboot();
        begun.finish(0).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_shorter_than_its_state_is_hashed_from_the_beginning() {
    let begun = Begun::new(Algorithm::Sha256).await;
    fs::File::options()
        .write(true)
        .open(begun.file())
        .unwrap()
        .set_len(1000)
        .unwrap();
    begun.finish(1000).await.unwrap();
}

#[tokio::test]
async fn there_may_be_so_many_uploads_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    let options = DirectoryOptions {
        max_uploads: 3,
        ..options()
    };
    let here = suite::repository("here");
    let store = DirectoryStore::open(root.path(), hash(), options.clone())
        .await
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(store.start_upload(&here, None).await.unwrap().id);
    }
    for _ in 0..2 {
        let refused = store.start_upload(&here, None).await;
        assert!(
            matches!(refused, Err(StoreError::TooManyUploads { limit: 3 })),
            "{refused:?}"
        );
    }
    drop(store);
    // Those of an earlier run count, and whatever ends an upload makes room.
    let store = DirectoryStore::open(root.path(), hash(), options).await.unwrap();
    assert!(store.start_upload(&here, None).await.is_err());
    store.cancel(&here, &ids[0]).await.unwrap();
    assert!(store.cancel(&here, &ids[0]).await.is_err());
    let (nothing, _) = suite::blob("");
    store.commit(&here, &ids[1], &nothing).await.unwrap();
    for _ in 0..2 {
        store.start_upload(&here, None).await.unwrap();
    }
    assert!(store.start_upload(&here, None).await.is_err());
    // One that nobody has touched for an hour goes when another wants its place.
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3700);
    for name in [format!("{}", ids[2]), format!("{}.json", ids[2])] {
        let file = fs::File::options()
            .write(true)
            .open(root.path().join("uploads").join(name))
            .unwrap();
        file.set_modified(long_ago).unwrap();
    }
    store.start_upload(&here, None).await.unwrap();
    let gone = store.upload(&here, &ids[2]).await;
    assert!(matches!(gone, Err(StoreError::UploadUnknown { .. })), "{gone:?}");
}

fn count(root: &Path) -> usize {
    fs::read_dir(root.join("uploads")).unwrap().count()
}

#[tokio::test]
async fn an_upload_in_use_is_never_stale() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(open(root.path()).await);
    let here = suite::repository("here");
    let used = store.start_upload(&here, None).await.unwrap().id;
    let idle = store.start_upload(&here, None).await.unwrap().id;
    // The sender takes its time.
    let (more, body) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = futures_util::stream::unfold(body, async |mut body| Some((Ok(body.recv().await?), body)));
    let sending = tokio::spawn({
        let (store, here) = (Arc::clone(&store), here.clone());
        async move {
            let chunk = Chunk {
                at: None,
                len: None,
                is_last: false,
                body: body.boxed(),
            };
            store.append(&here, &used, chunk).await
        }
    });
    more.send("some".into()).await.unwrap();
    // Taken when the first one has been: the request has the session.
    more.send(" of it, ".into()).await.unwrap();
    assert_eq!(store.remove_stale_uploads(Duration::ZERO).await.unwrap(), 1);
    assert!(store.upload(&here, &idle).await.is_err());
    more.send("and the rest".into()).await.unwrap();
    drop(more);
    assert_eq!(sending.await.unwrap().unwrap().offset, 24);
    let (wanted, bytes) = suite::blob("some of it, and the rest");
    store.commit(&here, &used, &wanted).await.unwrap();
    assert_eq!(suite::read_blob(&*store, &here, &wanted).await, bytes);
    assert_eq!(count(root.path()), 0);
}

/// A sender that goes away while its upload is being published must not be able to write on in what is a blob then.
#[tokio::test]
async fn an_end_that_nobody_waits_for_is_an_end() {
    let root = tempfile::tempdir().unwrap();
    let options = DirectoryOptions {
        durability: Durability::Full,
        ..options()
    };
    let store = DirectoryStore::open(root.path(), hash(), options).await.unwrap();
    let here = suite::repository("here");
    let (wanted, bytes) = suite::blob(vec![1; 100_000]);
    let mut abandoned = 0;
    for _ in 0..20 {
        let id = store.start_upload(&here, None).await.unwrap().id;
        store.append(&here, &id, Chunk::of(bytes.clone())).await.unwrap();
        // Given up at one of its steps.
        let commit = store.commit(&here, &id, &wanted);
        let mut commit = Box::pin(commit);
        for _ in 0..3 {
            let waker = futures_util::task::noop_waker();
            let mut context = std::task::Context::from_waker(&waker);
            if commit.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(commit);
        if store.append(&here, &id, Chunk::of("more")).await.is_err() {
            abandoned += 1;
        }
        if let Ok(found) = store.open_blob(&here, &wanted).await {
            assert_eq!(found.len(), bytes.len() as u64);
            assert_eq!(suite::read_blob(&store, &here, &wanted).await, bytes);
        }
        let _ = store.delete_blob(&here, &wanted).await;
    }
    assert!(abandoned > 0);
}
