//! `landfall.json`: what was asked, what it resolved to, from where, and what is not there.
//!
//! Everything in it follows from the list and the registries' answers: no times, no tool versions, so that the same
//! input gives the same bytes. Readers skip fields that they do not know; a change that they must not skip raises
//! [`VERSION`].

use std::collections::BTreeSet;

use landfall_oci::{Annotations, Descriptor, Digest, MediaType, View};
use serde::{Deserialize, Serialize};

use crate::contents::{Contents, Image};
use crate::{BundleError, Missing};

/// The version of the format that this crate writes, and the highest that it reads.
pub const VERSION: u32 = 1;

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// [`VERSION`] of its writer.
    pub version: u32,
    /// One record per list entry, by name.
    #[serde(default)]
    pub images: Vec<ImageInfo>,
    /// Manifests that belong to an image by their `subject` only (signatures, SBOMs).
    #[serde(default)]
    pub referrers: Vec<ReferrerInfo>,
    /// List entries that are not in the bundle.
    #[serde(default)]
    pub missing: Vec<MissingInfo>,
}

/// One list entry that is in the bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageInfo {
    /// Its full name.
    pub name: String,
    /// The list entry's text.
    pub asked: String,
    /// From where it was taken.
    pub source: String,
    /// What it resolved to.
    pub media_type: MediaType,
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Platforms kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Members of the index that the choice of platforms left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<OmittedInfo>,
}

/// A member of an index that was left out on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OmittedInfo {
    /// Its digest.
    pub digest: Digest,
    /// Its platform, where the index says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// A manifest about another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrerInfo {
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// Its media type.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A list entry that is not in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingInfo {
    /// The list entry's text.
    pub asked: String,
    /// Its full name, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it is not there.
    pub reason: String,
}

impl Info {
    /// What the contents come to.
    ///
    /// # Errors
    /// [`BundleError::Inconsistent`] when an image's manifest is not among the contents.
    pub(crate) fn of(contents: &Contents) -> Result<Self, BundleError> {
        let mut reached = BTreeSet::new();
        let mut images = Vec::with_capacity(contents.images.len());
        for image in &contents.images {
            images.push(ImageInfo::of(image, contents, &mut reached)?);
        }
        images.sort_by(|a, b| (&a.name, &a.asked, &a.source).cmp(&(&b.name, &b.asked, &b.source)));
        images.dedup();
        let mut missing: Vec<_> = contents.missing.iter().map(MissingInfo::of).collect();
        missing.sort_by(|a, b| (&a.asked, &a.reason).cmp(&(&b.asked, &b.reason)));
        missing.dedup();
        Ok(Self {
            version: VERSION,
            images,
            referrers: referrers(contents, &reached)?,
            missing,
        })
    }
}

impl ImageInfo {
    fn of(image: &Image, contents: &Contents, reached: &mut BTreeSet<Digest>) -> Result<Self, BundleError> {
        let mut omitted = Vec::new();
        let mut kept = 0_usize;
        let mut queue = vec![image.root.digest];
        let mut seen = BTreeSet::from([image.root.digest]);
        while let Some(digest) = queue.pop() {
            reached.insert(digest);
            for child in view(contents, &digest)?.children() {
                if !seen.insert(child.digest) {
                    continue;
                }
                if contents.manifests.contains_key(&child.digest) {
                    kept += 1;
                    queue.push(child.digest);
                } else {
                    omitted.push(OmittedInfo::of(child));
                }
            }
        }
        if kept == 0 && !omitted.is_empty() {
            return Err(BundleError::inconsistent(format!(
                "no member of the index {} ({}) is kept",
                image.reference, image.root.digest
            )));
        }
        omitted.sort_by_key(|member| member.digest);
        Ok(Self {
            name: image.reference.to_string(),
            asked: image.asked.clone(),
            source: image.source.clone(),
            media_type: image.root.media_type.clone(),
            digest: image.root.digest,
            size: image.root.size,
            platforms: image.platforms.iter().map(ToString::to_string).collect(),
            omitted,
        })
    }
}

impl OmittedInfo {
    fn of(member: &Descriptor) -> Self {
        Self {
            digest: member.digest,
            platform: member.platform.as_ref().map(ToString::to_string),
        }
    }
}

impl MissingInfo {
    fn of(missing: &Missing) -> Self {
        Self {
            asked: missing.asked.clone(),
            name: missing.reference.as_ref().map(ToString::to_string),
            reason: missing.reason.clone(),
        }
    }
}

/// Manifests that no image leads to, by digest.
fn referrers(contents: &Contents, reached: &BTreeSet<Digest>) -> Result<Vec<ReferrerInfo>, BundleError> {
    let mut found = Vec::new();
    for (digest, manifest) in &contents.manifests {
        if reached.contains(digest) {
            continue;
        }
        found.push(ReferrerInfo {
            subject: view(contents, digest)?.subject().map(|subject| subject.digest),
            media_type: manifest.media_type.clone(),
            digest: *digest,
            size: manifest.bytes.len() as u64,
        });
    }
    Ok(found)
}

fn view(contents: &Contents, digest: &Digest) -> Result<View, BundleError> {
    let manifest = contents
        .manifests
        .get(digest)
        .ok_or_else(|| BundleError::inconsistent(format!("the manifest {digest} is not at hand")))?;
    manifest
        .view()
        .map_err(|source| BundleError::inconsistent(format!("manifest {digest}: {source}")))
}

/// What a referrer's descriptor says beside its three facts (distribution-spec, "Listing Referrers").
pub(crate) fn referrer_descriptor(mut descriptor: Descriptor, view: &View) -> Descriptor {
    descriptor.artifact_type = view.artifact_type().map(str::to_owned);
    let annotations: &Annotations = view.annotations();
    descriptor.annotations = annotations.clone();
    descriptor
}
