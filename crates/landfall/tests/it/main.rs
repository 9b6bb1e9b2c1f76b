//! The program as its users run it, against registries that behave and registries that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod clouds;
mod disk_full;
mod faults;
mod foreign;
mod gateway;
mod kill;
mod names;
mod notify;
mod place;
mod registries;
mod reload;
mod rights;
mod road;
mod server;
mod serving;
mod settings;
mod soak;
mod upkeep;
mod wanted;
mod watching;
