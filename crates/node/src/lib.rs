//! What touches a node: writing its certs.d, asking its endpoints.

pub mod apply;
mod error;
pub mod probe;

pub use error::NodeError;
