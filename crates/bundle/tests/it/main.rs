//! Bundles through their public face: written, killed, continued, read back by us and by others, damaged on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod directory;
mod disk_full;
mod documents;
mod foreign;
mod hostile;
mod kill;
mod mount;
mod names;
mod peers;
mod planning;
mod reading;
mod resume;
mod store;
mod support;
mod verifying;
