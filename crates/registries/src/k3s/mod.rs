//! What K3s and RKE2 make of registries.yaml: hosts.toml files and credentials for containerd, as the releases do it.
