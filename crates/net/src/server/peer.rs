//! Who sent a request.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The client's own certificate, proven and issued by [`TlsFiles::client_ca`](super::TlsFiles::client_ca).
    pub client_certificate: Option<Arc<CertificateDer<'static>>>,
    /// The one name that it goes by: the common name of its subject, or the first alternative name.
    pub certificate_name: Option<Arc<str>>,
}
