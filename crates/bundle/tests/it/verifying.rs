//! Verification: damage is found wherever it is, and named with the images that it spoils.

use std::num::NonZeroUsize;
use std::path::Path;

use landfall_bundle::{Bundle, Problem, Report, VerifyEvent, verify};
use landfall_hash::HashService;
use landfall_oci::Digest;

use crate::support::{World, scratch, tar_of, world};

async fn report(path: &Path) -> (Report, Vec<VerifyEvent>) {
    let service = HashService::new(NonZeroUsize::new(2).unwrap());
    let bundle = Bundle::open(path).unwrap();
    let mut events = Vec::new();
    let report = verify(&bundle, &service, |event| events.push(event))
        .await
        .unwrap();
    (report, events)
}

/// The world's bundle without some blobs, packed by hand.
fn without(world: &World, absent: &[Digest]) -> Vec<u8> {
    let layout = world.layout();
    let bytes = world.expected();
    let mut files = Vec::new();
    for entry in layout.entries() {
        let start = usize::try_from(entry.content.offset).unwrap();
        let content = &bytes[start..start + usize::try_from(entry.content.len).unwrap()];
        if !absent.iter().any(|digest| entry.name.ends_with(&digest.hex())) {
            files.push((entry.name.as_str(), content));
        }
    }
    tar_of(&files)
}

#[tokio::test]
async fn a_good_bundle_is_right_and_all_of_it_is_read() {
    let (dir, world) = (scratch(), world());
    let path = world.write(&dir.path().join("b.tar"));
    let (report, events) = report(&path).await;
    assert!(report.is_right());
    let total: u64 = Bundle::open(&path)
        .unwrap()
        .blobs()
        .iter()
        .map(|(_, size)| size)
        .sum();
    assert_eq!(
        (report.blobs, report.bytes),
        (world.blobs.len() + world.manifests.len(), total)
    );
    assert_eq!((report.omitted, report.foreign, report.unneeded), (0, 0, 0));
    let hashed: u64 = events
        .iter()
        .map(|event| match event {
            VerifyEvent::Hashed { bytes } => *bytes,
            _ => 0,
        })
        .sum();
    assert_eq!(hashed, total);
    let checked = events
        .iter()
        .filter(|event| matches!(event, VerifyEvent::Checked { is_right: true, .. }));
    assert_eq!(checked.count(), report.blobs);
}

#[tokio::test]
async fn one_wrong_bit_anywhere_is_found() {
    let (dir, world) = (scratch(), world());
    let path = dir.path().join("b.tar");
    let good = world.expected();
    for (digest, size) in Bundle::open(&world.write(&dir.path().join("good.tar")))
        .unwrap()
        .blobs()
    {
        if size == 0 {
            continue;
        }
        let span = world.layout().extent_of(&digest).unwrap();
        let mut bytes = good.clone();
        bytes[usize::try_from(span.offset + span.len / 2).unwrap()] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        let (report, _) = report(&path).await;
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        let finding = &report.findings[0];
        assert_eq!(finding.digest, digest);
        assert!(matches!(finding.problem, Problem::WrongDigest { found } if found != digest));
        assert!(!finding.images.is_empty());
    }
}

#[tokio::test]
async fn the_images_that_a_shared_layer_spoils() {
    let (dir, world) = (scratch(), world());
    let shared = *world
        .blobs
        .iter()
        .find(|(_, (bytes, _))| bytes.len() == 5000)
        .unwrap()
        .0;
    let path = dir.path().join("b.tar");
    std::fs::write(&path, without(&world, &[shared])).unwrap();
    let (report, _) = report(&path).await;
    assert_eq!(report.findings.len(), 1);
    assert!(matches!(
        report.findings[0].problem,
        Problem::Missing { needed_by: Some(_) }
    ));
    let mut images = report.findings[0].images.clone();
    images.sort();
    let all = [
        "docker.io/library/busybox:1.36",
        "docker.io/rancher/tool:1",
        "quay.io/team/app:v2",
    ];
    assert_eq!(images, all);
}

#[tokio::test]
async fn a_member_that_is_missing_counts_unless_it_was_declared() {
    let (dir, world) = (scratch(), world());
    let arm = world.manifests[&world.images[0].root.digest]
        .view()
        .unwrap()
        .children()[0]
        .digest;
    let path = dir.path().join("b.tar");
    // Our bundle says what it left out, and this member it did not.
    std::fs::write(&path, without(&world, &[arm])).unwrap();
    let (ours, _) = report(&path).await;
    assert_eq!(ours.findings.len(), 1);
    assert_eq!(ours.findings[0].images, ["docker.io/library/busybox:1.36"]);
    // Saved without it, it is no fault.
    let mut sparse = world.clone();
    sparse.manifests.remove(&arm);
    let path = sparse.write(&dir.path().join("sparse.tar"));
    let (sparse, _) = report(&path).await;
    assert!(sparse.is_right(), "{:?}", sparse.findings);
    // The member's config and layer are in this bundle although nobody needs them.
    assert_eq!((sparse.omitted, sparse.unneeded), (1, 2));
}

#[tokio::test]
async fn a_length_that_differs_from_its_descriptor() {
    let (dir, world) = (scratch(), world());
    let layer = *world
        .blobs
        .iter()
        .find(|(_, (bytes, _))| bytes.len() == 3000)
        .unwrap()
        .0;
    let mut changed = world.clone();
    changed.blobs.get_mut(&layer).unwrap().0.pop();
    let name = format!("blobs/sha256/{}", layer.hex());
    let shorter = &changed.blobs[&layer].0;
    let bytes = without(&world, &[layer]);
    let mut files = vec![0; 0];
    files.extend(landfall_oci::tar::encode(&name, shorter.len() as u64));
    files.extend_from_slice(shorter);
    files.resize(files.len().next_multiple_of(512), 0);
    files.extend(bytes);
    let path = dir.path().join("b.tar");
    std::fs::write(&path, files).unwrap();
    let (report, _) = report(&path).await;
    let problems: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.digest, &finding.problem))
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|(digest, _)| *digest == layer));
    assert!(problems.iter().any(|(_, problem)| matches!(
        problem,
        Problem::WrongSize {
            declared: 3000,
            actual: 2999
        }
    )));
}
