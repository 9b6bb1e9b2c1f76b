//! hauler's stores and hauls: OCI layouts whose index says more than others', and names without their registry.

use std::collections::HashMap;

use landfall_oci::{Digest, Reference, Target, annotation};

use crate::Bundle;
use crate::catalog::BundleImage;

const KIND: &str = "kind";
/// What hauler wrote before version 1.3, and what it writes since.
const KINDS: [&str; 2] = ["dev.hauler/", "dev.cosignproject.cosign/"];
const OWN_KEYS: &str = "hauler.dev/";
const ORIGINAL: &str = "hauler.dev/original-ref";
const SUBJECT: &str = "hauler.dev/subject-digest";

/// The same bundle under the names that hauler's annotations lead to; any other as it is.
pub(super) fn named(bundle: Bundle) -> Bundle {
    if !bundle.images().iter().any(is_haulers) {
        return bundle;
    }
    let roots: HashMap<String, Digest> = bundle
        .images()
        .iter()
        .filter(|image| Kind::of(image) == Kind::Image)
        .map(|image| (image.name.clone(), image.root.digest))
        .collect();
    bundle.with_images(|image| name(image, &roots))
}

fn is_haulers(image: &BundleImage) -> bool {
    let has_kind = image
        .root
        .annotations
        .get(KIND)
        .is_some_and(|kind| KINDS.iter().any(|own| kind.starts_with(own)));
    has_kind || image.root.annotations.keys().any(|key| key.starts_with(OWN_KEYS))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    /// Found by a tag that is made of its image's digest.
    Tagged(&'static str),
    /// Found by the digest of what it is about.
    Referrer,
}

impl Kind {
    fn of(image: &BundleImage) -> Self {
        let kind = image.root.annotations.get(KIND).map_or("", String::as_str);
        let kind = KINDS
            .iter()
            .find_map(|own| kind.strip_prefix(own))
            .unwrap_or_default();
        match kind.split('/').next() {
            Some("sigs") => Self::Tagged("sig"),
            Some("atts") => Self::Tagged("att"),
            Some("sboms") => Self::Tagged("sbom"),
            Some("referrers") => Self::Referrer,
            _ => Self::Image,
        }
    }
}

fn name(mut image: BundleImage, roots: &HashMap<String, Digest>) -> BundleImage {
    let text = |key: &str| image.root.annotations.get(key).map(String::as_str);
    let parsed = |name: &str| Reference::parse(name).ok().map(Reference::with_default_tag);
    let base = text(annotation::CONTAINERD_NAME)
        .and_then(parsed)
        .or_else(|| text(ORIGINAL).and_then(parsed))
        .or_else(|| text(annotation::REF_NAME).and_then(parsed));
    let Some(base) = base else { return image };
    let target = match Kind::of(&image) {
        Kind::Image => base.target(),
        Kind::Referrer => Target::Digest(image.root.digest),
        Kind::Tagged(suffix) => {
            let subject = text(SUBJECT).and_then(|digest| digest.parse().ok());
            let Some(subject) = subject.or_else(|| roots.get(&image.name).copied()) else {
                return image;
            };
            match format!("{}-{}.{suffix}", subject.algorithm(), subject.hex()).parse() {
                Ok(tag) => Target::Tag(tag),
                Err(_) => return image,
            }
        }
    };
    image.reference = Some(Reference::new(
        base.registry().clone(),
        base.repository().clone(),
        target,
    ));
    image
}
