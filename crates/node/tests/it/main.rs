//! certs.d on real disks, and endpoints that are really asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

mod apply;
mod probe;
