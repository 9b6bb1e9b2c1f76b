//! The vocabulary of container images, as parsed types, with no I/O.
//!
//! Everything that comes from outside (a line of a list, a header, a JSON body) becomes one of these types
//! at the boundary, or an error that names the offending part. Nothing downstream handles raw text: no path
//! and no URL is ever built from it.
//!
//! What has a digest keeps its bytes: [`RawManifest`] carries them beside the parsed view and nothing is
//! re-serialised.

mod descriptor;
mod digest;
mod error_code;
mod grammar;
mod manifest;
mod media_type;
mod platform;
mod reference;
mod secret;
pub mod tar;

pub use descriptor::{Annotations, Descriptor, annotation};
pub use digest::{Algorithm, Digest, DigestError};
pub use error_code::{ErrorBody, ErrorCode, ErrorEntry};
pub use manifest::{Index, MAX_MANIFEST_BYTES, Manifest, ManifestError, RawManifest, View};
pub use media_type::MediaType;
pub use platform::{Platform, PlatformError, PlatformSet};
pub use reference::{
    DOCKER_HUB, Reference, ReferenceError, Registry, Repository, Tag, Target, apply_default_tag,
};
pub use secret::Secret;
