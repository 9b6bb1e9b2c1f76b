//! registries.conf of containers/image: what Podman, CRI-O, Buildah and skopeo read.

mod entry;
mod files;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;
