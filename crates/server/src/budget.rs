//! A bound on the memory that manifests take together, whatever the number of requests: each claims its bytes, and
//! what cannot be had within a few seconds is answered 503, to be tried again.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use landfall_oci::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reply::Failure;

/// Bytes are counted by so many: a count of single bytes would not fit into a semaphore's numbers.
const UNIT: usize = 1024;

/// Memory to be shared.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    total: usize,
    patience: Duration,
}

/// A share of it, given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    budget: Budget,
    units: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize, patience: Duration) -> Self {
        let total = (bytes / UNIT).clamp(1, u32::MAX as usize);
        Self {
            units: Arc::new(Semaphore::new(total)),
            total,
            patience,
        }
    }

    /// Bytes that are claimed now.
    pub(crate) fn claimed(&self) -> usize {
        self.total.saturating_sub(self.units.available_permits()) * UNIT
    }

    /// Nothing yet.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            budget: self.clone(),
            units: 0,
            permits: Vec::new(),
        }
    }
}

impl Claim {
    /// Sees to it that the claim covers so many bytes; waits a little where others have them.
    pub(crate) async fn cover(&mut self, bytes: usize) -> Result<(), Failure> {
        // Something larger than everything gets everything.
        let needed = bytes.div_ceil(UNIT).min(self.budget.total);
        let Some(more) = needed.checked_sub(self.units).filter(|more| *more > 0) else {
            return Ok(());
        };
        let permits = u32::try_from(more).map_err(|_| busy())?;
        let waiting = Arc::clone(&self.budget.units).acquire_many_owned(permits);
        match tokio::time::timeout(self.budget.patience, waiting).await {
            Ok(Ok(permit)) => {
                self.permits.push(permit);
                self.units = needed;
                Ok(())
            }
            _ => Err(busy()),
        }
    }
}

fn busy() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TooManyRequests,
        "too many manifests are under way at once; try again",
    )
    .with(header::RETRY_AFTER, "2")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_is_claimed_is_bounded_and_comes_back() {
        let budget = Budget::new(10 * UNIT, SOON);
        let mut first = budget.claim();
        first.cover(3 * UNIT).await.unwrap();
        first.cover(1).await.unwrap();
        assert_eq!(budget.claimed(), 3 * UNIT);
        first.cover(6 * UNIT + 1).await.unwrap();
        assert_eq!(budget.claimed(), 7 * UNIT);
        let mut second = budget.claim();
        let refused = second.cover(4 * UNIT).await.unwrap_err();
        assert_eq!(refused.status, 503);
        assert!(
            refused
                .headers
                .iter()
                .any(|(name, _)| name == header::RETRY_AFTER)
        );
        second.cover(3 * UNIT).await.unwrap();
        drop(first);
        assert_eq!(budget.claimed(), 3 * UNIT);
        drop(second);
        // More than there is altogether is all of it, not never.
        let mut huge = budget.claim();
        huge.cover(100 * UNIT).await.unwrap();
        assert_eq!(budget.claimed(), 10 * UNIT);
    }
}
