//! The program as its users run it, against registries that behave and registries that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archives;
mod artifacts;
mod bad_input;
mod clouds;
mod destination;
mod disk_full;
mod faults;
mod foreign;
mod gateway;
mod images;
mod kill;
mod names;
mod notify;
mod place;
mod rancher;
mod registries;
mod reload;
mod rights;
mod rke;
mod road;
mod scan;
mod server;
mod serving;
mod settings;
mod soak;
mod upkeep;
mod wanted;
mod watching;
mod windows;
mod windows_world;
