//! The crate through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any;
mod chain;
mod decode;
mod fixes;
mod properties;
mod render;
mod small;
mod yaml;
