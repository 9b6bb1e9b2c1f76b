//! The hashing service through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod back_pressure;
mod digests;
mod endings;
mod sinks;
mod states;
mod tools;
