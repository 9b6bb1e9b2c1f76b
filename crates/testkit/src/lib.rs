//! Tests only: a registry with faults, a maker of workloads, runners for real programs.
//!
//! What the tests of every other crate stand on, so it depends on none of them but the vocabulary: digests are
//! computed with aws-lc-rs directly, never with the code under test.
//!
//! A helper that fails panics where it was called (`#[track_caller]`) and shows what the other program said: a
//! test has nothing better to do with an error than to end. A peer program that is not installed is such a
//! failure too, never a skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate)]

pub mod certs;
pub mod digest;
pub mod fake_registry;
pub mod farm;
pub mod file_server;
pub mod htpasswd;
pub mod namespace;
pub mod peers;
pub mod process;
pub mod proxy;
mod reset;
pub mod scratch;
pub mod workload;

pub use certs::{Authority, Identity};
pub use fake_registry::FakeRegistry;
pub use farm::Farm;
pub use file_server::FileServer;
pub use namespace::Namespace;
pub use process::{Outcome, Process, free_port, run};
pub use proxy::FaultProxy;
pub use scratch::Scratch;
pub use workload::{Recipe, Workload};
