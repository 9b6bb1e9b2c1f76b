//! Lists of other registries: the upstream's, and where it cannot be asked what of them is in the cache. They are not
//! kept: a list is as old as the moment.

use std::sync::Arc;

use landfall_oci::{Descriptor, Digest, Tag};
use landfall_store::{Page, Store as _};

use super::ask::Open;
use super::{CACHE, Gateway, Source};

/// Of what is in the cache, so much is listed.
const MOST: usize = 10_000;

impl Gateway {
    /// The tags of a repository in their order, and who says so; none where nobody knows any.
    pub(crate) async fn tags(&self, source: &Source) -> (Vec<Tag>, Arc<str>) {
        let question = |open: Open| {
            Box::pin(async move {
                let (client, host) = (&open.way.client, &open.host.name);
                client.tags(host, &open.way.repository).await
            }) as _
        };
        if let Ok((mut tags, host)) = self.ask::<Vec<Tag>>(source, question).await {
            tags.sort_unstable();
            tags.dedup();
            return (tags, Arc::clone(&host.label));
        }
        let kept = self.cache.tags(&source.kept, Page::first(MOST)).await;
        (kept.map(|kept| kept.items).unwrap_or_default(), CACHE.into())
    }

    /// What is about a manifest, in the order of digests, and who says so.
    pub(crate) async fn referrers(
        &self,
        source: &Source,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> (Vec<Descriptor>, Arc<str>) {
        let (subject, wanted) = (*subject, artifact_type.map(str::to_owned));
        let question = move |open: Open| {
            let wanted = wanted.clone();
            Box::pin(async move {
                let (client, host) = (&open.way.client, &open.host.name);
                client
                    .referrers(host, &open.way.repository, &subject, wanted.as_deref())
                    .await
            }) as _
        };
        if let Ok((mut found, host)) = self.ask::<Vec<Descriptor>>(source, question).await {
            found.sort_by_cached_key(|descriptor| descriptor.digest.to_string());
            found.dedup_by(|later, earlier| later.digest == earlier.digest);
            return (found, Arc::clone(&host.label));
        }
        let kept = self
            .cache
            .referrers(&source.kept, &subject, artifact_type, Page::first(MOST))
            .await;
        (kept.map(|kept| kept.items).unwrap_or_default(), CACHE.into())
    }
}
