//! The crate through its public face, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod server;
