//! With what K3s or RKE2 is started.

use super::version::Behaviours;

/// Whose program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// K3s.
    #[default]
    K3s,
    /// RKE2.
    Rke2,
}

impl Program {
    /// As it calls itself in its files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::K3s => "k3s",
            Self::Rke2 => "rke2",
        }
    }
}

/// All that, besides the file, decides what is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whose program.
    pub program: Program,
    /// What its release does.
    pub behaviours: Behaviours,
    /// `--disable-default-registry-endpoint`.
    pub disable_default_endpoint: bool,
    /// `host:port` of the embedded registry, where it is on.
    pub embedded_registry: Option<String>,
    /// Windows, whose directory names have no colons.
    pub windows: bool,
    /// `--data-dir`; `None` is `/var/lib/rancher/<program>`.
    pub data_dir: Option<String>,
}

impl Options {
    /// The newest release without any flag.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            behaviours: Behaviours::newest(),
            disable_default_endpoint: false,
            embedded_registry: None,
            windows: false,
            data_dir: None,
        }
    }

    /// The directory of the agent.
    pub(super) fn agent_dir(&self) -> String {
        match &self.data_dir {
            Some(dir) => format!("{}/agent", dir.trim_end_matches('/')),
            None => format!("/var/lib/rancher/{}/agent", self.program.as_str()),
        }
    }

    /// The root of the hosts.toml files.
    #[must_use]
    pub fn certs_d(&self) -> String {
        format!("{}/etc/containerd/certs.d", self.agent_dir())
    }

    /// containerd's config.toml.
    #[must_use]
    pub fn config_toml(&self) -> String {
        format!("{}/etc/containerd/config.toml", self.agent_dir())
    }

    /// The address of the embedded registry as K3s compares it: a lone colon where it is off.
    pub(super) fn mirror_address(&self) -> &str {
        self.embedded_registry.as_deref().unwrap_or(":")
    }
}
