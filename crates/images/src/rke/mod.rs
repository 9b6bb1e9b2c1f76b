//! RKE 1: which images a version of Kubernetes, or a cluster.yml, takes, exactly as RKE resolves them.
//!
//! [`Table`] is what RKE knows of versions; [`Cluster`] is a cluster.yml; [`Resolved`] is what a [`Release`] of RKE makes
//! of it. What RKE gets wrong is reproduced here, so that it can be said, and left out of the list of images.

mod aci;
mod cluster;
mod component;
mod credentials;
mod decode;
mod error;
mod etcd;
mod gather;
mod lint;
mod listing;
mod resolve;
mod schema;
mod table;
mod validate;
mod version;

pub use cluster::{Cluster, Reading};
pub use component::{COMPONENTS, Component};
pub use credentials::{EcrKeys, Pull};
pub use error::RkeError;
pub use gather::{Extent, gather_cluster, gather_current, gather_version};
pub use listing::{Ask, Block, heading};
pub use resolve::{Invalid, Resolved};
pub use table::{Choice, Found, Images, Release, Table};
pub use validate::{About, Refusal};
