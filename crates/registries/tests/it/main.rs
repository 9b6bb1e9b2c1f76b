//! One binary for all tests of the crate that need its outside only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod containerd_config;
mod hosts_against_go;
mod hosts_round_trip;
mod k3s_generations;
mod k3s_properties;
mod k3s_writer;
mod lint;
mod peers;
mod real_programs;
mod resolve_against_go;
mod runtimes;
#[allow(dead_code, reason = "fields are named to be known; who compares one reads it")]
mod vectors;
mod vectors_containerd;
mod vectors_k3s;
mod vectors_regex;
mod vectors_wharfie;
