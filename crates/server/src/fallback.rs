//! Referrers of before there was an endpoint for them: an index under a tag made of the subject's digest, which
//! clients kept by hand. What such a tag lists is shown beside what the store itself knows, whatever the store:
//! bundles and foreign trees bring these tags along.

use landfall_oci::{Descriptor, Digest, Repository, Tag, Target, View};
use landfall_store::{Listing, Page};

use crate::budget::Claim;
use crate::peek::if_here;
use crate::registry::Registry;
use crate::reply::Failure;

/// Members of a fallback index that one request looks up.
const MAX_LOOKED_UP: usize = 1000;
/// Bytes of manifests that it reads to learn what an index does not say.
const MAX_READ: u64 = 16 << 20;

/// A page of descriptors in the order of their digests' text.
#[derive(Debug, Default)]
pub(crate) struct Referrers {
    pub(crate) items: Vec<Descriptor>,
    /// Where the next page begins, if there is one: behind this.
    pub(crate) next: Option<String>,
}

/// The tag of the referrers tag schema: `sha256-…`.
pub(crate) fn fallback_tag(subject: &Digest) -> Option<Tag> {
    let text = subject.to_string();
    let (algorithm, encoded) = text.split_once(':')?;
    let cut = |part: &str, at: usize| -> String {
        let legal = |c: char| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        };
        part.chars().take(at).map(legal).collect()
    };
    format!("{}-{}", cut(algorithm, 32), cut(encoded, 64))
        .parse()
        .ok()
}

impl Registry {
    /// What is about a subject: what the store knows and what a fallback tag lists, each manifest once.
    pub(crate) async fn all_referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Referrers, Failure> {
        if page.limit == 0 {
            return Ok(Referrers::default());
        }
        let known = self
            .store
            .referrers(repository, subject, artifact_type, page)
            .await?;
        let index = match fallback_tag(subject) {
            Some(tag) => self.index_under(repository, &Target::Tag(tag)).await?,
            None => None,
        };
        let (members, _claim) =
            index.map_or_else(Default::default, |(members, claim)| (members, Some(claim)));
        let members = behind(members, page.after);
        let listed = self
            .listed(repository, members, artifact_type, page.limit)
            .await?;
        Ok(merge(known, listed, page.limit))
    }

    /// The members of the index with this tag, as long as the claim for them is held. `None` where there is no index.
    async fn index_under(
        &self,
        repository: &Repository,
        tag: &Target,
    ) -> Result<Option<(Vec<Descriptor>, Claim)>, Failure> {
        let here = if_here(self.store.stat_manifest(repository, tag).await)?;
        let Some(here) = here.filter(|here| here.media_type.is_index()) else {
            return Ok(None);
        };
        Ok(match self.look_into(repository, &here).await? {
            Some((View::Index(index), claim)) => Some((index.manifests, claim)),
            _ => None,
        })
    }

    /// Those of the members that are here and of the type asked for: one more than a page, or as many as one request
    /// may look up.
    async fn listed(
        &self,
        repository: &Repository,
        members: Vec<Descriptor>,
        artifact_type: Option<&str>,
        limit: usize,
    ) -> Result<Referrers, Failure> {
        let wanted = |found: Option<&str>| artifact_type.is_none_or(|wanted| found == Some(wanted));
        let mut listed = Referrers::default();
        let (mut looked_up, mut read) = (0, 0);
        let mut last = None;
        for member in members {
            if listed.items.len() > limit || looked_up >= MAX_LOOKED_UP || read >= MAX_READ {
                listed.next = last;
                break;
            }
            last = Some(member.digest.to_string());
            if member.artifact_type.is_some() && !wanted(member.artifact_type.as_deref()) {
                continue;
            }
            looked_up += 1;
            if let Some(found) = self.complete(repository, member, &mut read).await?
                && wanted(found.artifact_type.as_deref())
            {
                listed.items.push(found);
            }
        }
        Ok(listed)
    }

    /// A member as the repository has it, with what the index does not say of it. `None` when it is not here.
    async fn complete(
        &self,
        repository: &Repository,
        member: Descriptor,
        read: &mut u64,
    ) -> Result<Option<Descriptor>, Failure> {
        let target = Target::Digest(member.digest);
        let Some(here) = if_here(self.store.stat_manifest(repository, &target).await)? else {
            return Ok(None);
        };
        let mut found = Descriptor {
            media_type: here.media_type,
            size: here.size,
            ..member
        };
        if found.artifact_type.is_some() && !found.annotations.is_empty() {
            return Ok(Some(found));
        }
        *read += found.size;
        let Some((view, _claim)) = self.look_into(repository, &found).await? else {
            return Ok(None);
        };
        if found.artifact_type.is_none() {
            found.artifact_type = view.artifact_type().map(str::to_owned);
        }
        if found.annotations.is_empty() {
            found.annotations.clone_from(view.annotations());
        }
        Ok(Some(found))
    }
}

/// Those behind `after`, in order, each once.
fn behind(mut members: Vec<Descriptor>, after: Option<&str>) -> Vec<Descriptor> {
    members.retain(|member| after.is_none_or(|after| member.digest.to_string().as_str() > after));
    members.sort_by_cached_key(|member| member.digest.to_string());
    members.dedup_by(|later, earlier| later.digest == earlier.digest);
    members
}

/// Both lists are whole up to where they end; behind the nearer end nothing is known.
fn merge(known: Listing<Descriptor>, listed: Referrers, limit: usize) -> Referrers {
    let text = |descriptor: &Descriptor| descriptor.digest.to_string();
    let known_end = known.items.last().filter(|_| known.more).map(text);
    let end = match (known_end, listed.next) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let mut items: Vec<(String, Descriptor)> = known
        .items
        .into_iter()
        .chain(listed.items)
        .map(|item| (text(&item), item))
        .filter(|(key, _)| end.as_ref().is_none_or(|end| key <= end))
        .collect();
    // Stable: what the store knows comes first, and stays.
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.dedup_by(|later, earlier| later.0 == earlier.0);
    let mut next = end;
    if items.len() > limit {
        items.truncate(limit);
        next = items.last().map(|(key, _)| key.clone());
    }
    Referrers {
        items: items.into_iter().map(|(_, item)| item).collect(),
        next,
    }
}

#[cfg(test)]
mod tests {
    use landfall_oci::MediaType;

    use super::*;

    fn descriptors(numbers: &[u8]) -> Vec<Descriptor> {
        let one = |number: &u8| Descriptor::new(MediaType::OCI_MANIFEST, Digest::Sha256([*number; 32]), 1);
        numbers.iter().map(one).collect()
    }

    #[test]
    fn the_tag_is_cut_to_what_a_tag_can_hold() {
        let tag = |digest: Digest| fallback_tag(&digest).unwrap().to_string();
        assert_eq!(
            tag(Digest::Sha256([0xab; 32])),
            format!("sha256-{}", "ab".repeat(32))
        );
        assert_eq!(
            tag(Digest::Sha512([0xab; 64])),
            format!("sha512-{}", "ab".repeat(32))
        );
    }

    #[test]
    fn pages_are_whole_up_to_their_end() {
        let end = |number: u8| Digest::Sha256([number; 32]).to_string();
        for (known, more, listed, listed_to, limit, expected, next) in [
            (&[1, 3][..], false, &[2, 3][..], None, 9, &[1, 2, 3][..], None),
            // The store has more behind 3: 5 must wait for its turn.
            (&[1, 3], true, &[5], None, 2, &[1, 3], Some(3)),
            (&[1, 3], true, &[2, 5], None, 2, &[1, 2], Some(2)),
            // The fallback index was not read to its end: 7 must wait.
            (&[1, 7], false, &[2], Some(4), 9, &[1, 2], Some(4)),
            (&[], false, &[], Some(4), 9, &[], Some(4)),
            (&[], false, &[1, 2, 3], None, 2, &[1, 2], Some(2)),
            (&[], false, &[1, 2], None, 2, &[1, 2], None),
        ] {
            let known = Listing {
                items: descriptors(known),
                more,
            };
            let listed = Referrers {
                items: descriptors(listed),
                next: listed_to.map(end),
            };
            let merged = merge(known, listed, limit);
            assert_eq!(merged.items, descriptors(expected));
            assert_eq!(merged.next, next.map(end));
        }
    }
}
