//! What containerd does to pull an image: from the configuration on a node to every request, before one is sent.
//!
//! [`Setup`] is the configuration as it lies on the node; [`Containerd::new`] reads it once; [`Containerd::explain`]
//! tells the hosts in order, [`Containerd::simulate`] every request for given answers, and [`reach`] which hosts can
//! be contacted at all. Facts are from containerd's sources (`core/remotes/docker`, `internal/cri`), per release in
//! [`Behaviour`], and from K3s' fork.

mod answers;
mod choose;
mod config_toml;
mod consequence;
mod credentials;
mod endpoint;
mod exchange;
mod explain;
mod files;
mod legacy;
mod log;
mod place;
mod reach;
mod release;
mod resolve;
mod rewrite;
mod setup;

pub use answers::{Answer, Answers, Authorization, Method, Request, Sent, Trace};
pub use choose::{Candidate, Choice, Outcome, Source};
pub use config_toml::{ConfigError, ConfigToml};
pub use consequence::{Class, Consequence, Then};
pub use credentials::Credential;
pub use explain::{Alternative, Explanation, Skipped, SkippedWhy};
pub use files::FileState;
pub use legacy::{Legacy, Mirror};
pub use log::LogLine;
pub use reach::{Beyond, Exit, Name, Reach, To, Why, exits, named, reach};
pub use release::{Behaviour, ErrorRule, ForbiddenBody, Release, ReleaseError, StatusWords};
pub use resolve::Object;
pub use setup::{Containerd, Flavour, Setup};
