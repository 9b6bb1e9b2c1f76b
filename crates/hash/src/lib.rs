//! Hashing off the reactor threads, as fast as the machine can.
//!
//! SHA-256 is what bounds every transfer of images: one core hashes one stream at a tenth of the speed at which
//! it could receive it. So every byte is hashed once, on threads that do nothing else ([`HashService`]), and
//! where the processor has wide vectors but no SHA instructions, many streams share one core's lanes. Callers
//! never know which way is taken.
//!
//! - [`digest`] for small things that are in memory already;
//! - [`Hasher`] for one stream on a thread that may block;
//! - [`HashService`] for everything that arrives over the network or is read from a disk.

mod cell;
mod error;
mod hasher;
mod kernel;
mod pool;
mod select;
mod service;
mod sha256;
mod sha512;
mod sink;
mod state;
mod stream;
mod worker;

pub use error::HashError;
pub use hasher::{Hasher, digest};
pub use select::Kernel;
pub use service::HashService;
pub use sink::Sink;
pub use state::{HashState, HashStateError};
pub use stream::HashStream;
