//! A disk that really is full: a small one, of memory, in a mount namespace of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use landfall_oci::Target;
use landfall_store::{Chunk, CollectOptions, Page, Store, StoreError, suite};

use crate::open;
use crate::upkeep::later;

/// Tells the child where its disk is.
const FOLDER: &str = "LANDFALL_STORE_SMALL_DISK";

#[test]
fn on_a_small_disk() {
    let dir = tempfile::tempdir().unwrap();
    // Root makes a mount namespace as it is; anybody else becomes root of a namespace first.
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if rustix::process::geteuid().as_raw() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    let script = r#"mount -t tmpfs -o size=2m,nr_inodes=300 none "$1" && exec "$2" --exact disk_full::child --nocapture"#;
    let status = command
        .args(["sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "the small disk was never there"
    );
}

/// Not a test of its own: runs on the small disk.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    on_a_full_disk_everything_can_be_deleted(&folder.join("deleted")).await;
    without_room_a_push_leaves_no_history(&folder.join("history")).await;
    let store = open(&folder.join("store")).await;
    let here = suite::repository("full");
    let config = suite::blob("config");
    suite::push_blob(&store, &here, &config).await;
    let first = suite::image(std::slice::from_ref(&config), None, Some("t/1"));
    suite::put(&store, &here, &first, &[suite::tag("latest")])
        .await
        .unwrap();
    // Announced: refused before the first byte. Unannounced: refused in the middle; what came before is kept.
    let id = store.start_upload(&here, None).await.unwrap().id;
    let large = vec![7_u8; 3 << 20];
    let refused = store.append(&here, &id, Chunk::of(large.clone())).await;
    assert!(
        matches!(refused, Err(StoreError::NoSpace { needed, free }) if needed > free),
        "{refused:?}"
    );
    assert_eq!(store.upload(&here, &id).await.unwrap().offset, 0);
    let pieces: Vec<_> = large
        .chunks(65_536)
        .map(|piece| Ok(piece.to_vec().into()))
        .collect();
    let chunk = Chunk {
        at: None,
        len: None,
        is_last: false,
        body: Box::pin(futures_util::stream::iter(pieces)),
    };
    let refused = store.append(&here, &id, chunk).await;
    assert!(
        matches!(refused, Err(StoreError::NoSpace { needed, free }) if needed > 0 && free < 3 << 20),
        "{refused:?}"
    );
    let kept = store.upload(&here, &id).await.unwrap().offset;
    assert!(kept > 0 && kept < 3 << 20);
    last_byte(&folder);
    full_to_the_brim(&store, &here, &first).await;
    std::fs::remove_file(folder.join("filler")).unwrap();
    // The upload goes on where it stood.
    let offset = store.append(&here, &id, Chunk::of("end")).await.unwrap().offset;
    assert_eq!(offset, kept + 3);
    let mut whole = large[..usize::try_from(kept).unwrap()].to_vec();
    whole.extend(b"end");
    let (wanted, _) = suite::blob(whole);
    store.commit(&here, &id, &wanted).await.unwrap();
}

/// Nothing fits any more: nothing is half there, what is there is served, and deleting works.
async fn full_to_the_brim(
    store: &landfall_store::DirectoryStore,
    here: &landfall_oci::Repository,
    first: &landfall_oci::RawManifest,
) {
    let annotations = serde_json::json!({"large": "x".repeat(100_000)});
    let mut second: serde_json::Value = serde_json::from_slice(&first.bytes).unwrap();
    second["annotations"] = annotations;
    let second = suite::raw(&second);
    let refused = suite::put(store, here, &second, &[suite::tag("latest"), suite::tag("new")]).await;
    assert!(matches!(refused, Err(StoreError::NoSpace { .. })), "{refused:?}");
    let by_digest = store.manifest(here, &Target::Digest(second.digest)).await;
    assert!(by_digest.unwrap_err().is_not_found());
    let latest = Target::Tag(suite::tag("latest"));
    assert_eq!(store.manifest(here, &latest).await.unwrap(), *first);
    assert_eq!(
        store.tags(here, Page::first(9)).await.unwrap().items,
        [suite::tag("latest")]
    );
    store.delete_manifest(here, &first.digest).await.unwrap();
    assert!(store.manifest(here, &latest).await.unwrap_err().is_not_found());
    // A trash needs a little room of its own; without one, collecting needs none. The upload under way keeps what
    // was pushed since it began; the bytes of the manifest go.
    let at_once = CollectOptions {
        keep_trash: Duration::ZERO,
        ..later()
    };
    let collected = store.collect(at_once, Arc::new(())).await.unwrap();
    assert_eq!((collected.memberships, collected.blobs), (0, 1));
}

/// Takes what is left of the disk.
fn last_byte(folder: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("filler")).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Makes empty files until there can be no more, then takes back so many.
fn leave_files(folder: &Path, free: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let mut made = 0;
    while std::fs::write(folder.join(made.to_string()), "").is_ok() {
        made += 1;
    }
    for number in 0..free {
        std::fs::remove_file(folder.join((made - 1 - number).to_string())).unwrap();
    }
}

/// Neither a byte nor a file more: what deletes still works, until nothing is left.
async fn on_a_full_disk_everything_can_be_deleted(root: &Path) {
    let store = open(root).await;
    let here = suite::repository("full");
    let config = suite::blob("config");
    suite::push_blob(&store, &here, &config).await;
    let subject = suite::image(std::slice::from_ref(&config), None, None);
    let signature = suite::image(std::slice::from_ref(&config), Some(&subject), Some("t/sig"));
    let tags = ["a", "b", "c"].map(suite::tag);
    suite::put(&store, &here, &subject, &tags).await.unwrap();
    suite::put(&store, &here, &signature, &[]).await.unwrap();
    let abandoned = store.start_upload(&here, None).await.unwrap().id;
    store.append(&here, &abandoned, Chunk::of("x")).await.unwrap();
    last_byte(root);
    leave_files(&root.join("files"), 0);
    assert!(matches!(
        store.start_upload(&here, None).await,
        Err(StoreError::NoSpace { .. })
    ));
    store.delete_tag(&here, &tags[0]).await.unwrap();
    assert_eq!(store.tags(&here, Page::first(9)).await.unwrap().items, &tags[1..]);
    store.delete_manifest(&here, &signature.digest).await.unwrap();
    store.delete_manifest(&here, &subject.digest).await.unwrap();
    assert!(store.tags(&here, Page::first(9)).await.unwrap().items.is_empty());
    store.delete_blob(&here, &config.0).await.unwrap();
    store.cancel(&here, &abandoned).await.unwrap();
    drop(store);
    std::fs::remove_dir_all(root).unwrap();
}

/// At whatever step of a push of several tags the disk has no room for one more file: each tag is where its history
/// says.
async fn without_room_a_push_leaves_no_history(root: &Path) {
    let store = open(root).await;
    let here = suite::repository("full");
    let config = suite::blob("config");
    suite::push_blob(&store, &here, &config).await;
    let images = [None, Some("t/2")].map(|kind| suite::image(std::slice::from_ref(&config), None, kind));
    let old = suite::tag("old");
    suite::put(&store, &here, &images[0], std::slice::from_ref(&old))
        .await
        .unwrap();
    suite::put(&store, &here, &images[1], &[]).await.unwrap();
    let mut failed = 0;
    for free in 0.. {
        let filler = root.join("filler");
        leave_files(&filler, free);
        let tags = [
            suite::tag(&format!("x{free}")),
            old.clone(),
            suite::tag(&format!("y{free}")),
        ];
        let put = suite::put(&store, &here, &images[1], &tags).await;
        std::fs::remove_dir_all(&filler).unwrap();
        for tag in &tags {
            let current = store.manifest(&here, &Target::Tag(tag.clone())).await.ok();
            let history = store.tag_history(&here, tag).await.unwrap();
            let newest = history.first().and_then(|entry| entry.digest);
            assert_eq!(
                newest,
                current.map(|found| found.digest),
                "{tag} with {free} files free"
            );
        }
        match put {
            Ok(()) => break,
            Err(StoreError::NoSpace { .. }) => failed += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(failed > 3, "{failed}");
    drop(store);
    std::fs::remove_dir_all(root).unwrap();
}
