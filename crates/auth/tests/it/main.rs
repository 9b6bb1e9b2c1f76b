//! Credentials from real files and helper programs, and token flows against a token server on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod cloud;
#[path = "../../../net/tests/it/client/fake.rs"]
mod fake;
mod keyring;
mod tokens;
