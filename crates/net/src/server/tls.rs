//! TLS for servers: certificates from files, taken again when the files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use super::error::ServeError;
use super::stats::Stats;

/// How connections are protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// Not at all: plain HTTP.
    Plain,
    /// TLS 1.2 or 1.3.
    Tls(TlsFiles),
}

/// Where the certificates are. The files are looked at every few seconds; when they have changed and are good, new
/// connections get the new ones, and when they are bad the old ones stay in use and the log says why.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Whose client certificates are believed. Without it none is asked for.
    pub client_ca: Option<ClientAuthority>,
}

/// Authorities for client certificates.
#[derive(Clone, Debug)]
pub struct ClientAuthority {
    /// Their certificates, PEM.
    pub file: PathBuf,
    /// Whether every client must show a certificate. Otherwise those that show none are let in without a name; one
    /// that cannot be believed is refused all the same.
    pub required: bool,
}

/// The configuration in use, and what it came from.
pub(super) struct Tls {
    files: TlsFiles,
    current: watch::Sender<Arc<ServerConfig>>,
    seen: Fingerprint,
}

/// Enough of the files' metadata to see that one was replaced, also through the links that Kubernetes swaps.
type Fingerprint = Vec<Option<(SystemTime, u64, u64)>>;

impl Tls {
    /// Reads the files for the first time.
    pub(super) async fn load(files: TlsFiles) -> Result<Self, ServeError> {
        let (seen, config) = read(files.clone()).await;
        let (current, _) = watch::channel(config?);
        Ok(Self { files, current, seen })
    }

    /// What new connections use; follows reloads.
    pub(super) fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Looks at the files for ever.
    pub(super) async fn keep_fresh(mut self, every: Duration, stats: Arc<Stats>) {
        loop {
            tokio::time::sleep(every).await;
            let files = self.files.clone();
            let look = tokio::task::spawn_blocking(move || fingerprint(&files)).await;
            if look.is_ok_and(|now| now == self.seen) {
                continue;
            }
            let (seen, config) = read(self.files.clone()).await;
            self.seen = seen;
            let certificate = self.files.certificate.display();
            match config {
                Ok(config) => {
                    tracing::info!(%certificate, "the certificate was reloaded");
                    self.current.send_replace(config);
                    Stats::add(&stats.certificate_reloads, 1);
                }
                Err(error) => tracing::error!(%error, %certificate, "the old certificate stays in use"),
            }
        }
    }
}

/// Reads the files off the async threads. The fingerprint is taken first: a change during the reading is seen as one
/// the next time.
async fn read(files: TlsFiles) -> (Fingerprint, Result<Arc<ServerConfig>, ServeError>) {
    let path = files.certificate.clone();
    tokio::task::spawn_blocking(move || (fingerprint(&files), config(&files)))
        .await
        .unwrap_or_else(|stopped| {
            let source = io::Error::other(stopped);
            (Vec::new(), Err(ServeError::Read { path, source }))
        })
}

fn fingerprint(files: &TlsFiles) -> Fingerprint {
    use std::os::unix::fs::MetadataExt;
    [
        Some(&files.certificate),
        Some(&files.key),
        files.client_ca.as_ref().map(|authority| &authority.file),
    ]
    .into_iter()
    .flatten()
    .map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    })
    .collect()
}

fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, ServeError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&contents(&files.key)?).map_err(|error| ServeError::Pem {
        path: files.key.clone(),
        reason: error.to_string(),
    })?;
    let bad = |source| ServeError::Certificate {
        certificate: files.certificate.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(bad)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(client_verifier(authority, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(bad)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn client_verifier(
    authority: &ClientAuthority,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, ServeError> {
    let bad = |reason: String| ServeError::ClientAuthority {
        path: authority.file.clone(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&authority.file)? {
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match authority.required {
        true => builder,
        false => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| bad(error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let bad = |reason: String| ServeError::Pem {
        path: path.to_owned(),
        reason,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents(path)?).collect();
    let found = found.map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(found)
}

fn contents(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|source| ServeError::Read {
        path: path.to_owned(),
        source,
    })
}
