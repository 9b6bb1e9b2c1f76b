//! What touches a node: writing its certs.d, asking its endpoints.
