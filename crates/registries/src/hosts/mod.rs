//! hosts.toml and the certs.d tree around it: read as containerd reads them, written so that every containerd reads
//! the same. What containerd then does with them is [`crate::containerd`].

mod check;
mod decode;
mod duration;
mod fields;
mod model;
pub mod toml;
mod tree;
mod write;

pub use decode::{Dialect, HostsError};
pub use model::{Capability, ClientPair, HostEntry, HostSettings, HostsToml, NOWHERE, Target};
pub use tree::{CertsD, HostDir, HostsFile};
