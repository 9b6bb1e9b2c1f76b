//! Why a server does not come up.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What keeps a server from starting. What goes wrong with a single connection ends that connection and is logged.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A socket that was handed over is no listener, or there is none.
    #[error("cannot listen on the sockets that were handed over: {source}")]
    Listener {
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// A certificate or key file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not the PEM that it should be.
    #[error("{} is not usable PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The files can be read, but make no TLS server: a key that does not belong to the certificate, mostly.
    #[error("{} cannot be served with its key: {source}", certificate.display())]
    Certificate {
        /// The certificate file.
        certificate: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// The file of certificate authorities for clients cannot be used.
    #[error("{} holds no usable certificate authority for clients: {reason}", path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
