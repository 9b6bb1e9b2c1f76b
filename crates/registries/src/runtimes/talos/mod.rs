//! Talos: `machine.registries` of the machine's configuration, and the documents that came after it.
//!
//! Certificates stand inline here. A reader takes them out into files below [`EXTRACTED`]; a writer takes them from
//! [`super::Options::contents`].

mod documents;
mod read;
mod write;

pub use read::read;
pub use write::write;

/// Where certificates that stood inline go, by host.
pub const EXTRACTED: &str = "/etc/landfall/tls";
/// The patch for `talosctl`.
pub const PATCH: &str = "registries.patch.yaml";

/// Which form is written; both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `machine.registries`: every release of Talos.
    Machine,
    /// `RegistryMirrorConfig`, `RegistryAuthConfig`, `RegistryTLSConfig`: the newest.
    Documents,
}
