//! Mixed load for a while: pushes, pulls, deletions, collections, retention, scrubs, new certificates, users, rules and
//! settings, and kills at once. In the end every image that was acknowledged, and not deleted, is whole.
//!
//! A minute in `make test`, the checks at the end included; as long as `LANDFALL_SOAK_SECONDS` says in `make soak`.

mod actors;
mod images;
mod ledger;
mod registry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::actors::{Tally, collect, delete, kill, pull, push, renew, scrub};
use self::ledger::Ledger;
use self::registry::Site;

/// Pushers, and as many pullers.
const HANDS: u64 = 4;

fn duration() -> Duration {
    let seconds = std::env::var("LANDFALL_SOAK_SECONDS").map_or(48, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_image_is_whole_after_mixed_load() {
    let site = Arc::new(Site::new().await);
    let ledger = Arc::new(Ledger::default());
    let tally = Arc::new(Tally::default());
    let end = Instant::now() + duration();
    let mut actors = tokio::task::JoinSet::new();
    for hand in 0..HANDS {
        actors.spawn(push(
            Arc::clone(&site),
            Arc::clone(&ledger),
            Arc::clone(&tally),
            hand,
            end,
        ));
        actors.spawn(pull(
            Arc::clone(&site),
            Arc::clone(&ledger),
            Arc::clone(&tally),
            hand,
            end,
        ));
    }
    actors.spawn(delete(
        Arc::clone(&site),
        Arc::clone(&ledger),
        Arc::clone(&tally),
        end,
    ));
    actors.spawn(collect(Arc::clone(&site), Arc::clone(&tally), end));
    actors.spawn(scrub(Arc::clone(&site), Arc::clone(&tally), end));
    actors.spawn(renew(Arc::clone(&site), Arc::clone(&tally), end));
    actors.spawn(kill(Arc::clone(&site), Arc::clone(&tally), end));
    while let Some(ended) = actors.join_next().await {
        ended.unwrap();
    }
    eprintln!("{tally}");
    tally.assert_everything_happened();

    // Once more from cold, as on the day after a power cut.
    site.kill_and_restart().await;
    let images = ledger.images();
    assert!(!images.is_empty());
    for image in &images {
        site.check(image)
            .await
            .unwrap_or_else(|broken| panic!("{image:?}: {broken}"));
    }
    for (repository, tag, digests) in ledger.tags() {
        let found = site.head(&repository, &tag).await;
        assert!(
            found.is_some_and(|digest| digests.contains(&digest)),
            "{repository}:{tag} is {found:?}, not one of {digests:?}"
        );
    }
    site.stop();
    site.assert_scrub_is_clean();
    site.assert_log_is_whole(tally.kills() + 2);
}
