//! What K3s and RKE2 make of registries.yaml: hosts.toml files and credentials for containerd, as the releases do it.
//!
//! [`Rendering`] is what they write, byte for byte and with its faults; [`Node`] is the containerd that reads it, told
//! in places of registries.yaml. Read in K3s' `pkg/agent/containerd/config.go`, `pkg/agent/templates/templates.go` and
//! `pkg/spegel/registry.go`; what changed with which release stands in [`FACTS`].

mod config_toml;
mod early;
mod hosts;
mod node;
mod normalize;
mod options;
mod render;
mod rendering;
mod text;
mod version;

pub use hosts::Warning;
pub use node::{Node, Surroundings};
pub use normalize::{Normalized, normalize};
pub use options::{Options, Program};
pub use rendering::{HostsFile, Rendering};
pub use text::Rendered;
pub use version::{Behaviours, FACTS, Fact, Generation, Version, VersionError};
