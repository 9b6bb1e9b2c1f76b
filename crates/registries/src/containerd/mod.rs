//! What containerd does to pull an image: from the configuration on a node to every request, before one is sent.
//!
//! [`Setup`] is the configuration as it lies on the node; [`Containerd::new`] reads it once; [`Containerd::explain`]
//! tells the hosts in order, [`Containerd::simulate`] every request for given answers, and [`reach`] which hosts can
//! be contacted at all. Facts are from containerd's sources (`core/remotes/docker`, `internal/cri`), per release in
//! [`Behaviour`], and from K3s' fork.

mod choose;
mod credentials;
mod endpoint;
mod explain;
mod files;
mod legacy;
mod log;
mod place;
mod release;
mod rewrite;
mod setup;

pub use choose::{Candidate, Choice, Outcome, Source};
pub use credentials::Credential;
pub use explain::{Alternative, Explanation, Skipped, SkippedWhy};
pub use files::FileState;
pub use legacy::{Legacy, Mirror};
pub use log::LogLine;
pub use release::{Behaviour, ErrorRule, ForbiddenBody, Release, StatusWords};
pub use setup::{Containerd, Flavour, Setup};
