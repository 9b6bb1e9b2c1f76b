//! Hashing off the reactor threads, as fast as the machine can.

use landfall_oci::{Algorithm, Digest};

/// The digest of bytes that are all here: manifests, configs.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    use aws_lc_rs::digest;
    let kind = match algorithm {
        Algorithm::Sha256 => &digest::SHA256,
        Algorithm::Sha384 => &digest::SHA384,
        Algorithm::Sha512 => &digest::SHA512,
    };
    let value = digest::digest(kind, bytes);
    // The algorithm's own output has the algorithm's own length.
    Digest::from_bytes(algorithm, value.as_ref()).unwrap_or(Digest::Sha256([0; 32]))
}
