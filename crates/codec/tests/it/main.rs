//! What goes in comes out, whoever compressed it; what is wrong with a stream is told; the bytes of our gzip never vary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damage;
mod failures;
mod fixed;
mod peers;
mod round_trip;
mod support;
