//! From asynchronous callers to the blocking pool.

use crate::{Page, StoreError};

/// Runs work that touches the disk where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(StoreError::Stopped))
}

/// [`Page`], owned, so that it can go to another thread.
pub(crate) struct OwnedPage {
    after: Option<String>,
    limit: usize,
}

impl From<Page<'_>> for OwnedPage {
    fn from(page: Page<'_>) -> Self {
        Self {
            after: page.after.map(str::to_owned),
            limit: page.limit,
        }
    }
}

impl OwnedPage {
    pub(crate) fn borrow(&self) -> Page<'_> {
        Page {
            after: self.after.as_deref(),
            limit: self.limit,
        }
    }
}
