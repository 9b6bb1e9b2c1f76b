//! The cache's size: kept below its bound by letting go of what nobody has asked for for the longest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use landfall_store::{Evicted, StoreError};

use super::Gateway;
use super::counters::add;

/// Of the bound, in hundredths: to this the cache is emptied when it is full, so that there is room for a while.
const EMPTIED_TO: u64 = 90;

impl Gateway {
    /// Looks how large the cache is, and makes room where it is larger than its bound. Done whenever it has grown over
    /// it; to be called at a start too, since nobody else looks at what is there.
    ///
    /// # Errors
    /// [`StoreError`] of the cache.
    pub async fn trim(&self) -> Result<Evicted, StoreError> {
        let bound = self.options.cache_bytes.unwrap_or(u64::MAX);
        let used = self.cache.used_bytes().await?;
        let mut evicted = Evicted {
            manifests: 0,
            freed: 0,
            left: used,
        };
        if used > bound {
            let target = bound / 100 * EMPTIED_TO;
            evicted = self.cache.evict(target, self.options.spare_used_within).await?;
            add(&self.counters.evicted_bytes, evicted.freed);
            tracing::info!(
                images = evicted.manifests,
                bytes = evicted.freed,
                left = evicted.left,
                "the cache was full: what was not used for the longest went"
            );
        }
        self.counters.cached_bytes.store(evicted.left, Ordering::Relaxed);
        Ok(evicted)
    }

    /// So many bytes were put into the cache.
    pub(super) fn grew(self: &Arc<Self>, bytes: u64) {
        let before = self.counters.cached_bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_over = self
            .options
            .cache_bytes
            .is_some_and(|bound| before.saturating_add(bytes) > bound);
        // One at a time: who comes meanwhile is seen by the next.
        if is_over && !self.trimming.swap(true, Ordering::AcqRel) {
            let gateway = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = gateway.trim().await {
                    tracing::warn!(%error, "there is no room to be made in the cache");
                }
                gateway.trimming.store(false, Ordering::Release);
            });
        }
    }
}
