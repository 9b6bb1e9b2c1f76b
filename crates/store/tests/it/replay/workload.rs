//! What is done to the store while it is recorded, and what must be true after each step of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landfall_hash::digest;
use landfall_oci::{Algorithm, Digest, MediaType, RawManifest, Repository};
use landfall_store::{
    Chunk, CollectOptions, Collected, DirectoryStore, Expected, Store, StoreError, UploadId, suite,
};
use serde_json::json;

/// A repository, by its place in [`Content`].
pub(crate) type Place = usize;

/// Everything that the workload can put.
pub(crate) struct Content {
    pub(crate) repositories: Vec<Repository>,
    pub(crate) blobs: Vec<(Digest, Bytes)>,
    pub(crate) manifests: Vec<Image>,
}

pub(crate) struct Image {
    pub(crate) raw: RawManifest,
    /// Blobs that it names.
    pub(crate) blobs: Vec<usize>,
    /// Manifests that it lists.
    pub(crate) members: Vec<usize>,
    /// The manifest that it is about.
    pub(crate) subject: Option<usize>,
}

/// What the store has been told, with success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) tags: BTreeMap<(Place, &'static str), usize>,
    pub(crate) manifests: BTreeSet<(Place, usize)>,
    pub(crate) blobs: BTreeSet<(Place, usize)>,
    /// What lies in the trash; one run at most.
    pub(crate) trash: Box<Trash>,
}

/// What an undo brings back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trash {
    manifests: BTreeSet<(Place, usize)>,
    blobs: BTreeSet<(Place, usize)>,
}

/// One thing that a client asks for and gets an answer to.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Push(Place, usize),
    /// In two pieces, with a question in between.
    PushInPieces(Place, usize),
    /// A sender that never comes back.
    Abandon(Place, usize),
    Mount(Place, Place, usize),
    Put(Place, usize, &'static [&'static str]),
    SetTag(Place, &'static str, usize),
    DeleteTag(Place, &'static str),
    DeleteManifest(Place, usize),
    DeleteBlob(Place, usize),
    Collect(Sweep),
    /// Everything that lies in the trash comes back.
    Undo,
}

/// What goes, beside bytes that nobody holds and blobs that no manifest names. Nothing is too young.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// Manifests without a tag.
    pub(crate) untagged: bool,
    /// Whether it can be brought back.
    pub(crate) trash: bool,
}

/// An upload that was begun: whose bytes it was to have.
pub(crate) type Begun = Vec<(UploadId, Place, usize)>;

pub(crate) const STEPS: &[Step] = &[
    Step::Push(0, 0),
    Step::Push(0, 2),
    Step::Put(0, 0, &["v1", "latest"]),
    Step::Push(0, 1),
    Step::PushInPieces(0, 3),
    Step::Put(0, 1, &["v2", "latest"]),
    Step::Put(0, 2, &["all"]),
    Step::Put(0, 3, &[]),
    Step::Abandon(2, 5),
    Step::Push(1, 2),
    Step::Mount(0, 1, 1),
    Step::Mount(0, 1, 3),
    Step::Put(1, 1, &["a", "b", "c", "d"]),
    Step::Push(1, 4),
    Step::Put(1, 4, &["wide"]),
    Step::SetTag(0, "latest", 0),
    Step::DeleteTag(0, "v2"),
    Step::DeleteManifest(0, 3),
    Step::DeleteManifest(1, 1),
    Step::DeleteBlob(1, 3),
    Step::PushInPieces(1, 3),
    Step::Put(1, 1, &["a"]),
    Step::Put(0, 1, &["v2"]),
    Step::DeleteTag(0, "all"),
    Step::DeleteManifest(0, 0),
    Step::DeleteBlob(0, 0),
    Step::Push(0, 0),
    Step::Put(0, 0, &["v1"]),
    // From here on things are collected, brought back, and pushed again. A blob that is named by nothing, once with
    // bytes of its own:
    Step::Put(0, 3, &[]),
    Step::Push(1, 0),
    Step::Push(0, 6),
    Step::Collect(Sweep {
        untagged: false,
        trash: true,
    }),
    Step::Push(0, 6),
    Step::Undo,
    // An index, an image and its signature:
    Step::DeleteTag(0, "v2"),
    Step::Collect(Sweep {
        untagged: true,
        trash: true,
    }),
    Step::Undo,
    Step::Put(0, 1, &["v2"]),
    // The index, pushed again while it lies in the trash:
    Step::Collect(Sweep {
        untagged: true,
        trash: true,
    }),
    Step::Push(0, 6),
    Step::Put(0, 2, &["all"]),
    // And for good, with the run before:
    Step::DeleteTag(1, "wide"),
    Step::Collect(Sweep {
        untagged: true,
        trash: false,
    }),
    Step::Push(1, 4),
    Step::Put(1, 4, &["wide"]),
    Step::DeleteManifest(0, 2),
    Step::Collect(Sweep {
        untagged: false,
        trash: false,
    }),
    Step::Push(0, 6),
];

impl Content {
    pub(crate) fn new() -> Self {
        let mut blobs: Vec<_> = [
            "{\"config\":0}",
            "{\"config\":1}",
            "a layer that is shared",
            "a layer of one image",
        ]
        .into_iter()
        .map(suite::blob)
        .collect();
        let wide = Bytes::from("a layer under another algorithm");
        blobs.push((digest(Algorithm::Sha512, &wide), wide));
        blobs.push(suite::blob("a layer that never arrives"));
        blobs.push(suite::blob("a layer that no image has"));
        let image = |chosen: &[usize], subject: Option<(usize, &RawManifest)>, kind| {
            let named: Vec<_> = chosen.iter().map(|at| blobs[*at].clone()).collect();
            Image {
                raw: suite::image(&named, subject.map(|(_, raw)| raw), kind),
                blobs: chosen.to_vec(),
                members: Vec::new(),
                subject: subject.map(|(at, _)| at),
            }
        };
        let mut manifests = vec![image(&[0, 2], None, None), image(&[1, 2, 3], None, None)];
        let members: Vec<_> = manifests.iter().map(|member| member.raw.descriptor()).collect();
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": members});
        manifests.push(Image {
            raw: suite::raw(&index),
            blobs: Vec::new(),
            members: vec![0, 1],
            subject: None,
        });
        manifests.push(image(&[2], Some((1, &manifests[1].raw)), Some("test/signature")));
        let wide = image(&[1, 4], None, Some("test/wide"));
        let bytes = wide.raw.bytes.clone();
        manifests.push(Image {
            raw: RawManifest::new(None, digest(Algorithm::Sha512, &bytes), bytes).unwrap(),
            ..wide
        });
        Self {
            repositories: ["one", "two/deep", "uploads/only"].map(suite::repository).into(),
            blobs,
            manifests,
        }
    }
}

impl Step {
    /// A deletion may find that it was done before a crash.
    pub(crate) async fn run(&self, store: &DirectoryStore, content: &Content, begun: &mut Begun) {
        let at = |place: &Place| &content.repositories[*place];
        match self {
            Self::Push(place, blob) => push(store, content, *place, *blob, 1, begun).await,
            Self::PushInPieces(place, blob) => push(store, content, *place, *blob, 2, begun).await,
            Self::Abandon(place, blob) => {
                let id = store.start_upload(at(place), None).await.unwrap().id;
                begun.push((id, *place, *blob));
                let bytes = content.blobs[*blob].1.slice(..9);
                store.append(at(place), &id, Chunk::of(bytes)).await.unwrap();
            }
            Self::Mount(from, to, blob) => {
                let digest = &content.blobs[*blob].0;
                store.mount(at(from), at(to), digest).await.unwrap();
            }
            Self::Put(place, manifest, tags) => {
                let tags: Vec<_> = tags.iter().map(|tag| suite::tag(tag)).collect();
                let raw = &content.manifests[*manifest].raw;
                suite::put(store, at(place), raw, &tags).await.unwrap();
            }
            Self::SetTag(place, tag, manifest) => {
                let digest = &content.manifests[*manifest].raw.digest;
                let tag = suite::tag(tag);
                let set = store.set_tag(at(place), &tag, digest, Expected::Any);
                set.await.unwrap();
            }
            Self::DeleteTag(place, tag) => {
                gone(store.delete_tag(at(place), &suite::tag(tag)).await);
            }
            Self::DeleteManifest(place, manifest) => {
                let digest = &content.manifests[*manifest].raw.digest;
                gone(store.delete_manifest(at(place), digest).await);
            }
            Self::DeleteBlob(place, blob) => {
                gone(store.delete_blob(at(place), &content.blobs[*blob].0).await);
            }
            Self::Collect(sweep) => drop(sweep.run(store).await),
            Self::Undo => {
                for trashed in store.trash().await.unwrap() {
                    let undone = store.undo(trashed.run).await.unwrap();
                    assert!(undone.lost.is_empty(), "{undone:?}");
                }
            }
        }
    }

    /// What is true when the step has succeeded.
    pub(crate) fn apply(&self, content: &Content, state: &mut State) {
        match self {
            Self::Push(place, blob) | Self::PushInPieces(place, blob) | Self::Mount(_, place, blob) => {
                state.blobs.insert((*place, *blob));
            }
            Self::Abandon(..) => {}
            Self::Put(place, manifest, tags) => {
                state.manifests.insert((*place, *manifest));
                for tag in *tags {
                    state.tags.insert((*place, tag), *manifest);
                }
            }
            Self::SetTag(place, tag, manifest) => {
                state.tags.insert((*place, tag), *manifest);
            }
            Self::DeleteTag(place, tag) => {
                state.tags.remove(&(*place, *tag));
            }
            Self::DeleteManifest(place, manifest) => {
                state.manifests.remove(&(*place, *manifest));
                state
                    .tags
                    .retain(|(at, _), target| at != place || target != manifest);
            }
            Self::DeleteBlob(place, blob) => {
                state.blobs.remove(&(*place, *blob));
            }
            Self::Collect(sweep) => *state = state.swept(content, *sweep),
            Self::Undo => *state = state.undone(),
        }
    }
}

impl Sweep {
    pub(crate) async fn run(self, store: &DirectoryStore) -> Collected {
        let options = CollectOptions {
            grace: Some(Duration::ZERO),
            untagged_after: self.untagged.then_some(Duration::ZERO),
            keep_trash: if self.trash { Duration::MAX } else { Duration::ZERO },
            ..CollectOptions::default()
        };
        store.collect(options, Arc::new(())).await.unwrap()
    }
}

impl State {
    /// What a collection leaves.
    pub(crate) fn swept(&self, content: &Content, sweep: Sweep) -> Self {
        let manifests = match sweep.untagged {
            true => self.tagged(content),
            false => self.manifests.clone(),
        };
        let names = |(place, blob): &(Place, usize)| {
            let mut here = manifests.iter().filter(|(at, _)| at == place);
            here.any(|(_, manifest)| content.manifests[*manifest].blobs.contains(blob))
        };
        let (blobs, strays) = self.blobs.iter().partition(|blob| names(blob));
        let trash = Trash {
            manifests: self.manifests.difference(&manifests).copied().collect(),
            blobs: strays,
        };
        Self {
            tags: self.tags.clone(),
            manifests,
            blobs,
            trash: Box::new(if sweep.trash { trash } else { Trash::default() }),
        }
    }

    /// Manifests with a tag, those that they list, and those that are about them.
    fn tagged(&self, content: &Content) -> BTreeSet<(Place, usize)> {
        let mut kept = BTreeSet::new();
        let mut left: Vec<_> = self
            .tags
            .iter()
            .map(|((place, _), manifest)| (*place, *manifest))
            .collect();
        while let Some((place, manifest)) = left.pop() {
            if !self.manifests.contains(&(place, manifest)) || !kept.insert((place, manifest)) {
                continue;
            }
            let all = content.manifests.iter().enumerate();
            let about = all
                .filter(|(_, other)| other.subject == Some(manifest))
                .map(|(at, _)| at);
            let members = content.manifests[manifest].members.iter().copied();
            left.extend(members.chain(about).map(|next| (place, next)));
        }
        kept
    }

    pub(crate) fn trash_is_empty(&self) -> bool {
        *self.trash == Trash::default()
    }

    /// What it is with everything in the trash brought back.
    pub(crate) fn undone(&self) -> Self {
        let mut state = self.clone();
        let trash = std::mem::take(&mut *state.trash);
        state.manifests.extend(trash.manifests);
        state.blobs.extend(trash.blobs);
        state
    }
}

fn gone(deleted: Result<(), StoreError>) {
    let is_gone = deleted.as_ref().map_or_else(StoreError::is_not_found, |()| true);
    assert!(is_gone, "{deleted:?}");
}

async fn push(
    store: &dyn Store,
    content: &Content,
    place: Place,
    blob: usize,
    pieces: usize,
    begun: &mut Begun,
) {
    let here = &content.repositories[place];
    let (digest, bytes) = &content.blobs[blob];
    let id = store.start_upload(here, None).await.unwrap().id;
    begun.push((id, place, blob));
    for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
        let at = store.upload(here, &id).await.unwrap().offset;
        let chunk = Chunk {
            at: Some(at),
            is_last: pieces == 1,
            ..Chunk::of(piece.to_vec())
        };
        store.append(here, &id, chunk).await.unwrap();
    }
    store.commit(here, &id, digest).await.unwrap();
}

/// The states between the steps: before the first, then after each.
pub(crate) fn states(content: &Content) -> Vec<State> {
    let mut states = vec![State::default()];
    for step in STEPS {
        let mut next = states[states.len() - 1].clone();
        step.apply(content, &mut next);
        states.push(next);
    }
    states
}
