//! The part of the process environment that matters to credentials, as a value, so that tests can hold it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::CloudVariables;

/// Where credentials may be found.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `DOCKER_CONFIG`: the folder of `config.json`.
    pub docker_config: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`: a file, as podman and skopeo read it.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: the parent of `containers/auth.json`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `PATH`, for credential helpers.
    pub path: Option<OsString>,
    /// What clouds' own tools read.
    pub cloud: CloudVariables,
}

impl Environment {
    /// Reads the variables through `lookup`, e.g. `std::env::var_os`. Empty ones count as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| lookup(name).filter(|value| !value.is_empty());
        let path = |name| text(name).map(PathBuf::from);
        Self {
            home: path("HOME"),
            docker_config: path("DOCKER_CONFIG"),
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            path: text("PATH"),
            cloud: CloudVariables::from_lookup(&lookup),
        }
    }

    /// Docker's configuration file.
    pub(crate) fn docker_file(&self) -> Option<PathBuf> {
        let folder = match (&self.docker_config, &self.home) {
            (Some(folder), _) => folder.clone(),
            (None, Some(home)) => home.join(".docker"),
            (None, None) => return None,
        };
        Some(folder.join("config.json"))
    }

    /// The file in which podman and skopeo log in.
    pub(crate) fn containers_file(&self) -> Option<PathBuf> {
        Some(
            self.xdg_runtime_dir
                .as_ref()?
                .join("containers")
                .join("auth.json"),
        )
    }

    /// A path as people write it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match self.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) => format!("~/{}", rest.display()),
            None => path.display().to_string(),
        }
    }
}
