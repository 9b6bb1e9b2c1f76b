//! Which credential is for which repository: flags first, then the files that docker, podman and skopeo log in to.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_oci::{Registry, Repository};
use tokio::sync::OnceCell;

use crate::docker_config::{DockerConfig, HUB_KEY};
use crate::helper::HelperCall;
use crate::{AuthError, Credential, Environment, Found};

/// How long a helper may take: some ask a person.
const HELPER_LIMIT: Duration = Duration::from_secs(30);

/// All credentials of a run. Cloning shares what helpers have answered.
#[derive(Clone, Default)]
pub struct Keyring {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    given: Vec<(Registry, Found)>,
    files: Vec<(String, DockerConfig)>,
    path: Option<OsString>,
    answers: Mutex<HashMap<(String, String), Answer>>,
}

type Answer = Arc<OnceCell<Option<Credential>>>;

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = self.inner.files.iter().map(|(file, _)| file).collect();
        f.debug_struct("Keyring")
            .field("files", &files)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring with these credentials alone; the text says where each came from (`--username`).
    #[must_use]
    pub fn of(given: impl IntoIterator<Item = (Registry, Credential, String)>) -> Self {
        Self {
            inner: Arc::new(Inner {
                given: collect_given(given),
                ..Inner::default()
            }),
        }
    }

    /// Reads the files that the environment points to: `REGISTRY_AUTH_FILE`, docker's `config.json`, podman's
    /// `auth.json`, in this order after what was `given`. Blocks; to be called before the run.
    ///
    /// # Errors
    /// A file that cannot be read or decoded, by name. A file that is not there is no error, unless
    /// `REGISTRY_AUTH_FILE` names it.
    pub fn load(
        environment: &Environment,
        given: impl IntoIterator<Item = (Registry, Credential, String)>,
    ) -> Result<Self, AuthError> {
        let mut files = Vec::new();
        let mut add = |path: &Path, must_exist: bool| -> Result<(), AuthError> {
            let file = environment.shown(path);
            if let Some(config) = read(path, &file, must_exist)? {
                files.push((file, config));
            }
            Ok(())
        };
        if let Some(path) = &environment.registry_auth_file {
            add(path, true)?;
        }
        for path in [environment.docker_file(), environment.containers_file()]
            .into_iter()
            .flatten()
        {
            add(&path, false)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                given: collect_given(given),
                files,
                path: environment.path.clone(),
                answers: Mutex::default(),
            }),
        })
    }

    /// The credential for a repository (or, without one, for the registry as a whole).
    ///
    /// # Errors
    /// A credential helper that is missing or fails.
    pub async fn lookup(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Found, AuthError> {
        let given = self.inner.given.iter().find(|(name, _)| is_same(name, registry));
        if let Some((_, found)) = given {
            return Ok(found.clone());
        }
        for (file, config) in &self.inner.files {
            if let Some((helper, key)) = config.helper(registry)
                && let Some(credential) = self.ask_helper(helper, registry, file).await?
            {
                let provenance = format!("{file}, {key}, docker-credential-{helper}");
                return Ok(Found::new(credential, provenance));
            }
            if let Some((key, credential)) = config.entry(registry, repository) {
                let provenance = format!("{file}, auths[\"{key}\"]");
                return Ok(Found::new(credential.clone(), provenance));
            }
        }
        Ok(Found::nothing())
    }

    /// Asks a helper once per run and server, however many wait for the answer.
    async fn ask_helper(
        &self,
        name: &str,
        registry: &Registry,
        file: &str,
    ) -> Result<Option<Credential>, AuthError> {
        let server = if registry.is_docker_hub() {
            HUB_KEY
        } else {
            registry.as_str()
        };
        let answer = {
            let mut answers = self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry((name.to_owned(), server.to_owned())).or_default())
        };
        let call = HelperCall {
            name,
            server,
            file,
            path: self.inner.path.as_deref(),
            limit: HELPER_LIMIT,
        };
        answer.get_or_try_init(|| call.get()).await.cloned()
    }
}

fn collect_given(given: impl IntoIterator<Item = (Registry, Credential, String)>) -> Vec<(Registry, Found)> {
    given
        .into_iter()
        .map(|(registry, credential, provenance)| (registry, Found::new(credential, provenance)))
        .collect()
}

fn is_same(one: &Registry, other: &Registry) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str()) || (one.is_docker_hub() && other.is_docker_hub())
}

fn read(path: &Path, file: &str, must_exist: bool) -> Result<Option<DockerConfig>, AuthError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if !must_exist && is_absent(&error) => return Ok(None),
        Err(source) => {
            return Err(AuthError::ConfigUnreadable {
                file: file.to_owned(),
                source: Arc::new(source),
            });
        }
    };
    let config = DockerConfig::parse(&bytes).map_err(|reason| AuthError::ConfigInvalid {
        file: file.to_owned(),
        reason,
    })?;
    Ok(Some(config))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
