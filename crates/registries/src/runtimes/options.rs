//! What a writer must know besides the intent.

use std::collections::BTreeMap;

/// Choices of whoever has files written.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Registries that a wildcard is written out for, where a format has none: those of the images that are needed.
    pub registries: Vec<String>,
    /// The wildcard's endpoints tell registries apart (by `ns=`): where a format does not send that, the registry's
    /// name is put before the repository (`mirror/quay.io/org/image`).
    pub namespaced: bool,
    /// Contents of certificates and keys by path, for formats that hold them inline.
    pub contents: BTreeMap<String, String>,
}
