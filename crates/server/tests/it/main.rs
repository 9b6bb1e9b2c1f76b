//! The registry through its public face: each endpoint as a client sees it. The rows of the conformance suite's
//! table are in `conformance`, what real clients need beyond it and past advisories in the other files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod advisories;
mod client;
mod conformance;
mod fallback;
mod gateway;
mod greed;
mod log;
mod namespaces;
mod overlay;
mod own_client;
mod peers;
mod properties;
mod real_clients;
mod reload;
mod rights;
mod sites;
mod socket;
mod status;
mod tokens;
mod wanted;
