//! The two JSON documents that other programs read: OCI's `index.json` and Docker's `manifest.json`.

use std::collections::BTreeMap;

use landfall_oci::{
    Annotations, Descriptor, Digest, Manifest, MediaType, Platform, Reference, View, annotation,
};
use serde::Serialize;

use crate::BundleError;
use crate::contents::{Contents, Image};

/// What marks a directory or tar as an OCI image layout.
pub(crate) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexFile<'a> {
    schema_version: u32,
    media_type: MediaType,
    manifests: &'a [Descriptor],
}

/// One descriptor per name, sorted by name. containerd wants the name in one annotation, everyone else in the other.
///
/// # Errors
/// [`BundleError::Inconsistent`] when one name stands for two things.
pub(crate) fn index_json(images: &[Image]) -> Result<Vec<u8>, BundleError> {
    let mut by_name: BTreeMap<String, &Descriptor> = BTreeMap::new();
    for image in images {
        let name = image.reference.to_string();
        let root = *by_name.entry(name).or_insert(&image.root);
        if root.digest != image.root.digest {
            return Err(BundleError::inconsistent(format!(
                "{} stands for both {} and {}",
                image.reference, root.digest, image.root.digest
            )));
        }
    }
    let manifests: Vec<_> = by_name
        .into_iter()
        .map(|(name, root)| named_descriptor(&name, root))
        .collect();
    encode_index(&manifests)
}

/// A descriptor as it stands in `index.json`.
pub(crate) fn named_descriptor(name: &str, root: &Descriptor) -> Descriptor {
    let mut descriptor = Descriptor::new(root.media_type.clone(), root.digest, root.size);
    descriptor.artifact_type.clone_from(&root.artifact_type);
    descriptor.annotations = Annotations::from([
        (annotation::REF_NAME.to_owned(), name.to_owned()),
        (annotation::CONTAINERD_NAME.to_owned(), name.to_owned()),
    ]);
    descriptor
}

/// An `index.json` of these descriptors.
pub(crate) fn encode_index(manifests: &[Descriptor]) -> Result<Vec<u8>, BundleError> {
    encode(
        "index.json",
        &IndexFile {
            schema_version: 2,
            media_type: MediaType::OCI_INDEX,
            manifests,
        },
    )
}

/// A document as compact JSON.
pub(crate) fn encode(what: &str, value: &impl Serialize) -> Result<Vec<u8>, BundleError> {
    serde_json::to_vec(value).map_err(|error| BundleError::inconsistent(format!("{what}: {error}")))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    // Docker itself writes null, not [], for an image without a name.
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Docker's list: one platform per name, images only, and only those whose layers are all here, because
/// `docker load` gives up on the whole file at the first layer that it cannot find. So it does on Linux at the first
/// image for Windows: those stand here only where there is nothing else.
///
/// # Errors
/// [`BundleError::Inconsistent`] when a manifest cannot be read.
pub(crate) fn docker_manifest_json(contents: &Contents) -> Result<Vec<u8>, BundleError> {
    let mut sorted: Vec<_> = contents.images.iter().collect();
    sorted.sort_by_key(|image| image.reference.to_string());
    let mut choices = Vec::new();
    for image in sorted {
        choices.extend(docker_choice(contents, image)?.map(|choice| (image, choice)));
    }
    let is_windows = |platform: &Option<Platform>| platform.as_ref().is_some_and(|it| it.os == "windows");
    if !choices.iter().all(|(_, (platform, ..))| is_windows(platform)) {
        choices.retain(|(_, (platform, ..))| !is_windows(platform));
    }
    let mut list: Vec<DockerImage> = Vec::new();
    let mut position: BTreeMap<Digest, usize> = BTreeMap::new();
    for (image, (_, digest, manifest)) in choices {
        let at = *position.entry(digest).or_insert_with(|| {
            list.push(DockerImage {
                config: blob_name(&manifest.config.digest),
                repo_tags: None,
                layers: manifest
                    .layers
                    .iter()
                    .map(|layer| blob_name(&layer.digest))
                    .collect(),
            });
            list.len() - 1
        });
        let tags = list[at].repo_tags.get_or_insert_default();
        tags.extend(docker_tag(&image.reference).filter(|tag| !tags.contains(tag)));
        if tags.is_empty() {
            list[at].repo_tags = None;
        }
    }
    encode("manifest.json", &list)
}

/// The name of a blob's entry.
pub(crate) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// The full name with a tag; a name with a digest alone has none. Docker understands short names too, but podman
/// takes those for names below `localhost/`.
fn docker_tag(reference: &Reference) -> Option<String> {
    let reference = reference.clone().with_default_tag();
    let tag = reference.tag()?;
    Some(format!("{}:{tag}", reference.name()))
}

/// The image that `docker load` gets: linux/amd64, else the first that is whole and not for Windows, else the first.
fn docker_choice(contents: &Contents, image: &Image) -> Result<Option<Candidate>, BundleError> {
    let mut candidates = Vec::new();
    let mut root = image.root.clone();
    // What a name without an index runs on is known where somebody read its config.
    if let ([platform], None) = (image.platforms.as_slice(), &root.platform) {
        root.platform = Some(platform.clone());
    }
    collect_candidates(contents, &root, 0, &mut candidates)?;
    let wish = Platform::new("linux", "amd64");
    let rank = |(platform, ..): &Candidate| match platform {
        Some(platform) if wish.matches(platform) => 0,
        Some(platform) if platform.os == "windows" => 2,
        _ => 1,
    };
    Ok(candidates.into_iter().min_by_key(rank))
}

type Candidate = (Option<Platform>, Digest, Manifest);

/// Whole images below `descriptor`, in the order of the indexes.
fn collect_candidates(
    contents: &Contents,
    descriptor: &Descriptor,
    depth: u32,
    found: &mut Vec<Candidate>,
) -> Result<(), BundleError> {
    const MAX_DEPTH: u32 = 8;
    let is_companion =
        descriptor.companion_of().is_some() || descriptor.platform.as_ref().is_some_and(Platform::is_unknown);
    let Some(manifest) = contents.manifests.get(&descriptor.digest) else {
        return Ok(());
    };
    if is_companion || depth > MAX_DEPTH {
        return Ok(());
    }
    let view = manifest
        .view()
        .map_err(|source| BundleError::inconsistent(format!("manifest {}: {source}", descriptor.digest)))?;
    match view {
        View::Index(index) => {
            for child in &index.manifests {
                collect_candidates(contents, child, depth + 1, found)?;
            }
        }
        View::Image(image) => {
            let is_image = image.config.media_type.is_image_config() && image.artifact_type.is_none();
            let is_whole = std::iter::once(&image.config)
                .chain(&image.layers)
                .all(|blob| contents.blobs.contains_key(&blob.digest));
            if is_image && is_whole {
                found.push((descriptor.platform.clone(), descriptor.digest, *image));
            }
        }
    }
    Ok(())
}
