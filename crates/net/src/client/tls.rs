//! TLS settings from files, and TLS failures sorted by what a person can do about them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::NetError;
use super::options::TlsOptions;
use super::trace::TlsAgreed;
use super::verify::{NoVerifier, SeenChain, Verifier, Watching};

/// The two ways to speak TLS in one run: as everyone, and with hosts that the user trusts blindly.
#[derive(Clone)]
pub(crate) struct Tls {
    verifying: Way,
    blind: Way,
}

#[derive(Clone)]
struct Way {
    connector: TlsConnector,
    verifier: Arc<dyn ServerCertVerifier>,
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Tls {
    /// Reads the files and the system's roots.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, NetError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let mut pinned = Vec::new();
        for file in &options.ca_files {
            pinned.extend(read_certificates(file)?);
        }
        let roots = collect_roots(options, &pinned)?;
        let chain = match roots.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| setup_failed(&error))?,
            ),
        };
        let identity = match &options.client_certificate {
            Some((certificate, key)) => Some((read_certificates(certificate)?, read_key(key)?)),
            None => None,
        };
        let verifier = Arc::new(Verifier {
            chain,
            pinned,
            algorithms,
        });
        let connector = |verifier: Arc<dyn ServerCertVerifier>| {
            let config = client_config(&provider, Arc::clone(&verifier), identity.as_ref(), options)?;
            Ok::<_, NetError>(Way {
                connector: TlsConnector::from(Arc::new(config)),
                verifier,
            })
        };
        Ok(Self {
            verifying: connector(verifier)?,
            blind: connector(Arc::new(NoVerifier { algorithms }))?,
        })
    }

    /// Speaks TLS over `stream`. `authority` is for messages, `host` is the name to be proven; what the server shows
    /// is noted in `seen`.
    pub(crate) async fn connect<S>(
        &self,
        stream: S,
        host: &str,
        authority: &str,
        skip_verify: bool,
        seen: Option<&SeenChain>,
    ) -> Result<TlsStream<S>, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| NetError::InvalidUrl {
            url: authority.to_owned(),
            reason: format!("`{bare}` is not a name that a certificate could hold"),
        })?;
        let way = if skip_verify { &self.blind } else { &self.verifying };
        let connected = match seen {
            None => way.connector.connect(name, stream).await,
            Some(seen) => way.watched_by(seen).connect(name, stream).await,
        };
        connected.map_err(|error| classify_io(authority, &error))
    }
}

impl Way {
    /// The same, with a verifier that notes what it is shown. Nothing is resumed: then nothing would be shown.
    fn watched_by(&self, seen: &SeenChain) -> TlsConnector {
        let mut config = ClientConfig::clone(self.connector.config());
        config.resumption = Resumption::disabled();
        let verifier = Arc::new(Watching {
            inner: Arc::clone(&self.verifier),
            seen: seen.clone(),
        });
        config.dangerous().set_certificate_verifier(verifier);
        TlsConnector::from(Arc::new(config))
    }
}

/// What a handshake ended with.
pub(crate) fn agreed<S>(stream: &TlsStream<S>) -> TlsAgreed {
    let connection = stream.get_ref().1;
    let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    TlsAgreed {
        version: text(
            connection
                .protocol_version()
                .map(|version| format!("{version:?}")),
        ),
        cipher: text(
            connection
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite())),
        ),
    }
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&Identity>,
    options: &TlsOptions,
) -> Result<ClientConfig, NetError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup_failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let paired = builder.with_client_auth_cert(chain.clone(), key.clone_key());
            paired.map_err(|error| NetError::TlsFile {
                path: options
                    .client_certificate
                    .as_ref()
                    .map(|(_, key)| key.clone())
                    .unwrap_or_default(),
                reason: format!("certificate and key do not go together: {error}"),
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn collect_roots(options: &TlsOptions, extra: &[CertificateDer<'static>]) -> Result<RootCertStore, NetError> {
    let mut roots = RootCertStore::empty();
    if options.system_roots {
        // A damaged entry in the system's store is the system's affair; the rest of it is used.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for (position, certificate) in extra.iter().enumerate() {
        roots
            .add(certificate.clone())
            .map_err(|error| NetError::TlsFile {
                path: options
                    .ca_files
                    .get(position)
                    .or(options.ca_files.last())
                    .cloned()
                    .unwrap_or_default(),
                reason: format!("a certificate in it cannot be an authority: {error}"),
            })?;
    }
    Ok(roots)
}

fn setup_failed(error: &dyn std::error::Error) -> NetError {
    NetError::Tls {
        host: "any host".to_owned(),
        reason: error.to_string(),
    }
}

fn read_pem(path: &Path) -> Result<Vec<u8>, NetError> {
    std::fs::read(path).map_err(|error| NetError::TlsFile {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetError> {
    let unusable = |reason: String| NetError::TlsFile {
        path: path.to_owned(),
        reason,
    };
    let certificates = CertificateDer::pem_slice_iter(&read_pem(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    match certificates.is_empty() {
        true => Err(unusable("there is no PEM certificate in it".to_owned())),
        false => Ok(certificates),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, NetError> {
    // The reader's message may quote the file, which is a secret.
    PrivateKeyDer::from_pem_slice(&read_pem(path)?).map_err(|_| NetError::TlsFile {
        path: path.to_owned(),
        reason: "there is no unencrypted PEM private key in it".to_owned(),
    })
}

/// What a failed handshake means.
fn classify_io(host: &str, error: &io::Error) -> NetError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => classify(host, error),
        None => NetError::TlsCut {
            host: host.to_owned(),
        },
    }
}

/// What a TLS failure means, in the handshake or after it.
pub(crate) fn classify(host: &str, error: &rustls::Error) -> NetError {
    use CertificateError as C;
    let host = host.to_owned();
    match error {
        // A bad signature: the authority has the name of one that we know, but another key.
        rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
            NetError::TlsUnknownCa { host }
        }
        rustls::Error::InvalidCertificate(
            reason @ (C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. }),
        ) => NetError::TlsExpired {
            host,
            detail: reason.to_string(),
        },
        rustls::Error::InvalidCertificate(C::NotValidForNameContext { presented, .. }) => {
            NetError::TlsWrongName {
                host,
                detail: match presented.is_empty() {
                    true => "it holds no subjectAltName at all".to_owned(),
                    false => format!("it holds {}", presented.join(", ")),
                },
            }
        }
        rustls::Error::InvalidCertificate(C::NotValidForName) => NetError::TlsWrongName {
            host,
            detail: "its names are not known".to_owned(),
        },
        // webpki's name for a certificate that calls itself an authority and serves as a server: a self-signed one.
        rustls::Error::InvalidCertificate(C::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            NetError::TlsUnknownCa { host }
        }
        rustls::Error::InvalidMessage(_) => NetError::NotTls { host },
        rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            NetError::TlsClientCertificate {
                host,
                reason: format!("{alert:?}"),
            }
        }
        other => NetError::Tls {
            host,
            reason: other.to_string(),
        },
    }
}

fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
    )
}
