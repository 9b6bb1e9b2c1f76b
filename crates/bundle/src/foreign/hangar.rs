//! hangar's archives: a zip whose `index.json`, written last, names images of one platform each; blobs are shared.
//!
//! The index that a registry gave for several platforms is not in the archive. One is made, of the images that are there,
//! in the order of the list and the same each time.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Descriptor, Digest, MediaType, Platform, Reference};
use serde::Deserialize;
use serde_json::json;

use super::pieces::Pieces;
use crate::reader::{self, MAX_DOCUMENT, Piece};
use crate::{Bundle, BundleError, Span};

/// Older ones list their images in another way.
const OLDEST: (u32, u32) = (1, 2);

#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    list: Vec<Listed>,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default)]
    source: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    images: Vec<Member>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    #[serde(default)]
    arch: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    os_version: String,
    #[serde(default)]
    os_features: Vec<String>,
    #[serde(default)]
    variant: String,
    digest: Option<Digest>,
}

/// Makes a bundle of a zip file with these entries; `None` when it is none of hangar's.
pub(super) fn bundle(
    file: &Arc<File>,
    path: &Path,
    files: &HashMap<String, Span>,
) -> Result<Option<Bundle>, BundleError> {
    let shared: Arc<Path> = Arc::from(path);
    let Some(span) = files.get("index.json") else {
        return Ok(None);
    };
    if span.len > MAX_DOCUMENT {
        return Err(BundleError::TooLarge {
            path: path.to_owned(),
            entry: "index.json".to_owned(),
            size: span.len,
            limit: MAX_DOCUMENT,
        });
    }
    let bytes = reader::read_all(&span.of(file, &shared))?;
    let Ok(index) = serde_json::from_slice::<Index>(&bytes) else {
        return Ok(None);
    };
    check_version(path, &index.version)?;
    let mut pieces = Pieces::new(path, Some(Arc::clone(file)))?;
    for (name, span) in files {
        if let Some(digest) = shared_digest(name) {
            pieces.blobs.insert(digest, Piece::InFile(*span));
        }
    }
    for (name, members) in merged(index.list) {
        let root = root(&mut pieces, &members);
        pieces.add(name.clone(), Reference::parse(&name).ok(), root);
    }
    pieces.finish().map(Some)
}

fn check_version(path: &Path, version: &str) -> Result<(), BundleError> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    let is_known = matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST);
    match is_known {
        true => Ok(()),
        false => Err(reader::not_a_bundle(
            path,
            format!(
                "an archive of hangar whose index has the version {version}; save it again with hangar 1.7 or newer"
            ),
        )),
    }
}

/// The digest in `share/<algorithm>/<hex>`.
fn shared_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("share/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The members of each name: what `hangar sync` adds later stands in an entry of its own.
fn merged(list: Vec<Listed>) -> BTreeMap<String, Vec<Member>> {
    let mut names: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for listed in list {
        let members = names
            .entry(format!("{}:{}", listed.source, listed.tag))
            .or_default();
        for member in listed.images {
            if member.digest.is_some() && !members.iter().any(|known| known.digest == member.digest) {
                members.push(member);
            }
        }
    }
    names
}

/// What a name stands for: the one image, or an index of several.
fn root(pieces: &mut Pieces, members: &[Member]) -> Result<Descriptor, String> {
    let mut described = Vec::with_capacity(members.len());
    for member in members {
        described.extend(manifest(pieces, member)?);
    }
    match described.as_slice() {
        [] => Err("the archive's index names no image for it".to_owned()),
        [one] => Ok(one.clone()),
        several => index(pieces, several),
    }
}

fn manifest(pieces: &Pieces, member: &Member) -> Result<Option<Descriptor>, String> {
    let Some(digest) = member.digest else {
        return Ok(None);
    };
    let manifest = pieces.manifest(&digest)?;
    let platform = Platform {
        architecture: member.arch.clone(),
        os: member.os.clone(),
        os_version: member.os_version.clone(),
        os_features: member.os_features.clone(),
        variant: member.variant.clone(),
    };
    let is_known = !platform.os.is_empty() || !platform.architecture.is_empty();
    Ok(Some(Descriptor {
        platform: is_known.then_some(platform),
        ..manifest.descriptor()
    }))
}

fn index(pieces: &mut Pieces, members: &[Descriptor]) -> Result<Descriptor, String> {
    let is_docker = members
        .iter()
        .all(|member| member.media_type == MediaType::DOCKER_MANIFEST);
    let media_type = if is_docker {
        MediaType::DOCKER_LIST
    } else {
        MediaType::OCI_INDEX
    };
    let document = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": members});
    let bytes = document.to_string();
    pieces
        .make(media_type, bytes.as_bytes())
        .map_err(|error| error.to_string())
}
