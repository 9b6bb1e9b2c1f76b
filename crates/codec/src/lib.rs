//! Compressed streams: reading what others compressed, and gzip whose bytes never vary.
//!
//! - [`Compression::sniff`] tells a format by its first bytes, because suffixes lie: what the Windows script of Rancher
//!   calls `.tar.gz` is not compressed at all.
//! - [`decoder`] reads any of them as a stream, within a bound of memory, and tells a cut stream from a whole one.
//! - [`gzip::compress`] makes gzip on many threads; the same input gives the same bytes on every machine, so that a
//!   layer compressed twice keeps its digest.
//!
//! How much a stream unpacks to is the caller's to bound (`Read::take`): only it knows what would be too much.

mod compression;
mod decode;
mod error;
pub mod gzip;

pub use compression::Compression;
pub use decode::decoder;
pub use error::CodecError;
