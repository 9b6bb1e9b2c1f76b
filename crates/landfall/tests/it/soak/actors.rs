//! Who does what to the site, each until the end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_oci::{Repository, Tag};

use super::images::{Dice, Image};
use super::ledger::{Held, Ledger};
use super::registry::Site;

/// Repositories that all push to.
const REPOSITORIES: u64 = 5;
/// Tags of each hand in each of them.
const TAGS: u64 = 6;

/// How often each thing happened.
#[derive(Default)]
pub(crate) struct Tally {
    pushes: AtomicU64,
    cut_off: AtomicU64,
    pulls: AtomicU64,
    deletions: AtomicU64,
    collections: AtomicU64,
    expired: AtomicU64,
    scrubs: AtomicU64,
    renewals: AtomicU64,
    kills: AtomicU64,
}

impl Tally {
    /// How often it was killed.
    pub(crate) fn kills(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    /// A load in which something never happened shows nothing.
    pub(crate) fn assert_everything_happened(&self) {
        for count in [
            &self.pushes,
            &self.pulls,
            &self.deletions,
            &self.collections,
            &self.expired,
            &self.scrubs,
            &self.renewals,
            &self.kills,
        ] {
            assert!(count.load(Ordering::SeqCst) > 0, "{self}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        write!(
            f,
            "{} images pushed, {} pushes cut off, {} pulls, {} deletions, {} collections, \
             {} tags expired, {} scrubs, {} renewals, {} kills",
            of(&self.pushes),
            of(&self.cut_off),
            of(&self.pulls),
            of(&self.deletions),
            of(&self.collections),
            of(&self.expired),
            of(&self.scrubs),
            of(&self.renewals),
            of(&self.kills)
        )
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

fn repository(number: u64) -> Repository {
    format!("soak/r{number}").parse().unwrap()
}

pub(crate) async fn push(site: Arc<Site>, ledger: Arc<Ledger>, tally: Arc<Tally>, hand: u64, end: Instant) {
    let mut dice = Dice::new(hand);
    let everywhere: Vec<Repository> = (0..REPOSITORIES).map(repository).collect();
    let mut number = hand << 32;
    while Instant::now() < end {
        number += 1;
        let image = Image::new(&mut dice, number);
        let place = repository(dice.below(REPOSITORIES));
        let tag: Tag = format!("h{hand}-{}", dice.below(TAGS)).parse().unwrap();
        ledger.begin(&place, &tag, image.manifest.digest);
        match site.push(&place, &tag, &image, &everywhere).await {
            Ok(()) => {
                let blobs = image
                    .blobs
                    .iter()
                    .map(|(descriptor, _)| descriptor.clone())
                    .collect();
                let held = Held {
                    repository: place.clone(),
                    digest: image.manifest.digest,
                    blobs,
                };
                ledger.pushed(held, &tag);
                add(&tally.pushes);
                let _ = site.pass_through(&place, &image).await;
            }
            Err(_) => add(&tally.cut_off),
        }
        tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
    }
}

pub(crate) async fn pull(site: Arc<Site>, ledger: Arc<Ledger>, tally: Arc<Tally>, hand: u64, end: Instant) {
    let mut dice = Dice::new(100 + hand);
    while Instant::now() < end {
        let Some(held) = ledger.any(dice.below(1 << 20)) else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let before = site.epoch();
        match site.check(&held).await {
            Ok(()) => add(&tally.pulls),
            // Deleted meanwhile: nobody is owed it.
            Err(_) if !ledger.has(&held) => {}
            Err(broken) if broken.outage && site.epoch() != before => {}
            // A restart that began within the request and has not been counted to its end.
            Err(broken) if broken.outage && before % 2 == 1 => {}
            Err(broken) => panic!("{held:?}: {broken}\n{}", site.log()),
        }
    }
}

pub(crate) async fn delete(site: Arc<Site>, ledger: Arc<Ledger>, tally: Arc<Tally>, end: Instant) {
    let mut dice = Dice::new(200);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(40 + dice.below(80))).await;
        if let Some(held) = ledger.give_up(dice.below(1 << 20))
            && site.delete(&held).await
        {
            add(&tally.deletions);
        }
    }
}

/// An error that neither a restart nor the server's own collection explains ends the test.
fn explained(site: &Site, before: u64, error: &str) {
    let is_outage = site.epoch() != before || before % 2 == 1;
    let is_turn = error.contains("is under way; try again when it is done");
    assert!(is_outage || is_turn, "{error}\n{}", site.log());
}

pub(crate) async fn collect(site: Arc<Site>, tally: Arc<Tally>, end: Instant) {
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let before = site.epoch();
        // By the server's own rules.
        let args = ["gc", "--root", "store", "--retain", "--output", "json"];
        match site.landfall(&args).await {
            Ok(told) => {
                add(&tally.collections);
                let lines = told.lines().filter_map(|line| serde_json::from_str(line).ok());
                let expired = |line: serde_json::Value| line["tags_removed"].as_u64();
                let sum = lines.filter_map(expired).sum();
                tally.expired.fetch_add(sum, Ordering::SeqCst);
            }
            Err(error) => explained(&site, before, &error),
        }
    }
}

pub(crate) async fn scrub(site: Arc<Site>, tally: Arc<Tally>, end: Instant) {
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let before = site.epoch();
        match site.landfall(&["scrub", "--root", "store"]).await {
            Ok(_) => add(&tally.scrubs),
            Err(error) => explained(&site, before, &error),
        }
    }
}

pub(crate) async fn renew(site: Arc<Site>, tally: Arc<Tally>, end: Instant) {
    let mut round = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        round += 1;
        site.renew(round).await;
        add(&tally.renewals);
    }
}

pub(crate) async fn kill(site: Arc<Site>, tally: Arc<Tally>, end: Instant) {
    let mut dice = Dice::new(300);
    while Instant::now() < end {
        let pause = Duration::from_millis(3000 + dice.below(5000));
        tokio::time::sleep_until(end.min(Instant::now() + pause).into()).await;
        site.kill_and_restart().await;
        add(&tally.kills);
    }
}
