//! One configuration, one image, and the world around them.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use landfall_testkit::farm::Script;
use landfall_testkit::peers::node::Account;

use super::pki::{Material, Pki, Security};

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Which one; also the group of its log.
    pub(crate) index: usize,
    /// What is pulled.
    pub(crate) image: String,
    /// It shares names with others, so nothing else may run beside it.
    pub(crate) alone: bool,
    /// Directories of certs.d.
    pub(crate) dirs: Vec<Dir>,
    /// Credentials in config.toml.
    pub(crate) accounts: Vec<Account>,
    /// The registries that exist.
    pub(crate) servers: Vec<Server>,
}

/// A directory of certs.d.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    /// Its name.
    pub(crate) name: String,
    /// The text of hosts.toml.
    pub(crate) hosts_toml: Option<String>,
    /// Other files, by name.
    pub(crate) files: Vec<(String, Material)>,
}

/// A registry.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its name, without port.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) at: SocketAddr,
    /// Its TLS.
    pub(crate) security: Security,
    /// What it answers.
    pub(crate) script: Script,
}

impl Dir {
    fn path(&self, certs: &Path) -> PathBuf {
        certs.join(&self.name)
    }

    /// Lays it down.
    pub(crate) fn write(&self, certs: &Path, pki: &Pki) {
        let folder = self.path(certs);
        fs::create_dir_all(&folder).unwrap();
        if let Some(text) = &self.hosts_toml {
            fs::write(folder.join("hosts.toml"), text).unwrap();
        }
        for (name, material) in &self.files {
            fs::copy(pki.path(*material), folder.join(name)).unwrap();
        }
    }

    /// Takes it away.
    pub(crate) fn remove(&self, certs: &Path) {
        fs::remove_dir_all(self.path(certs)).unwrap();
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image: {}", self.image)?;
        for dir in &self.dirs {
            match &dir.hosts_toml {
                Some(text) => writeln!(f, "--- certs.d/{}/hosts.toml\n{text}", dir.name)?,
                None => writeln!(f, "--- certs.d/{}/", dir.name)?,
            }
            for (name, material) in &dir.files {
                writeln!(f, "    {name}: {material:?}")?;
            }
        }
        for account in &self.accounts {
            writeln!(f, "--- {account:?}")?;
        }
        for server in &self.servers {
            let Server {
                name,
                at,
                security,
                script,
            } = server;
            writeln!(f, "--- {name} at {at}, {security:?}")?;
            writeln!(f, "    {:?} {:?}", script.guard, script.tokens)?;
            writeln!(
                f,
                "    HEAD m {:?} GET m {:?} HEAD b {:?} GET b {:?} image {}",
                script.head_manifest,
                script.get_manifest,
                script.head_blob,
                script.get_blob,
                script.image.is_some()
            )?;
        }
        Ok(())
    }
}
