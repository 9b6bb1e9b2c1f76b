//! Clouds on loopback: what AWS, Google and Azure answer to somebody who wants a token for their registries, with every
//! way in which they are known to refuse. Signatures are verified here by code that shares nothing with the one under
//! test.
//!
//! Names of clouds lead here through a [`Detour`]: a proxy that connects every host to one port on loopback.

mod aws;
mod azure;
mod detour;
mod google;
mod service;
mod signature;
mod sts;

pub use aws::{AwsFault, AwsKeys, FakeAws};
pub use azure::{AzureFault, FakeAzure};
pub use detour::Detour;
pub use google::{FakeGoogle, GoogleFault};
pub use service::{Asked, Reply, Service};
