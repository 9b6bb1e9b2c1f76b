//! Archives of other programs: tars with and without compression, zip files.

use std::cell::OnceCell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use landfall_bundle::BundleStore;
use landfall_bundle::foreign::{self, Look, Workshop};

use crate::images::seal;

thread_local! {
    /// The file that takes the place of an archive, and the folder to unpack in: in memory, where there is such a place.
    static PLACE: OnceCell<(tempfile::TempDir, PathBuf, PathBuf)> = const { OnceCell::new() };
}

/// Opened and looked at: what is accepted is whole, and nothing stays behind. Headers of tars get their checksums, without
/// which hardly any change would get further than the first of them.
pub fn foreign(data: &[u8]) {
    let mut bytes = data.to_vec();
    for block in bytes
        .chunks_exact_mut(512)
        .filter(|block| block[257..262] == *b"ustar")
    {
        seal(block);
    }
    PLACE.with(|place| {
        let (_, path, spool) = place.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let folder = match memory.is_dir() {
                true => tempfile::tempdir_in(memory),
                false => tempfile::tempdir(),
            };
            let folder = folder.expect("a folder for one file");
            let (path, spool) = (folder.path().join("archive"), folder.path().join("spool"));
            std::fs::create_dir(&spool).expect("a folder in our own");
            (folder, path, spool)
        });
        std::fs::write(path, &bytes).expect("room for one small file");
        let workshop = Workshop {
            threads: NonZeroUsize::MIN,
            ..Workshop::new(spool.clone())
        };
        if let Ok(Look::Docker(images)) = foreign::look(path, &workshop) {
            assert!(images.iter().all(|image| image.layers <= bytes.len()));
        }
        if let Ok(bundle) = foreign::open(path, &workshop) {
            for (digest, size) in bundle.blobs() {
                let extent = bundle.blob(&digest).expect("it is listed");
                assert_eq!(extent.len, size);
                let _ = bundle.manifest(&digest);
            }
            let _ = BundleStore::new(bundle);
        }
        let left = std::fs::read_dir(spool).expect("our own folder").count();
        assert_eq!(left, 0, "something stayed in the spool");
    });
}
