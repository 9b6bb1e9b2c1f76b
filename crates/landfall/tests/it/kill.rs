//! kill -9 at random moments, many times over: the end is what it would have been, and nothing that was finished
//! moves again.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use landfall_oci::Digest;
use landfall_testkit::fake_registry::Kind;
use landfall_testkit::{FakeRegistry, Recipe, Workload};

use crate::place::{Place, same_bytes};

/// Enough bytes, slowly enough, that many runs do not reach the end.
const BYTES: u64 = 24 << 20;
const BYTES_PER_SECOND: u64 = 20 << 20;
/// An upload that is cut off begins again from its first byte, so that the biggest must fit between two kills.
const UPLOAD_BYTES_PER_SECOND: u64 = 60 << 20;

/// Fifty, or as many as `LANDFALL_KILLS` says (`make soak`).
fn kills_wanted() -> usize {
    std::env::var("LANDFALL_KILLS").map_or(50, |text| text.parse().unwrap())
}

/// Against a run that gets nowhere: far more than a kill takes.
fn time_limit(kills: usize) -> Duration {
    Duration::from_millis(2400) * u32::try_from(kills).unwrap()
}

fn workload() -> Workload {
    Recipe {
        images: 24,
        bytes: BYTES,
        ..Recipe::small(50)
    }
    .build(None)
}

/// Random moments, the same in each run of the test: a simple generator with a fixed seed.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(5 + (self.0 >> 33) % 500)
    }
}

/// Starts the program and kills it after a moment; `true` when it ended by itself, successfully, before that.
fn run_for(place: &Place, args: &[&str], moment: Duration) -> bool {
    let mut command = place.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + moment;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}: {}", complaint(child));
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    // Between the last look and the kill it may have ended by itself.
    child.wait().unwrap().success()
}

fn complaint(mut child: Child) -> String {
    let mut text = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        let _ = std::io::Read::read_to_string(&mut pipe, &mut text);
    }
    text
}

/// Blobs that the journal calls finished.
fn finished(place: &Place) -> BTreeSet<Digest> {
    let journal = std::fs::read(place.path("bundle.tar.journal")).unwrap_or_default();
    let journal = String::from_utf8_lossy(&journal).into_owned();
    let done = journal.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next() == Some("done")).then(|| words.next()?.parse().ok())?
    });
    done.collect()
}

#[test]
fn a_save_survives_any_number_of_kills() {
    let workload = workload();
    let place = Place::with_list(&workload);
    let upstream = FakeRegistry::with(&workload);
    place.save(&upstream.address(), "undisturbed.tar", &[]).ok();
    upstream.set_speed(Some(BYTES_PER_SECOND));
    let address = upstream.address();
    let args = ["save", "-l", "list.txt", "-o", "bundle.tar", "--from", &address];
    let wanted = kills_wanted();
    let (mut kills, mut moments, started) = (0, Moments(1), Instant::now());
    while kills < wanted {
        let _ = std::fs::remove_file(place.path("bundle.tar"));
        let mut done = BTreeSet::new();
        upstream.clear_requests();
        loop {
            assert!(started.elapsed() < time_limit(wanted), "only {kills} kills");
            upstream.clear_requests();
            let ended = run_for(&place, &args, moments.next());
            for digest in &done {
                assert_eq!(
                    upstream.blob_fetches(digest).len(),
                    0,
                    "{digest} was finished and fetched again"
                );
            }
            if ended {
                break;
            }
            kills += 1;
            done = finished(&place);
        }
        assert!(
            same_bytes(&place.path("undisturbed.tar"), &place.path("bundle.tar")),
            "after {kills} kills"
        );
        assert!(!place.exists("bundle.tar.journal") && !place.exists("bundle.tar.partial"));
    }
}

#[test]
fn a_load_survives_any_number_of_kills() {
    let workload = workload();
    let place = Place::with_list(&workload);
    let upstream = FakeRegistry::with(&workload);
    place.save(&upstream.address(), "bundle.tar", &[]).ok();
    let wanted = kills_wanted();
    let (mut kills, mut moments, started) = (0, Moments(2), Instant::now());
    while kills < wanted {
        let target = FakeRegistry::builder()
            .bytes_per_second(UPLOAD_BYTES_PER_SECOND)
            .start();
        let address = target.address();
        let args = ["load", "bundle.tar", "-r", &address, "--jobs", "2"];
        let mut uploaded = 0;
        loop {
            assert!(started.elapsed() < time_limit(wanted), "only {kills} kills");
            if run_for(&place, &args, moments.next()) {
                break;
            }
            kills += 1;
            for (name, root) in target.tags() {
                let complete = workload.blobs_of(root);
                let (repository, _) = name.rsplit_once(':').unwrap();
                let repository = repository.parse().unwrap();
                let missing = complete
                    .iter()
                    .find(|blob| target.blob(&repository, blob).is_none());
                assert_eq!(missing, None, "{name} has a tag but not all of its blobs");
            }
        }
        target.assert_holds(&workload, ToString::to_string);
        // An upload that the registry acknowledged is never repeated: each blob ends exactly one.
        uploaded += target.count_where(|request| request.kind == Kind::UploadEnd && request.status() == 201);
        assert_eq!(uploaded, workload.blobs.len());
    }
}
