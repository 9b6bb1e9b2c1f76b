//! OCI layouts as skopeo, crane and podman write them.

use landfall_bundle::mount;
use landfall_oci::Target;
use landfall_store::{Page, suite};
use landfall_testkit::peers::{Crane, DockerRegistry, Podman, Skopeo};
use landfall_testkit::{Scratch, Workload};

use super::{holds, is_oci};

#[tokio::test]
async fn of_skopeo_by_tag_by_full_name_and_nameless() {
    let workload = Workload::small(6);
    let registry = DockerRegistry::with(&workload);
    let (skopeo, scratch) = (Skopeo::new(), Scratch::new());
    let mut images = workload.images.iter().filter(|image| is_oci(&workload, image));
    let (image, other) = (images.next().unwrap(), images.next().unwrap());
    let from = format!("docker://{}", image.name_in(&registry.address()));
    let layout = scratch.join("app");
    let to = |name: &str| format!("oci:{}{name}", layout.display());
    skopeo.copy(&from, &to(&format!(":{}", image.tag)), &[]).ok();
    let store = mount(&layout).unwrap();
    holds(&*store, &workload, image, "app").await;
    // Added while it is served, under a full name.
    let from = format!("docker://{}", other.name_in(&registry.address()));
    skopeo
        .copy(&from, &to(&format!(":quay.io/{}", other.name())), &[])
        .ok();
    holds(
        &*store,
        &workload,
        other,
        &format!("quay.io/{}", other.repository),
    )
    .await;
    holds(&*store, &workload, image, "app").await;
    // Without any name: by digest.
    let nameless = scratch.join("nameless");
    skopeo
        .copy(&from, &format!("oci:{}", nameless.display()), &[])
        .ok();
    let store = mount(&nameless).unwrap();
    let here = suite::repository("nameless");
    let found = store.manifest(&here, &Target::Digest(other.root)).await.unwrap();
    assert_eq!(found, workload.manifests[&other.root]);
}

#[tokio::test]
async fn of_crane_and_podman() {
    let workload = Workload::hello("team/hello:1", "hello\n");
    let registry = DockerRegistry::with(&workload);
    let scratch = Scratch::new();
    let image = &workload.images[0];
    let (crane, podman) = (Crane::new(), Podman::new());
    let name = image.name_in(&registry.address());
    // crane keeps no name in a layout: it is there by its digest.
    let layout = scratch.join("hello");
    crane.pull("oci", &[&name], &layout).ok();
    let store = mount(&layout).unwrap();
    let here = suite::repository("hello");
    for manifest in workload.closure(image.root) {
        let found = store
            .manifest(&here, &Target::Digest(manifest.digest))
            .await
            .unwrap();
        assert_eq!(found, *manifest);
    }
    for digest in workload.blobs_of(image.root) {
        store.stat_blob(&here, &digest).await.unwrap();
    }
    // podman writes one anew, under the name that it is told.
    podman.pull(&name).ok();
    let saved = scratch.join("saved");
    let target = format!("oci:{}:quay.io/team/hello:1", saved.display());
    podman.push(&name, &target).ok();
    let store = mount(&saved).unwrap();
    let here = suite::repository("quay.io/team/hello");
    let repositories = store.repositories(Page::first(9)).await.unwrap().items;
    assert_eq!(repositories, std::slice::from_ref(&here));
    let manifest = store
        .manifest(&here, &Target::Tag(suite::tag("1")))
        .await
        .unwrap();
    for blob in manifest.view().unwrap().blobs() {
        assert_eq!(store.stat_blob(&here, &blob.digest).await.unwrap(), blob.size);
    }
}
