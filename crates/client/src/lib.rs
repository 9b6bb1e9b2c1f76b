//! One registry over the network: manifests, resumable pulls, uploads, mounts, tags.
