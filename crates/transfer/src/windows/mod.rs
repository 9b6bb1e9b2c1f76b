//! Windows and Linux images under one name, in one pass from Linux.
//!
//! Rancher's way needs a Windows machine for each version and three runs in the right order; here the members are
//! fetched like any other image, foreign base layers included, and the manifest list is made from their configs
//! ([`assemble`], which is pure). Members come from where images come from, from a bundle, or from the registry that
//! is being filled ([`shelf`]); [`discover`] knows the schemes by which publishers keep them.
//!
//! An image appears whole or not at all: when a member is missing, its name and its members' names stay out, and the
//! other images go on.

mod assemble;
mod discover;
mod gather;
mod shelf;
mod unit;
mod version;

use landfall_images::Entry;

pub use assemble::{Assembled, Existing, IndexFormat, Member, assemble, stated_platform};
pub(crate) use gather::{complete, resolve};
pub use version::{Version, VersionError};

/// What the Linux member is called behind the image's tag.
const LINUX_SUFFIX: &str = "-linux-amd64";

/// Which images are to have Windows members, and how their lists are made.
#[derive(Clone, Debug)]
pub struct WindowsOptions {
    /// The Windows list. An image that the Linux list has too gets members for both; lists are compared by whole
    /// names.
    pub list: Vec<Entry>,
    /// The versions, in the order in which they are to stand in the lists.
    pub versions: Vec<Version>,
    /// The media type of the lists.
    pub format: IndexFormat,
    /// Make lists without members that are not there.
    pub allow_missing_members: bool,
}
