//! Who trusts whom: the authorities of the registries, and the files on the node that name them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_testkit::{Authority, Identity};
use rustls::ServerConfig;

/// How a registry is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Plain HTTP.
    Plain,
    /// TLS by an authority that the system trusts.
    System,
    /// TLS by an authority that only `ca` makes known.
    Known,
    /// TLS by itself.
    SelfSigned,
    /// TLS by the system's authority, for clients with a certificate only.
    Mutual,
}

/// The authorities, and their files.
pub(crate) struct Pki {
    folder: PathBuf,
    system: Authority,
    known: Authority,
    clients: Authority,
}

/// A file that a configuration may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// The authority of [`Security::Known`].
    KnownCa,
    /// An authority of nobody's server.
    OtherCa,
    /// A client's certificate that servers take.
    Cert,
    /// Its key.
    Key,
    /// Both in one file.
    Pair,
    /// A file that is no PEM.
    Junk,
    /// No file.
    Missing,
}

impl Pki {
    /// Makes the files in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let pki = Self {
            folder: folder.to_owned(),
            system: Authority::new(),
            known: Authority::new(),
            clients: Authority::new(),
        };
        let client = pki.clients.issue_client("node");
        let files = [
            (Material::KnownCa, pki.known.certificate()),
            (Material::OtherCa, Authority::new().certificate()),
            (Material::Pair, format!("{}{}", client.certificate, client.key)),
            (Material::Cert, client.certificate),
            (Material::Key, client.key),
            (Material::Junk, "nothing to see here\n".to_owned()),
        ];
        for (material, text) in files {
            std::fs::write(pki.path(material), text).unwrap();
        }
        std::fs::write(pki.system(), pki.system.certificate()).unwrap();
        pki
    }

    /// The file that holds the system's authorities.
    pub(crate) fn system(&self) -> PathBuf {
        self.folder.join("system.pem")
    }

    /// Where a file is.
    pub(crate) fn path(&self, material: Material) -> PathBuf {
        material.within(&self.folder)
    }

    /// What a registry of this name and address shows.
    pub(crate) fn server(&self, security: Security, name: &str, at: SocketAddr) -> Option<Arc<ServerConfig>> {
        let address = at.ip().to_string();
        let names = [name, &address, "localhost"];
        let identity = match security {
            Security::Plain => return None,
            Security::System | Security::Mutual => self.system.issue(&names),
            Security::Known => self.known.issue(&names),
            Security::SelfSigned => Identity::self_signed(&names),
        };
        let clients = (security == Security::Mutual).then(|| self.clients.certificate());
        Some(identity.server_config(clients.as_deref()))
    }
}

impl Material {
    /// Its path below a folder.
    pub(crate) fn within(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::KnownCa => "known-ca.pem",
            Self::OtherCa => "other-ca.pem",
            Self::Cert => "client.cert",
            Self::Key => "client.key",
            Self::Pair => "client.pem",
            Self::Junk => "junk.pem",
            Self::Missing => "missing.pem",
        })
    }
}
