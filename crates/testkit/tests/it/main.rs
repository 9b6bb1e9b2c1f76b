//! The test ground itself: the fake registry keeps its promises, and every peer runs here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake_registry;
mod http_client;
mod peers;
