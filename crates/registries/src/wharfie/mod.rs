//! The other consumer of registries.yaml: wharfie, which fetches RKE2's runtime image and Rancher's installers.
//!
//! The same file goes other ways here: keys are looked up differently, the registry itself is always tried last,
//! rewrites never apply to it, and a TLS section that cannot be used is left out. Read in wharfie v0.7.1 and
//! go-containerregistry v0.20.2. What the node has beside the file is not told: where the file has no credential,
//! wharfie asks `~/.docker/config.json` and the kubelet's credential providers for the image's registry, and shows
//! what they give to mirrors, too.

mod credentials;
mod endpoint;
mod explain;
mod image;
mod rewrite;

pub use explain::{Explanation, Wharfie, explain};
