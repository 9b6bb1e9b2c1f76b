//! What must be true of a store that was opened after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landfall_hash::digest;
use landfall_oci::{Algorithm, Target};
use landfall_store::{Chunk, Page, Store, StoreError, suite};

use super::workload::{Begun, Content, Place, State};

/// What a crash may leave: everything in both states must be there, nothing outside both may be.
pub(crate) struct Between<'a> {
    pub(crate) before: &'a State,
    pub(crate) after: &'a State,
}

/// A promise that was broken.
pub(crate) type Broken = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($said:tt)*) => {
        if !$holds {
            return Err(format!($($said)*));
        }
    };
}
pub(crate) use ensure;

impl Between<'_> {
    /// Whether the thing may be there, and whether it must be.
    fn of<T: Ord>(&self, of: impl Fn(&State) -> &BTreeSet<T>, thing: &T) -> (bool, bool) {
        let (before, after) = (of(self.before).contains(thing), of(self.after).contains(thing));
        (before || after, before && after)
    }
}

pub(crate) async fn check(
    store: &dyn Store,
    root: &Path,
    content: &Content,
    allowed: &Between<'_>,
) -> Broken {
    whole_bytes(root)?;
    for place in 0..content.repositories.len() {
        blobs(store, content, allowed, place).await?;
        manifests(store, content, allowed, place).await?;
        tags(store, content, allowed, place).await?;
    }
    catalog(store, content).await
}

/// No file that could be served has other bytes than its name says.
fn whole_bytes(root: &Path) -> Broken {
    for algorithm in Algorithm::ALL {
        let folder = root.join("blobs").join(algorithm.as_str());
        for fan in fs::read_dir(folder).into_iter().flatten() {
            for file in fs::read_dir(fan.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let actual = digest(algorithm, &fs::read(&path).unwrap()).hex();
                ensure!(path.ends_with(&actual), "{} has other bytes", path.display());
            }
        }
    }
    Ok(())
}

async fn blobs(store: &dyn Store, content: &Content, allowed: &Between<'_>, place: Place) -> Broken {
    let here = &content.repositories[place];
    for (number, (digest, bytes)) in content.blobs.iter().enumerate() {
        let (may, must) = allowed.of(|state| &state.blobs, &(place, number));
        match store.stat_blob(here, digest).await {
            Ok(_) => {
                ensure!(may, "blob {number} of {here} is back");
                let found = suite::read_blob(store, here, digest).await;
                ensure!(found == *bytes, "blob {number} of {here} is another");
            }
            Err(error) => ensure!(!must && error.is_not_found(), "blob {number} of {here}: {error}"),
        }
    }
    Ok(())
}

async fn manifests(store: &dyn Store, content: &Content, allowed: &Between<'_>, place: Place) -> Broken {
    let here = &content.repositories[place];
    for (number, image) in content.manifests.iter().enumerate() {
        let (may, must) = allowed.of(|state| &state.manifests, &(place, number));
        match store.manifest(here, &Target::Digest(image.raw.digest)).await {
            Ok(found) => {
                ensure!(may, "manifest {number} of {here} is back");
                ensure!(found == image.raw, "manifest {number} of {here} is another");
            }
            Err(error) => {
                ensure!(
                    !must && error.is_not_found(),
                    "manifest {number} of {here}: {error}"
                );
                continue;
            }
        }
        for blob in &image.blobs {
            let there = store.stat_blob(here, &content.blobs[*blob].0).await;
            ensure!(there.is_ok(), "manifest {number} of {here} lacks blob {blob}");
        }
        if let (Some(subject), true) = (image.subject, must) {
            let subject = &content.manifests[subject].raw.digest;
            let found = store
                .referrers(here, subject, None, Page::first(9))
                .await
                .unwrap();
            let named = found.items.iter().any(|item| item.digest == image.raw.digest);
            ensure!(named, "manifest {number} of {here} is no referrer");
        }
    }
    Ok(())
}

async fn tags(store: &dyn Store, content: &Content, allowed: &Between<'_>, place: Place) -> Broken {
    let here = &content.repositories[place];
    let listed = match store.tags(here, Page::first(99)).await {
        Ok(listing) => listing.items,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    let names = [allowed.before, allowed.after].into_iter();
    let mut names: BTreeSet<String> = names
        .flat_map(|state| state.tags.keys())
        .filter(|(at, _)| *at == place)
        .map(|(_, tag)| (*tag).to_owned())
        .collect();
    names.extend(listed.iter().map(ToString::to_string));
    for name in &names {
        let tag = suite::tag(name);
        let wanted = [allowed.before, allowed.after].map(|state| {
            let found = state
                .tags
                .iter()
                .find(|((at, tag), _)| *at == place && tag == name);
            found.map(|(_, manifest)| content.manifests[*manifest].raw.digest)
        });
        let current = match store.manifest(here, &Target::Tag(tag.clone())).await {
            Ok(found) => Some(found.digest),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.to_string()),
        };
        ensure!(
            listed.contains(&tag) == current.is_some(),
            "the tag {name} of {here} dangles"
        );
        ensure!(
            wanted.contains(&current),
            "the tag {name} of {here} is at {current:?}"
        );
        if let Some(digest) = current {
            let there = store.manifest(here, &Target::Digest(digest)).await;
            ensure!(there.is_ok(), "the tag {name} of {here} dangles");
        }
        let history = store.tag_history(here, &tag).await.unwrap();
        let newest = history.first().and_then(|entry| entry.digest);
        let known = newest == current || wanted[0] != wanted[1] && wanted.contains(&newest);
        ensure!(known, "the history of {name} of {here} ends at {newest:?}");
        let rises = history
            .windows(2)
            .all(|pair| pair[0].generation > pair[1].generation);
        ensure!(rises, "the history of {name} of {here} has no order: {history:?}");
    }
    Ok(())
}

async fn catalog(store: &dyn Store, content: &Content) -> Broken {
    let mut wanted = Vec::new();
    for here in &content.repositories {
        for image in &content.manifests {
            let target = Target::Digest(image.raw.digest);
            if store.stat_manifest(here, &target).await.is_ok() && !wanted.contains(here) {
                wanted.push(here.clone());
            }
        }
    }
    let listed = store.repositories(Page::first(9)).await.unwrap().items;
    ensure!(listed == wanted, "the catalog has {listed:?}, not {wanted:?}");
    Ok(())
}

/// An upload is taken up where it stood or earlier, or unknown; what is taken up is right.
pub(crate) async fn resume(store: &dyn Store, content: &Content, begun: &Begun) -> Broken {
    for (id, place, blob) in begun {
        let here = &content.repositories[*place];
        let (digest, bytes) = &content.blobs[*blob];
        let offset = match store.upload(here, id).await {
            Ok(state) => usize::try_from(state.offset).unwrap(),
            Err(StoreError::UploadUnknown { .. }) => continue,
            Err(error) => return Err(format!("upload {id}: {error}")),
        };
        ensure!(offset <= bytes.len(), "upload {id} has {offset} bytes");
        let was_there = store.stat_blob(here, digest).await.is_ok();
        let rest = Chunk::of(bytes.slice(offset..));
        store
            .append(here, id, rest)
            .await
            .map_err(|error| error.to_string())?;
        match store.commit(here, id, digest).await {
            Ok(_) => ensure!(
                suite::read_blob(store, here, digest).await == *bytes,
                "wrong bytes"
            ),
            Err(error) => return Err(format!("upload {id}: {error}")),
        }
        if !was_there {
            store.delete_blob(here, digest).await.unwrap();
        }
    }
    Ok(())
}
