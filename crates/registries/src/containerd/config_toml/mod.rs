//! The registry sections of containerd's config.toml: where they are in each version of the file, what they say, and
//! how they are written.

mod read;
mod write;

use landfall_diag::{Span, Spanned};

use super::credentials::Credential;
use super::legacy::Legacy;
use super::release::{Behaviour, Release};
use super::setup::Setup;
use crate::hosts::toml::TomlError;

/// What containerd 2.2 and later take when nothing is configured.
const DEFAULT_PATH: &str = "/etc/containerd/certs.d:/etc/docker/certs.d";

/// The registry sections of one config.toml.
#[derive(Clone, Debug, Default)]
pub struct ConfigToml {
    /// The file's `version`; absent is 1.
    pub version: u8,
    /// `registry.config_path`; empty is as good as absent.
    pub config_path: Option<Spanned<String>>,
    /// `registry.mirrors` and `registry.configs.*.tls`.
    pub legacy: Legacy,
    /// `registry.configs.*.auth`; where there is `registry.auths`, it has replaced that of the same host.
    pub credentials: Vec<Credential>,
    /// `registry.headers`.
    pub headers: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// `use_local_image_pull`, beside `registry`.
    pub use_local_image_pull: Option<Spanned<bool>>,
    /// Registry sections of other versions' plugins, which this version of the file does not read.
    pub unread: Vec<Span>,
}

/// Why a config.toml cannot be used: containerd, or its CRI plugin, does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is no TOML.
    #[error("containerd does not start with this file: {0}")]
    Toml(#[from] TomlError),
    /// A value of a wrong type.
    #[error("the CRI plugin does not load: `{field}` must be {needed}")]
    Type {
        /// Which field.
        field: &'static str,
        /// What it must be.
        needed: &'static str,
        /// Where.
        span: Span,
    },
    /// A version that no containerd knows.
    #[error(
        "containerd does not start with this file: version {version} of config.toml is unknown (1 to 4 are known)"
    )]
    Version {
        /// The version.
        version: Box<str>,
        /// Where.
        span: Span,
    },
    /// A key of `registry.auths` that is no URL.
    #[error("the CRI plugin does not load: {words}")]
    Auths {
        /// containerd's words.
        words: Box<str>,
        /// Where.
        span: Span,
    },
}

/// The table of the CRI's images in a version of the file.
fn plugin(version: u8) -> &'static str {
    match version {
        1 => "cri",
        2 => "io.containerd.grpc.v1.cri",
        _ => "io.containerd.cri.v1.images",
    }
}

impl ConfigToml {
    /// Whether a release pulls by its transfer service, which knows one root only and none of the old sections.
    #[must_use]
    pub fn by_transfer_service(&self, release: Release) -> bool {
        let local = self.use_local_image_pull.as_ref().is_some_and(|flag| flag.value);
        let old = !self.legacy.mirrors.is_empty() || !self.credentials.is_empty();
        release >= Release::V2_1 && !local && !old
    }

    /// The roots of certs.d that a release reads.
    ///
    /// The transfer service takes the whole of `config_path` for one directory, so several roots come to none.
    #[must_use]
    pub fn roots(&self, release: Release) -> Vec<String> {
        let given = self
            .config_path
            .as_ref()
            .map(|path| path.value.as_str())
            .filter(|path| !path.is_empty());
        let default = (release >= Release::V2_2 && self.legacy.mirrors.is_empty()).then_some(DEFAULT_PATH);
        let Some(path) = given.or(default) else {
            return Vec::new();
        };
        match self.by_transfer_service(release) {
            true => vec![path.to_owned()],
            false => path.split(':').map(str::to_owned).collect(),
        }
    }

    /// Puts what the file says into a setup; the roots' directories are for the caller to read.
    pub fn apply(&self, setup: &mut Setup, behaviour: Behaviour) {
        setup.behaviour = behaviour;
        setup.legacy = self.legacy.clone();
        setup.credentials.clone_from(&self.credentials);
    }
}
