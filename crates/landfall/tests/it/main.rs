//! The program as its users run it, against registries that behave and registries that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod faults;
mod kill;
mod names;
mod place;
mod road;
mod serving;
mod soak;
