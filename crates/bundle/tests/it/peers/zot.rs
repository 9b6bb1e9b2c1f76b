//! zot 1.4.3. Not among the programs that `scripts/peers` installs yet: run with `--ignored` where it is.

use landfall_bundle::mount;
use landfall_store::suite;
use landfall_testkit::Workload;
use landfall_testkit::peers::{Crane, DockerRegistry, Zot};

use super::{holds, is_absent, is_oci};

#[tokio::test]
#[ignore = "zot is not installed by scripts/peers"]
async fn its_root_is_served_in_place_while_it_is_written() {
    let workload = Workload::small(7);
    let source = DockerRegistry::with(&workload);
    let zot = Zot::empty();
    let crane = Crane::new();
    // zot refuses what is not OCI.
    let images = workload.images.iter();
    let images: Vec<_> = images.filter(|image| is_oci(&workload, image)).collect();
    assert!(!images.is_empty());
    let mut store = None;
    for (at, image) in images.iter().enumerate() {
        crane
            .copy(&image.name_in(&source.address()), &image.name_in(&zot.address()))
            .ok();
        let store = store.get_or_insert_with(|| mount(zot.root()).unwrap());
        for there in &images[..=at] {
            holds(&**store, &workload, there, there.repository.as_str()).await;
        }
    }
    let store = store.unwrap();
    assert!(!store.writable());
    for image in &images[1..] {
        let other = suite::repository(images[0].repository.as_str());
        for blob in workload
            .blobs_of(image.root)
            .difference(&workload.blobs_of(images[0].root))
        {
            let shared = images.iter().any(|held| {
                held.repository == images[0].repository && workload.blobs_of(held.root).contains(blob)
            });
            assert!(shared || is_absent(store.stat_blob(&other, blob).await));
        }
    }
}
