//! Tells [`Wanted`](crate::Wanted) what a request for a manifest found, or did not find.

use http::header;
use landfall_oci::{Digest, MediaType, Platform, Repository, Target};

use crate::ns::{Candidate, namespace};
use crate::registry::{Call, Registry};
use crate::wanted::{Meant, is_probe, platform_of};

impl Registry {
    /// A manifest was found under this name.
    pub(crate) fn note_found(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
        found: (&Candidate, &MediaType, &Digest),
    ) {
        let Some(wanted) = &self.wanted else { return };
        let (candidate, media_type, digest) = found;
        let meant = || meant(call, name, target);
        wanted.arrived(meant);
        if media_type.is_index() {
            self.indexes.found(&candidate.repository, digest, meant);
        }
    }

    /// A manifest was put under these names.
    pub(crate) fn note_put(&self, call: &Call<'_>, name: &Repository, targets: impl Iterator<Item = Target>) {
        if let Some(wanted) = self.wanted.as_ref().filter(|wanted| !wanted.is_empty()) {
            targets.for_each(|target| {
                wanted.arrived(|| meant(call, name, &target));
                // Where it was asked for through a namespace, and pushed to its own path.
                wanted.arrived(|| Meant::new(name, None, &target));
            });
        }
    }

    /// A manifest that the caller may read was not found under any of the names that may have been meant.
    pub(crate) async fn note_missing(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
        candidates: &[Candidate],
    ) {
        let Some(wanted) = &self.wanted else { return };
        if matches!(target, Target::Tag(tag) if is_probe(tag)) {
            return;
        }
        let Some(asked) = meant(call, name, target) else {
            return;
        };
        let (image, platform) = match target {
            Target::Digest(digest) => self.index_of(candidates, digest).await.unzip(),
            Target::Tag(_) => (None, None),
        };
        let agent = || call.header(header::USER_AGENT).and_then(platform_of);
        let image = image.unwrap_or_else(|| asked.clone());
        let platform = platform.flatten().or_else(agent);
        wanted.miss(
            asked.reference,
            image,
            platform,
            call.peer.addr.ip().to_canonical(),
        );
    }

    /// The index that has this member, if one was asked for lately, and the member's platform.
    async fn index_of(&self, candidates: &[Candidate], member: &Digest) -> Option<(Meant, Option<Platform>)> {
        for candidate in candidates {
            for (digest, meant) in self.indexes.of(&candidate.repository) {
                let index = Target::Digest(digest);
                let here = self.store.stat_manifest(&candidate.repository, &index).await;
                let Ok(here) = here else { continue };
                // Where there is no memory for a look, nobody waits for it again.
                let looked = self.look_into(&candidate.repository, &here).await.ok()?;
                let Some((view, _claim)) = looked else { continue };
                if let Some(found) = view.children().iter().find(|child| child.digest == *member) {
                    let platform = found.platform.clone().filter(|platform| !platform.is_unknown());
                    return Some((meant, platform.map(Platform::normalised)));
                }
            }
        }
        None
    }
}

fn meant(call: &Call<'_>, name: &Repository, target: &Target) -> Option<Meant> {
    Meant::new(name, namespace(call.query, call.headers).as_ref(), target)
}
