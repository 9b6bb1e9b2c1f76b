//! Trees that the real programs wrote, read in place, also while they write on.

mod docker_registry;
mod layouts;
mod zot;

use landfall_oci::{RawManifest, Target};
use landfall_store::{Page, Store, StoreError, suite};
use landfall_testkit::Workload;
use landfall_testkit::workload::Image;

/// Checks that a store answers one of the workload's images, byte for byte, under this name.
async fn holds(store: &dyn Store, workload: &Workload, image: &Image, name: &str) {
    let here = suite::repository(name);
    let by_tag = Target::Tag(suite::tag(image.tag.as_str()));
    assert_eq!(
        store.manifest(&here, &by_tag).await.unwrap().digest,
        image.root,
        "{name}"
    );
    let tags = store.tags(&here, Page::first(1000)).await.unwrap();
    assert!(
        tags.items.contains(&suite::tag(image.tag.as_str())),
        "{name}: {tags:?}"
    );
    for manifest in workload.closure(image.root) {
        let found: RawManifest = store
            .manifest(&here, &Target::Digest(manifest.digest))
            .await
            .unwrap();
        assert_eq!(found, *manifest, "{name}");
    }
    for digest in workload.blobs_of(image.root) {
        let bytes = suite::read_blob(store, &here, &digest).await;
        assert_eq!(landfall_hash::digest(digest.algorithm(), &bytes), digest);
    }
}

/// Whether an image is OCI's from top to bottom: some programs convert or refuse Docker's.
fn is_oci(workload: &Workload, image: &Image) -> bool {
    let manifests = workload.closure(image.root);
    manifests
        .iter()
        .all(|manifest| manifest.media_type.as_str().contains(".oci."))
}

fn is_absent<T>(answer: Result<T, StoreError>) -> bool {
    answer.is_err_and(|error| error.is_not_found())
}
