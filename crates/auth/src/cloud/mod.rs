//! Credentials of clouds: the registries of AWS, Google and Azure take tokens of an hour or twelve that this machine's
//! identity can ask for. A registry's name says whose it is; no token ever goes to another host.
//!
//! [`Cloud`] is the last place where a [`crate::Keyring`] looks. It makes no call before it is asked for such a registry,
//! and none twice while an answer is good.

mod aws;
mod azure;
mod calls;
mod clock;
mod failure;
mod google;
mod identities;
mod slot;
mod variables;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use landfall_net::client::TransportOptions;
use landfall_oci::{Registry, Repository};
use tokio::sync::OnceCell;

use crate::{AuthError, Environment, Found};
use aws::{Aws, EcrHost, Identity};
use azure::{AcrHost, Azure};
use calls::Calls;
use failure::Failure;
use google::Google;
use identities::Identities;
use slot::{For, Granted, Slots};

pub use aws::{Created, EcrKeys, NewRepository, is_ecr};
pub use clock::Clock;
pub(crate) use slot::Lease;
pub use variables::Variables;

/// What a run may choose about clouds.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// Look for credentials of this machine where nobody gave any.
    pub automatic: bool,
    /// How long a whole login may take.
    pub limit: Duration,
    /// How soon after a renewal that a refusal caused another refusal causes one.
    pub pause: Duration,
    /// The time of day.
    pub clock: Clock,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            automatic: true,
            limit: Duration::from_secs(60),
            pause: Duration::from_secs(60),
            clock: Clock::default(),
        }
    }
}

/// Who this machine is to the clouds. Cloning shares what they gave.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
    /// Registries that were given keys, or told to use the machine's.
    given: Arc<[(Registry, Option<EcrKeys>)]>,
}

struct Inner {
    run: TransportOptions,
    options: CloudOptions,
    variables: Variables,
    home: Option<PathBuf>,
    calls: OnceCell<Calls>,
    slots: Slots,
    identities: Identities,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given: Vec<_> = self.given.iter().map(|(registry, _)| registry).collect();
        f.debug_struct("Cloud")
            .field("automatic", &self.inner.options.automatic)
            .field("given", &given)
            .finish_non_exhaustive()
    }
}

/// Whose registry a name is.
enum Owner {
    Aws(EcrHost),
    Google,
    Azure(AcrHost),
}

impl Owner {
    fn of(registry: &Registry) -> Option<Self> {
        let host = registry.as_str();
        if google::is_google(host) {
            return Some(Self::Google);
        }
        let aws = EcrHost::of(host).map(Self::Aws);
        aws.or_else(|| AcrHost::of(host).map(Self::Azure))
    }
}

impl Cloud {
    /// Clouds as this environment knows them; asked, when it comes to that, over a transport like the run's.
    #[must_use]
    pub fn new(run: TransportOptions, environment: &Environment, options: CloudOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                run,
                options,
                variables: environment.cloud.clone(),
                home: environment.home.clone(),
                calls: OnceCell::new(),
                slots: Slots::default(),
                identities: Identities::default(),
            }),
            given: Arc::default(),
        }
    }

    /// The same with these keys for a registry of ECR; `None`: with those of this machine, even where that is off.
    pub(crate) fn with_ecr(mut self, registry: Registry, keys: Option<EcrKeys>) -> Self {
        let others = self.given.iter().filter(|(known, _)| *known != registry).cloned();
        self.given = others.chain([(registry.clone(), keys)]).collect();
        self
    }

    /// Whether a registry was given keys of its own.
    pub(crate) fn is_given(&self, registry: &Registry) -> bool {
        self.given_for(registry).is_some()
    }

    fn given_for(&self, registry: &Registry) -> Option<&Option<EcrKeys>> {
        let is_same = |known: &Registry| known.as_str().eq_ignore_ascii_case(registry.as_str());
        let mut given = self.given.iter();
        given.find_map(|(known, keys)| is_same(known).then_some(keys))
    }

    /// The credential for a registry. `None`: it is no cloud's, or nobody wants that.
    pub(crate) async fn find(&self, registry: &Registry) -> Result<Option<(Found, Lease)>, AuthError> {
        let given = self.given_for(registry);
        if given.is_none() && !self.inner.options.automatic {
            return Ok(None);
        }
        let owner = match (Owner::of(registry), given) {
            (Some(owner @ Owner::Aws(_)), _) | (Some(owner), None) => owner,
            (_, Some(_)) => return Err(no_ecr(registry)),
            (None, None) => return Ok(None),
        };
        // One token of Google's is good for all its registries; the others give one for each.
        let slot = match (&owner, given) {
            (Owner::Google, _) => "google".to_owned(),
            (_, Some(Some(_))) => format!("{registry} by given keys"),
            _ => registry.as_str().to_ascii_lowercase(),
        };
        let whom = For {
            slot: &slot,
            registry: registry.as_str(),
            may_be_public: !matches!(&owner, Owner::Aws(host) if host.account.is_some()),
        };
        let keys = given.and_then(|keys| keys.as_ref());
        let limit = self.inner.options.limit;
        let fetch = async move {
            let granted = tokio::time::timeout(limit, self.fetch(&owner, keys)).await;
            granted.unwrap_or_else(|_| Err(Failure::Unavailable(format!("no answer within {limit:?}"))))
        };
        self.inner.slots.get(whom, fetch).await.map(Some)
    }

    /// Takes back what a registry refused. Whether it is worth asking again.
    pub(crate) async fn refuse(&self, lease: &Lease) -> bool {
        self.inner.slots.refuse(lease, self.inner.options.pause).await
    }

    async fn fetch(&self, owner: &Owner, keys: Option<&EcrKeys>) -> Result<Granted, Failure> {
        let calls = self.calls().await?;
        let inner = &*self.inner;
        match owner {
            Owner::Aws(host) => {
                let aws = self.aws(calls, host);
                let (mut identity, was_kept) = self.identity(aws, keys).await?;
                let mut token = aws::token(aws, &identity).await;
                if was_kept && has_ended(&token) {
                    identity = self.another(aws, &identity).await?;
                    token = aws::token(aws, &identity).await;
                }
                token
            }
            Owner::Google => {
                google::token(Google {
                    calls,
                    variables: &inner.variables,
                    home: inner.home.as_deref(),
                    clock: &inner.options.clock,
                })
                .await
            }
            Owner::Azure(host) => {
                azure::token(Azure {
                    calls,
                    variables: &inner.variables,
                    clock: &inner.options.clock,
                    host,
                })
                .await
            }
        }
    }

    /// Makes a repository in a registry of ECR; one that is there is as good.
    pub(crate) async fn create_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
        settings: NewRepository,
    ) -> Result<Created, AuthError> {
        let host = EcrHost::of(registry.as_str()).ok_or_else(|| no_ecr(registry))?;
        let given = self.given_for(registry);
        if given.is_none() && !self.inner.options.automatic {
            let reason = "cloud credentials are switched off, and a repository cannot be made without";
            let failure = Failure::unusable(reason, "switch them on, or make the repository beforehand");
            return Err(failure.of(registry.as_str()));
        }
        let keys = given.and_then(|keys| keys.as_ref());
        let made = async {
            let aws = self.aws(self.calls().await?, &host);
            let (mut identity, was_kept) = self.identity(aws, keys).await?;
            let mut made = aws::create_repository(aws, &identity, repository, settings).await;
            if was_kept && has_ended(&made) {
                identity = self.another(aws, &identity).await?;
                made = aws::create_repository(aws, &identity, repository, settings).await;
            }
            made
        };
        made.await.map_err(|failure| failure.of(registry.as_str()))
    }

    fn aws<'a>(&'a self, calls: &'a Calls, host: &'a EcrHost) -> Aws<'a> {
        Aws {
            calls,
            variables: &self.inner.variables,
            home: self.inner.home.as_deref(),
            clock: &self.inner.options.clock,
            host,
        }
    }

    /// Who we are to AWS, and whether that was found earlier.
    async fn identity(&self, aws: Aws<'_>, keys: Option<&EcrKeys>) -> Result<(Identity, bool), Failure> {
        match keys {
            Some(keys) => {
                let from = "the keys that were given for this registry".to_owned();
                let keys = keys.clone();
                let ends = None;
                Ok((Identity { keys, ends, from }, false))
            }
            None => self.inner.identities.get(aws).await,
        }
    }

    /// Who we are once the keys that were kept are over.
    async fn another(&self, aws: Aws<'_>, old: &Identity) -> Result<Identity, Failure> {
        self.inner.identities.forget(aws, old).await;
        let (identity, _) = self.inner.identities.get(aws).await?;
        Ok(identity)
    }

    /// The way to the clouds, built when it is first needed: that reads certificate files.
    async fn calls(&self) -> Result<&Calls, Failure> {
        let build = async || {
            let run = self.inner.run.clone();
            let plain = aws::plain_endpoints(&self.inner.variables);
            let built = tokio::task::spawn_blocking(move || Calls::new(&run, &plain)).await;
            let built = built.map_err(|_| Failure::Unavailable("it was interrupted".to_owned()))?;
            built.map_err(Failure::Net)
        };
        self.inner.calls.get_or_try_init(build).await
    }
}

/// Whether AWS says that the keys are over.
fn has_ended<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::Refused(refused)) if refused.code.starts_with("ExpiredToken"))
}

fn no_ecr(registry: &Registry) -> AuthError {
    let reason = "it is no registry of ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com)";
    let failure = Failure::unusable(reason, "correct its name, or give user and password");
    failure.of(registry.as_str())
}
