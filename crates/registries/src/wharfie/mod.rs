//! The other consumer of registries.yaml: wharfie, which fetches RKE2's runtime image and Rancher's installers.
