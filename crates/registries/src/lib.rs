//! What a node will do to pull an image: registries.yaml, hosts.toml and their relatives, read with their places,
//! explained attempt by attempt, proven, and rendered for every runtime. Pure: it reads text and returns values.

pub mod containerd;
pub mod diff;
pub mod go;
pub mod hosts;
pub mod intent;
pub mod k3s;
pub mod lint;
pub mod registries_yaml;
pub mod runtimes;
pub mod wharfie;

mod attempt;
mod image;
mod material;

pub use attempt::{Attempt, Because, Presented, TlsUse};
pub use image::image_refusal;
pub use material::{Auth, Loss, Rewrite, Tls};
