//! The certs.d tree: one directory per registry.

use std::collections::BTreeMap;

use landfall_diag::SourceId;

/// One root of `config_path`.
#[derive(Clone, Debug, Default)]
pub struct CertsD {
    /// Its path on the node, as messages and relative file names show it.
    pub path: String,
    /// Directories by name below the root (`docker.io`, `_default`, `quay.io/org`).
    pub dirs: BTreeMap<String, HostDir>,
}

/// One directory below a root.
#[derive(Clone, Debug, Default)]
pub struct HostDir {
    /// `hosts.toml`, where there is one.
    pub hosts_toml: Option<HostsFile>,
    /// The names of the other files; `*.crt`, `*.cert` and `*.key` count when hosts.toml does not.
    pub files: Vec<String>,
}

/// A hosts.toml.
#[derive(Clone, Debug)]
pub struct HostsFile {
    /// Which source spans in it name.
    pub source: SourceId,
    /// The text.
    pub text: String,
}

impl CertsD {
    /// An empty root.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            dirs: BTreeMap::new(),
        }
    }

    /// Puts a hosts.toml into a directory.
    pub fn put(&mut self, dir: impl Into<String>, source: SourceId, text: impl Into<String>) {
        self.dirs.entry(dir.into()).or_default().hosts_toml = Some(HostsFile {
            source,
            text: text.into(),
        });
    }

    /// A directory whose mere existence is due to one below it (`quay.io`, because of `quay.io/org`).
    #[must_use]
    pub fn implied(&self, name: &str) -> Option<&str> {
        let below = |dir: &&String| dir.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        self.dirs.keys().find(below).map(String::as_str)
    }
}
