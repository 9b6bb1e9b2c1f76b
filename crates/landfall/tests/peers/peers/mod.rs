//! One file for each peer; here is what they share.

mod charts;
mod conformance;
mod containerd;
mod crane;
mod demo;
mod docker_registry;
mod dockerd;
mod fleet;
mod foreign;
mod gateway;
mod helm;
mod node;
mod podman;
mod regctl;
mod self_image;
mod serving;
mod skopeo;
mod stored;
mod systemd;
mod windows;
