//! Certificates for tests: an authority of our own, good and expired identities, a self-signed one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What a loopback server is called.
pub const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key (PKCS#8).
    pub key: String,
}

impl Authority {
    /// Makes an authority that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = params(&[], "Landfall test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a CA certificate can be made");
        Self { issuer }
    }

    /// The authority's certificate, for `--tls-ca` and the like.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A server's identity for these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.sign(params(names, "server"))
    }

    /// A server's identity whose time ended in 2021.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        let mut params = params(names, "expired server");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A client's identity.
    pub fn issue_client(&self, name: &str) -> Identity {
        let mut params = params(&[], name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = key();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate can be signed");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// An identity that vouches for itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        let certificate = params(names, "self-signed server")
            .self_signed(&key)
            .expect("a certificate can be signed");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes `NAME.crt` and `NAME.key` into a folder and returns their paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let paths = (
            folder.join(format!("{name}.crt")),
            folder.join(format!("{name}.key")),
        );
        for (path, content) in [(&paths.0, &self.certificate), (&paths.1, &self.key)] {
            std::fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        paths
    }

    /// A rustls server with this identity; `clients` is the authority whose clients alone are let in.
    pub fn server_config(&self, clients: Option<&str>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(pem)).expect("an authority can be trusted");
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .build()
                    .expect("a verifier of one root");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a private key");
        let config = builder.with_single_cert(vec![certificate(&self.certificate)], key);
        Arc::new(config.expect("the key fits the certificate"))
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key pair can be made")
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of a certificate");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}
