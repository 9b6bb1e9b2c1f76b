//! registries.yaml of K3s and RKE2 (also the JSON that Rancher writes): what is in the file, each value with its place.
//! What a node makes of it is told by its consumers, [`crate::k3s`] and [`crate::wharfie`].

mod model;

pub use model::{ConfigEntry, MirrorEntry, RegistriesYaml, YamlTls};
