//! The cache's size.

use super::Gateway;
use super::counters::add;

impl Gateway {
    /// So many bytes were put into the cache.
    pub(super) fn grew(&self, bytes: u64) {
        add(&self.counters.cached_bytes, bytes);
    }
}
