//! What of one repository goes, and what stays. Reads only.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_oci::{Digest, Repository, Tag, Target};
use serde::Deserialize;

use super::super::Inner;
use super::graph::{Graph, Id};
use super::leases::{Key, fingerprint};
use super::strict;
use crate::{CollectOptions, Store, StoreError};

/// Digests that something holds. A false hit keeps a file too many, never one too few.
#[derive(Default)]
pub(super) struct Marks(HashSet<u128>);

impl Marks {
    pub(super) fn insert(&mut self, digest: &Digest) {
        self.0.insert(fingerprint(digest));
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.0.contains(&fingerprint(digest))
    }
}

/// The times by which a collection decides.
pub(super) struct Times {
    now: SystemTime,
    pub(super) grace: Duration,
    untagged_after: Option<Duration>,
    below: Vec<Arc<dyn Store>>,
    /// When the oldest upload of a repository began: what was pushed since then belongs to a push under way.
    uploads: HashMap<Repository, SystemTime>,
}

/// A manifest that goes.
pub(super) struct Doomed {
    pub(super) digest: Digest,
    pub(super) subject: Option<Digest>,
    pub(super) since: SystemTime,
    /// Steps below a manifest that nothing lists: what lists it goes before it.
    pub(super) depth: u32,
}

/// What goes from one repository, in the order in which it goes.
pub(super) struct Plan {
    pub(super) repository: Repository,
    pub(super) manifests: Vec<Doomed>,
    pub(super) members: Vec<(Digest, SystemTime)>,
    /// Why it is not touched at all.
    pub(super) untouched: Option<String>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty() && self.members.is_empty() && self.untouched.is_none()
    }
}

#[derive(Deserialize)]
struct UploadRecord {
    repository: Repository,
}

impl Times {
    pub(super) fn new(inner: &Inner, options: &CollectOptions) -> Result<Self, StoreError> {
        Ok(Self {
            now: options.now.unwrap_or_else(SystemTime::now),
            grace: options.grace.unwrap_or(inner.grace),
            untagged_after: options.untagged_after,
            below: options.below.clone(),
            uploads: uploads(inner)?,
        })
    }

    pub(super) fn now(&self) -> SystemTime {
        self.now
    }

    fn is_older(&self, time: SystemTime, age: Duration) -> bool {
        self.now.duration_since(time).unwrap_or_default() >= age
    }

    /// Whether bytes, or a membership without regard to uploads, have outlived the grace period.
    pub(super) fn is_ripe(&self, time: SystemTime) -> bool {
        self.is_older(time, self.grace)
    }

    /// Whether a store below has the manifest. Blocks: on the blocking pool of a runtime only.
    fn lives_below(&self, repository: &Repository, digest: Digest) -> Result<bool, StoreError> {
        let target = Target::Digest(digest);
        for store in &self.below {
            match tokio::runtime::Handle::current().block_on(store.stat_manifest(repository, &target)) {
                Ok(_) => return Ok(true),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn is_ripe_member(&self, repository: &Repository, time: SystemTime) -> bool {
        let push = self.uploads.get(repository).copied();
        let reckoned = push.map_or(self.now, |began| began.min(self.now));
        self.is_ripe(time) && reckoned.duration_since(time).is_ok_and(|age| age >= self.grace)
    }
}

/// Makes the plan; what stays is marked in `held`.
pub(super) fn plan(
    inner: &Inner,
    times: &Times,
    repository: &Repository,
    held: &mut Marks,
) -> Result<Plan, StoreError> {
    let graph = Graph::read(inner, repository)?;
    let members = strict::digests(&inner.layout.members(repository))?;
    let mut plan = Plan {
        repository: repository.clone(),
        manifests: Vec::new(),
        members: Vec::new(),
        untouched: None,
    };
    if let Some((digest, reason)) = graph.broken.first() {
        plan.untouched = Some(format!("the manifest {digest} cannot be understood: {reason}"));
        graph.nodes.keys().for_each(|id| held.insert(&graph.digest(*id)));
        members.iter().for_each(|digest| held.insert(digest));
        return Ok(plan);
    }
    let roots = roots(inner, times, repository, &graph)?;
    let needed = graph.closure(roots.kept);
    for id in graph.nodes.keys() {
        match needed[*id as usize] {
            true => held.insert(&graph.digest(*id)),
            false => plan.manifests.push(doomed(&graph, *id, &roots.since)),
        }
    }
    let depths = depths(&graph, &needed);
    for manifest in &mut plan.manifests {
        let id = graph.find(&manifest.digest);
        manifest.depth = id.and_then(|id| depths.get(&id).copied()).unwrap_or_default();
    }
    plan.manifests
        .sort_by_key(|manifest| (manifest.depth, manifest.digest));
    for digest in members {
        let named = graph.find(&digest).is_some_and(|id| needed[id as usize]);
        // Deleted meanwhile: nothing to remove, and nothing that holds the bytes.
        let Some((_, since)) = strict::stat(&inner.layout.member(repository, &digest))? else {
            continue;
        };
        match named || !times.is_ripe_member(repository, since) {
            true => held.insert(&digest),
            false => plan.members.push((digest, since)),
        }
    }
    Ok(plan)
}

struct Roots {
    kept: Vec<Id>,
    /// Since when a manifest has had no tag, where that is later than its last push.
    since: HashMap<Id, SystemTime>,
}

fn roots(inner: &Inner, times: &Times, repository: &Repository, graph: &Graph) -> Result<Roots, StoreError> {
    let Some(after) = times.untagged_after else {
        return Ok(Roots {
            kept: graph.nodes.keys().copied().collect(),
            since: HashMap::new(),
        });
    };
    let since = untagged_since(inner, repository, graph)?;
    let after = after.max(times.grace);
    let mut kept: Vec<Id> = graph.tags.iter().map(|(_, id)| *id).collect();
    for (id, node) in &graph.nodes {
        let since = since.get(id).copied().unwrap_or(node.touched);
        let leased = inner
            .leases
            .is_leased(Key::manifest(repository, &graph.digest(*id)));
        let absent = node.subject.filter(|subject| !graph.nodes.contains_key(subject));
        let keeps = |subject: Id| times.lives_below(repository, graph.digest(subject));
        if leased || !times.is_older(since, after) || absent.map(keeps).transpose()?.unwrap_or_default() {
            kept.push(*id);
        }
    }
    Ok(Roots { kept, since })
}

/// When each manifest that once had a tag lost the last one.
fn untagged_since(
    inner: &Inner,
    repository: &Repository,
    graph: &Graph,
) -> Result<HashMap<Id, SystemTime>, StoreError> {
    let mut left: HashMap<Id, SystemTime> = HashMap::new();
    for name in strict::names(&inner.layout.histories(repository))? {
        let Ok(tag) = name.parse::<Tag>() else {
            continue;
        };
        let history = inner.tag_history(repository, &tag)?;
        for pair in history.windows(2) {
            let (newer, older) = (&pair[0], &pair[1]);
            let Some(id) = older.digest.and_then(|digest| graph.find(&digest)) else {
                continue;
            };
            let Some(node) = graph.nodes.get(&id) else {
                continue;
            };
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(newer.unix_ms);
            let latest = left.entry(id).or_insert(node.touched);
            *latest = at.max(*latest);
        }
    }
    Ok(left)
}

fn doomed(graph: &Graph, id: Id, since: &HashMap<Id, SystemTime>) -> Doomed {
    let node = &graph.nodes[&id];
    Doomed {
        digest: graph.digest(id),
        subject: node.subject.map(|subject| graph.digest(subject)),
        since: since.get(&id).copied().unwrap_or(node.touched),
        depth: 0,
    }
}

/// How far below what lists them, or is about them, the manifests stand that go: parents go before children, and
/// referrers before subjects.
fn depths(graph: &Graph, needed: &[bool]) -> HashMap<Id, u32> {
    let gone = |id: &Id| !needed[*id as usize] && graph.nodes.contains_key(id);
    let below = |id: Id| {
        let node = &graph.nodes[&id];
        node.children.iter().chain(&node.subject).copied().filter(gone)
    };
    let mut above: HashMap<Id, u32> = graph
        .nodes
        .keys()
        .filter(|id| gone(id))
        .map(|id| (*id, 0))
        .collect();
    for id in graph.nodes.keys().filter(|id| gone(id)) {
        below(*id).for_each(|next| *above.entry(next).or_default() += 1);
    }
    let mut depths: HashMap<Id, u32> = HashMap::new();
    let free = above.iter().filter(|(_, count)| **count == 0);
    let mut left: Vec<Id> = free.map(|(id, _)| *id).collect();
    while let Some(id) = left.pop() {
        let depth = *depths.entry(id).or_default() + 1;
        for next in below(id) {
            let deepest = depths.entry(next).or_default();
            *deepest = depth.max(*deepest);
            let count = above.entry(next).or_insert(1);
            *count -= 1;
            if *count == 0 {
                left.push(next);
            }
        }
    }
    depths
}

/// When the oldest upload of each repository began. One of which a crash has cut the record or taken the bytes is
/// none.
fn uploads(inner: &Inner) -> Result<HashMap<Repository, SystemTime>, StoreError> {
    let folder = inner.layout.uploads();
    let mut oldest: HashMap<Repository, SystemTime> = HashMap::new();
    for name in strict::names(&folder)?
        .iter()
        .filter(|name| name.ends_with(".json"))
    {
        let path = folder.join(name);
        if strict::stat(&path.with_extension(""))?.is_none() {
            continue;
        }
        let began = fs::metadata(&path).and_then(|data| data.created().or_else(|_| data.modified()));
        let (Ok(began), Ok(Some(record))) = (began, strict::record::<UploadRecord>(&path)) else {
            continue;
        };
        let known = oldest.entry(record.repository).or_insert(began);
        *known = began.min(*known);
    }
    Ok(oldest)
}
