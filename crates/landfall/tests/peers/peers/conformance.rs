//! The official conformance suite against `landfall serve`, in each way in which it can be started.
//!
//! The suite's reports are kept in `target/conformance/`, one folder for each way.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use landfall_oci::MediaType;
use landfall_testkit::Workload;
use landfall_testkit::peers::Conformance;
use serde_json::json;

use super::fleet::saved;
use super::serving::Serving;
use crate::place::Place;

/// Where the suite does all its work.
const REPOSITORY: &str = "conformance/suite";
/// What the suite looks for among the referrers when it may not push its own: two of five have this type.
const WANTED_TYPE: &str = "application/vnd.nhl.peanut.butter.bagel";

fn reports(mode: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("conformance").join(mode)
}

fn suite(mode: &str, url: &str) -> Conformance {
    Conformance::new(url, REPOSITORY, &reports(mode))
}

/// Runs it; nothing may fail, and no more may be skipped than what is not for us.
#[track_caller]
fn assert_passes(mode: &str, suite: &mut Conformance, at_most_skipped: u64) {
    let (outcome, counts) = suite.run();
    // Past the test harness, which shows nothing of a test that passes.
    let mut terminal = std::io::stderr();
    writeln!(terminal, "conformance {mode}: {counts:?}").unwrap();
    assert_eq!(counts.failed, 0, "{outcome}");
    assert!(counts.skipped <= at_most_skipped, "{counts:?}\n{outcome}");
    outcome.ok();
}

/// The suite leaves out what a registry without some ability would do instead.
const ALTERNATIVES: u64 = 4;

#[test]
fn a_directory_passes() {
    let place = Place::new();
    let serving = Serving::start(&place, &["--root", "store"]);
    let mut suite = suite("directory", serving.url());
    assert_passes("directory", suite.all_workflows(), ALTERNATIVES);
}

#[test]
fn a_directory_with_tls_and_a_password_passes() {
    let place = Place::new();
    let serving = Serving::start_private(&place, "s3cret", &["--root", "store"]);
    let mut suite = suite("private", serving.url());
    suite.set("OCI_USERNAME", "admin").set("OCI_PASSWORD", "s3cret");
    assert_passes("private", suite.all_workflows(), ALTERNATIVES);
}

/// An image and five artifacts about it, all in the suite's own repository.
fn image_with_referrers() -> Workload {
    let mut workload = Workload::hello(&format!("{REPOSITORY}:v1"), "hello\n");
    let image = workload.images[0].root;
    let subject = workload.manifests[&image].descriptor();
    let empty = workload.add_blob("application/vnd.oci.empty.v1+json".into(), b"{}".to_vec());
    for n in 0..5 {
        let kind = if n < 2 {
            WANTED_TYPE
        } else {
            "application/vnd.example.other"
        };
        let artifact = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": kind,
            "config": empty,
            "layers": [empty],
            "subject": subject,
            "annotations": {"org.example.number": n.to_string()},
        });
        let artifact = workload.add_manifest(MediaType::OCI_MANIFEST, &artifact);
        workload.tag(&format!("{REPOSITORY}:v1-artifact{n}"), artifact.digest);
    }
    workload
}

#[test]
fn a_bundle_over_a_directory_passes() {
    let place = saved(&image_with_referrers());
    let serving = Serving::start(&place, &["bundle.tar", "--root", "store"]);
    let mut suite = suite("overlay", serving.url());
    assert_passes("overlay", suite.all_workflows(), ALTERNATIVES);
}

#[test]
fn a_bundle_alone_passes_what_reads() {
    let workload = image_with_referrers();
    let place = saved(&workload);
    let serving = Serving::start(&place, &["bundle.tar"]);
    let image = &workload.images[0];
    let blob = workload.blobs_of(image.root).into_iter().next().unwrap();
    let tags: Vec<_> = workload.images.iter().map(|image| image.tag.as_str()).collect();
    let mut suite = suite("bundle", serving.url());
    suite
        .reading()
        .set("OCI_MANIFEST_DIGEST", &image.root.to_string())
        .set("OCI_TAG_NAME", image.tag.as_str())
        .set("OCI_BLOB_DIGEST", &blob.to_string())
        .set("OCI_TAG_LIST", &tags.join(","));
    let (pushing_and_deleting, setting_up) = (42, 16);
    assert_passes("bundle", &mut suite, pushing_and_deleting + setting_up);
}
