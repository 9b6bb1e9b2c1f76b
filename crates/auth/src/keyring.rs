//! Which credential is for which repository: flags first, then the files that docker, podman and skopeo log in to, then
//! what a cloud gives this machine.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_net::client::TransportOptions;
use landfall_oci::{Registry, Repository};
use tokio::sync::OnceCell;

use crate::cloud::{Cloud, Created, EcrKeys, Lease, NewRepository};
use crate::docker_config::{DockerConfig, HUB_KEY};
use crate::helper::HelperCall;
use crate::{AuthError, CloudOptions, Credential, Environment, Found};

/// How long a helper may take: some ask a person.
const HELPER_LIMIT: Duration = Duration::from_secs(30);

/// All credentials of a run. Cloning shares what helpers have answered.
#[derive(Clone, Default)]
pub struct Keyring {
    inner: Arc<Inner>,
    cloud: Option<Cloud>,
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
            .field("cloud", &self.cloud)
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
            cloud: None,
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
            cloud: None,
        })
    }

    /// The same, with one more docker configuration, before those of this machine and behind what was given; `name` says
    /// where it came from.
    ///
    /// # Errors
    /// What is no docker configuration.
    pub fn with_docker_config(mut self, name: &str, json: &[u8]) -> Result<Self, AuthError> {
        let config = DockerConfig::parse(json).map_err(|reason| AuthError::ConfigInvalid {
            file: name.to_owned(),
            reason,
        })?;
        let mut files = vec![(name.to_owned(), config)];
        files.extend(self.inner.files.iter().cloned());
        self.inner = Arc::new(Inner {
            given: self.inner.given.clone(),
            files,
            path: self.inner.path.clone(),
            answers: Mutex::default(),
        });
        Ok(self)
    }

    /// The same, falling back to what a cloud gives this machine for its registries.
    #[must_use]
    pub fn with_cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = Some(cloud);
        self
    }

    /// The same with access keys for one registry of ECR, as RKE's `ecr_credential_plugin` gives them; `None`: with
    /// whatever AWS's own clients would find on this machine. They win over files, not over user and password that were
    /// given. Without a [`Cloud`] AWS is asked over a transport of its own, which knows no proxy.
    #[must_use]
    pub fn with_ecr(mut self, registry: Registry, keys: Option<EcrKeys>) -> Self {
        let cloud = self.cloud.unwrap_or_else(|| {
            let options = CloudOptions {
                automatic: false,
                ..CloudOptions::default()
            };
            Cloud::new(TransportOptions::default(), &Environment::default(), options)
        });
        self.cloud = Some(cloud.with_ecr(registry, keys));
        self
    }

    /// Makes a repository in a registry of ECR, with the keys that log in there. One that exists is as good as new.
    ///
    /// # Errors
    /// A registry that is none of ECR's ([`crate::is_ecr`]), no AWS credentials, or AWS's refusal.
    pub async fn create_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
        settings: NewRepository,
    ) -> Result<Created, AuthError> {
        match &self.cloud {
            Some(cloud) => cloud.create_repository(registry, repository, settings).await,
            None => Err(AuthError::CloudUnusable {
                registry: registry.to_string(),
                reason: "no AWS credentials were given".to_owned(),
                advice: "make the repository beforehand",
            }),
        }
    }

    /// The credential for a repository (or, without one, for the registry as a whole).
    ///
    /// # Errors
    /// A credential helper that is missing or fails, a cloud that refuses.
    pub async fn lookup(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Found, AuthError> {
        let (found, _) = self.find(registry, repository).await?;
        Ok(found)
    }

    /// The same; what a cloud gave can be given back when it is refused.
    pub(crate) async fn find(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<(Found, Option<Lease>), AuthError> {
        let given = self.inner.given.iter().find(|(name, _)| is_same(name, registry));
        if let Some((_, found)) = given {
            return Ok((found.clone(), None));
        }
        let is_given = self.cloud.as_ref().is_some_and(|cloud| cloud.is_given(registry));
        let mut missing = None;
        if !is_given {
            match self.in_files(registry, repository).await {
                Ok(Some(found)) => return Ok((found, None)),
                Ok(None) => {}
                // Where a cloud's own helper is configured and not installed, we do its work.
                Err(error @ AuthError::HelperMissing { .. }) if self.cloud.is_some() => missing = Some(error),
                Err(error) => return Err(error),
            }
        }
        let found = match &self.cloud {
            // Boxed: the compiler does not see through so many futures within futures that all of them are `Send`.
            Some(cloud) => {
                let found: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(cloud.find(registry));
                found.await?
            }
            None => None,
        };
        match (found, missing) {
            (Some((found, lease)), _) => Ok((found, Some(lease))),
            (None, Some(error)) => Err(error),
            (None, None) => Ok((Found::nothing(), None)),
        }
    }

    /// Gives back what a registry refused. Whether it is worth asking again.
    pub(crate) async fn refuse(&self, lease: &Lease) -> bool {
        match &self.cloud {
            Some(cloud) => cloud.refuse(lease).await,
            None => false,
        }
    }

    async fn in_files(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Option<Found>, AuthError> {
        for (file, config) in &self.inner.files {
            if let Some((helper, key)) = config.helper(registry)
                && let Some(credential) = self.ask_helper(helper, registry, file).await?
            {
                let provenance = format!("{file}, {key}, docker-credential-{helper}");
                return Ok(Some(Found::new(credential, provenance)));
            }
            if let Some((key, credential)) = config.entry(registry, repository) {
                let provenance = format!("{file}, auths[\"{key}\"]");
                return Ok(Some(Found::new(credential.clone(), provenance)));
            }
        }
        Ok(None)
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
