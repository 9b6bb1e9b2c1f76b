//! One binary for all tests of the crate that need its outside only.

mod containerd_config;
mod hosts_against_go;
mod hosts_round_trip;
mod peers;
mod runtimes;
#[allow(dead_code, reason = "fields are named to be known; who compares one reads it")]
mod vectors;
mod vectors_containerd;
mod vectors_k3s;
mod vectors_regex;
mod vectors_wharfie;
