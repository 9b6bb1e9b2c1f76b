//! Who we are to AWS in each partition: found once, and again shortly before the keys are over.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::aws::{Aws, Identity};
use super::failure::Failure;

/// How long before their end keys are renewed, in seconds.
const EARLY: i64 = 300;

/// Identities by the region whose registries they are for. Whoever comes first looks; the others wait for what is found.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    found: Mutex<HashMap<String, Arc<Mutex<Option<Identity>>>>>,
}

impl Identities {
    /// The identity, and whether it was found before.
    pub(crate) async fn get(&self, aws: Aws<'_>) -> Result<(Identity, bool), Failure> {
        let slot = self.slot(aws).await;
        let mut slot = slot.lock().await;
        let is_good = |identity: &&Identity| match identity.ends {
            Some(ends) => ends - aws.clock.seconds() > EARLY,
            None => true,
        };
        if let Some(identity) = slot.as_ref().filter(is_good) {
            return Ok((identity.clone(), true));
        }
        let identity = aws.identity().await?;
        tracing::debug!(from = identity.from, "AWS credentials found");
        *slot = Some(identity.clone());
        Ok((identity, false))
    }

    /// Forgets an identity, unless there is another one already.
    pub(crate) async fn forget(&self, aws: Aws<'_>, old: &Identity) {
        let slot = self.slot(aws).await;
        let mut slot = slot.lock().await;
        if slot.as_ref().is_some_and(|identity| identity.keys == old.keys) {
            *slot = None;
        }
    }

    async fn slot(&self, aws: Aws<'_>) -> Arc<Mutex<Option<Identity>>> {
        let mut found = self.found.lock().await;
        Arc::clone(found.entry(aws.host.region.clone()).or_default())
    }
}
