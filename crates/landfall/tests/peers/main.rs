//! The program against the real programs that people have: each makes, moves or runs what the other made.
//!
//! Everything is below the module `peers`, by which `make test` picks these tests (and `make test-fast` leaves them
//! out). A program that is not installed is a failure, never a skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peers;
// Shared with the other test binary, which uses more of it.
#[allow(dead_code)]
#[path = "../it/place.rs"]
mod place;
#[allow(dead_code)]
#[path = "../it/windows_world.rs"]
mod windows_world;
