//! The pure core: from members to the bytes of a manifest list.
//!
//! What stands in an entry is what `docker manifest create` takes from the member's config, and the bytes are laid out
//! as Docker lays them out, so that the same members in the same order give the digest that Docker's own list has.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use landfall_oci::{Algorithm, Descriptor, Digest, MediaType, Platform, RawManifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::version::slot;
use crate::TransferError;

/// Docker's indentation.
const INDENT: &[u8] = b"   ";

/// The media type of an assembled list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexFormat {
    /// Docker's manifest list, as Rancher's script makes it: every client of the last ten years reads it.
    #[default]
    Docker,
    /// An OCI image index.
    Oci,
}

impl IndexFormat {
    fn media_type(self) -> MediaType {
        match self {
            Self::Docker => MediaType::DOCKER_LIST,
            Self::Oci => MediaType::OCI_INDEX,
        }
    }
}

/// One image to be listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its manifest: media type, digest and size are taken as they are.
    pub manifest: Descriptor,
    /// What it runs on.
    pub platform: Platform,
}

/// The fields of an image config that go into a list. Go reads `null` as nothing said.
#[derive(Deserialize)]
struct Config {
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
}

/// The platform that a config states; `None` when it is no image config or leaves out os or architecture.
#[must_use]
pub fn stated_platform(config: &[u8]) -> Option<Platform> {
    let config: Config = serde_json::from_slice(config).ok()?;
    let platform = Platform {
        architecture: config.architecture.unwrap_or_default(),
        os: config.os.unwrap_or_default(),
        os_version: config.os_version.unwrap_or_default(),
        os_features: config.os_features.unwrap_or_default(),
        variant: config.variant.unwrap_or_default(),
    };
    (!platform.os.is_empty() && !platform.architecture.is_empty()).then_some(platform)
}

/// An index that is to be extended, with its entries as they stand there.
#[derive(Clone, Debug)]
pub struct Existing {
    /// The index.
    pub manifest: RawManifest,
    entries: Vec<(Descriptor, Value)>,
    others: BTreeMap<String, Value>,
    is_whole: bool,
}

impl Existing {
    /// Reads an index; `None` when it is none.
    #[must_use]
    pub fn read(manifest: &RawManifest) -> Option<Self> {
        if !manifest.media_type.is_index() {
            return None;
        }
        let mut others: BTreeMap<String, Value> = serde_json::from_slice(&manifest.bytes).ok()?;
        let entries = match others.remove("manifests") {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        };
        for field in ["schemaVersion", "mediaType"] {
            others.remove(field);
        }
        let entries = entries.into_iter().map(|value| {
            let descriptor = serde_json::from_value::<Descriptor>(value.clone()).ok()?;
            Some((descriptor, value))
        });
        Some(Self {
            entries: entries.collect::<Option<_>>()?,
            manifest: manifest.clone(),
            others,
            is_whole: true,
        })
    }

    /// Leaves out entries.
    pub fn retain(&mut self, keep: impl Fn(&Descriptor) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|(entry, _)| keep(entry));
        self.is_whole &= self.entries.len() == before;
    }

    /// The entries that are left, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().map(|(entry, _)| entry)
    }
}

/// A list and what came of the indexes that it extends.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The list; the index that was there already, byte for byte, when that holds just these members.
    pub manifest: RawManifest,
    /// Its members, in its order.
    pub entries: Vec<Descriptor>,
    /// Whether it is the index that was there already.
    pub is_unchanged: bool,
    /// Entries of the existing indexes that another member stands in for.
    pub replaced: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    schema_version: u32,
    media_type: MediaType,
    manifests: Vec<Entry<'a>>,
    #[serde(flatten)]
    others: BTreeMap<&'a str, &'a Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    New(NewEntry<'a>),
    AsItWas(&'a Value),
}

/// In the order of the fields of Docker's library.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewEntry<'a> {
    media_type: &'a MediaType,
    size: u64,
    digest: Digest,
    platform: &'a Platform,
}

/// Puts a list together: the members in their order, then whatever else the existing indexes hold. A member that is
/// not from the first index takes the place of that index's entry for the same platform (for Windows: the same build);
/// later indexes only add platforms that are not there yet.
///
/// # Errors
/// [`TransferError::Nothing`] when there is nothing to list, [`TransferError::Manifest`] when it becomes too large.
pub fn assemble(
    members: &[Member],
    existing: &[Existing],
    format: IndexFormat,
) -> Result<Assembled, TransferError> {
    let mut plan = Plan::default();
    plan.take(members, existing);
    for (position, index) in existing.iter().enumerate() {
        plan.extend(index, position == 0);
    }
    if plan.entries.is_empty() {
        return Err(TransferError::Nothing);
    }
    if let Some(first) = existing.first().filter(|first| plan.is_like(first)) {
        return Ok(Assembled {
            manifest: first.manifest.clone(),
            entries: first.entries().cloned().collect(),
            is_unchanged: true,
            replaced: plan.replaced,
        });
    }
    let others = match existing.first() {
        // Docker's list has no other fields; strict readers of it would stumble.
        Some(first) if format == IndexFormat::Oci && first.manifest.media_type == MediaType::OCI_INDEX => {
            first
                .others
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect()
        }
        _ => BTreeMap::new(),
    };
    let list = List {
        schema_version: 2,
        media_type: format.media_type(),
        manifests: plan.entries.iter().map(Planned::entry).collect(),
        others,
    };
    Ok(Assembled {
        manifest: encode(&list, format)?,
        entries: plan.entries.iter().map(Planned::descriptor).collect(),
        is_unchanged: false,
        replaced: plan.replaced,
    })
}

fn encode(list: &List<'_>, format: IndexFormat) -> Result<RawManifest, TransferError> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(INDENT);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let unusable = |reason: String| TransferError::Manifest {
        name: "the assembled manifest list".to_owned(),
        source: landfall_oci::ManifestError::Invalid { reason },
    };
    list.serialize(&mut serializer)
        .map_err(|error| unusable(error.to_string()))?;
    let bytes = Bytes::from(bytes);
    let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
    RawManifest::new(Some(&format.media_type()), digest, bytes).map_err(|source| TransferError::Manifest {
        name: "the assembled manifest list".to_owned(),
        source,
    })
}

/// One entry of the list to be.
enum Planned<'a> {
    New(&'a Member),
    AsItWas(&'a Descriptor, &'a Value),
}

impl Planned<'_> {
    fn digest(&self) -> Digest {
        match self {
            Self::New(member) => member.manifest.digest,
            Self::AsItWas(entry, _) => entry.digest,
        }
    }

    fn platform(&self) -> Option<&Platform> {
        match self {
            Self::New(member) => Some(&member.platform),
            Self::AsItWas(entry, _) => entry.platform.as_ref(),
        }
    }

    fn descriptor(&self) -> Descriptor {
        match self {
            Self::New(member) => Descriptor {
                platform: Some(member.platform.clone()),
                ..Descriptor::new(
                    member.manifest.media_type.clone(),
                    member.manifest.digest,
                    member.manifest.size,
                )
            },
            Self::AsItWas(entry, _) => (*entry).clone(),
        }
    }

    fn entry(&self) -> Entry<'_> {
        match self {
            Self::New(member) => Entry::New(NewEntry {
                media_type: &member.manifest.media_type,
                size: member.manifest.size,
                digest: member.manifest.digest,
                platform: &member.platform,
            }),
            Self::AsItWas(_, value) => Entry::AsItWas(value),
        }
    }
}

#[derive(Default)]
struct Plan<'a> {
    entries: Vec<Planned<'a>>,
    placed: BTreeSet<Digest>,
    /// Platforms that a member from outside has taken.
    taken: BTreeSet<Slot>,
    /// Platforms that anything has.
    held: BTreeSet<Slot>,
    replaced: Vec<Descriptor>,
}

/// What two members cannot both be: os, architecture and variant, and the build of a Windows.
type Slot = (String, String, String, String);

fn slot_of(platform: &Platform) -> Slot {
    let build = slot(&platform.os_version).to_owned();
    let platform = platform.clone().normalised();
    (platform.os, platform.architecture, platform.variant, build)
}

impl<'a> Plan<'a> {
    fn place(&mut self, entry: Planned<'a>) {
        self.held.extend(entry.platform().map(slot_of));
        if self.placed.insert(entry.digest()) {
            self.entries.push(entry);
        }
    }

    fn take(&mut self, members: &'a [Member], existing: &'a [Existing]) {
        for member in members {
            let listed = existing
                .iter()
                .flat_map(|index| &index.entries)
                .find(|(entry, _)| entry.digest == member.manifest.digest);
            // An entry that says as much as the config stays as it is, with whatever else stands in it.
            let said = listed.filter(|(entry, _)| entry.platform.as_ref() == Some(&member.platform));
            let slot = slot_of(&member.platform);
            if listed.is_none() && self.held.contains(&slot) {
                self.replaced.push(Planned::New(member).descriptor());
                continue;
            }
            if listed.is_none() {
                self.taken.insert(slot);
            }
            self.place(match said {
                Some((entry, value)) => Planned::AsItWas(entry, value),
                None => Planned::New(member),
            });
        }
    }

    fn extend(&mut self, index: &'a Existing, is_first: bool) {
        let gone = if is_first { &self.taken } else { &self.held }.clone();
        let is_gone = |entry: &Descriptor| {
            entry
                .platform
                .as_ref()
                .is_some_and(|platform| !platform.is_unknown() && gone.contains(&slot_of(platform)))
        };
        let mut lost = BTreeSet::new();
        for (entry, _) in &index.entries {
            if !self.placed.contains(&entry.digest) && is_gone(entry) {
                self.replaced.push(entry.clone());
                lost.insert(entry.digest);
            }
        }
        for (entry, value) in &index.entries {
            // An attestation goes with its image.
            let is_orphan = entry.companion_of().is_some_and(|image| lost.contains(&image));
            if !lost.contains(&entry.digest) && !is_orphan {
                self.place(Planned::AsItWas(entry, value));
            }
        }
    }

    /// Whether an index holds just these entries, with the same platforms.
    fn is_like(&self, index: &Existing) -> bool {
        type Said<'a> = BTreeSet<(Digest, Option<&'a Platform>)>;
        let ours: Said<'_> = self
            .entries
            .iter()
            .map(|entry| (entry.digest(), entry.platform()))
            .collect();
        let theirs: Said<'_> = index
            .entries()
            .map(|entry| (entry.digest, entry.platform.as_ref()))
            .collect();
        index.is_whole && ours == theirs
    }
}

#[cfg(test)]
mod tests;
