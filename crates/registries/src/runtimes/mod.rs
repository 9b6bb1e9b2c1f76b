//! The same intent in the files of other runtimes: a reader and a writer for each.
//!
//! A reader takes files with their places and says what the runtime would make of them; a writer takes an [`Intent`]
//! and returns files and everything that they cannot say ([`crate::Loss`]): nothing is dropped in silence.
//!
//! [`Intent`]: crate::intent::Intent

mod auths;
mod certs_dir;
pub mod containerd;
pub mod docker;
pub(crate) mod expand;
pub(crate) mod file;
mod json;
pub mod nerdctl;
mod options;
pub mod podman;
mod regions;
mod registries_conf;
pub mod rke;
pub mod talos;
mod toml;
mod tree;

pub use file::{Body, Import, InFile, OutFile, Rendered};
pub use options::Options;
