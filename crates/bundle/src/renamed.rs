//! A bundle whose images go by other names, for who has a list of those.

use landfall_oci::Reference;

use crate::{Bundle, BundleImage};

impl Bundle {
    /// The same bundle, its images under other names where `rename` gives one.
    #[must_use]
    pub fn renamed(&self, rename: impl Fn(&Reference) -> Option<Reference>) -> Self {
        self.with_images(|image| match image.reference.as_ref().and_then(&rename) {
            Some(reference) => BundleImage {
                name: reference.familiar(),
                reference: Some(reference),
                ..image
            },
            None => image,
        })
    }
}
