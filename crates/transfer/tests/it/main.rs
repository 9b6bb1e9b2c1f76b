//! The engines against registries, where the program cannot show it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod repositories;
