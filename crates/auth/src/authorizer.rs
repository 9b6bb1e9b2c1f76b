//! From a request's needs to its `Authorization` header, and what to do when the registry does not accept it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Uri};
use landfall_net::client::Transport;
use landfall_oci::{Registry, Repository};

use crate::cloud::Lease;
use crate::exchange::{Exchange, Issued, Manner, basic_header, bearer_header};
use crate::realm::{Realm, Realms};
use crate::tokens::{Key, Tokens};
use crate::{AuthError, Challenge, Credential, Found, Keyring, ScopeSet, TokenOptions};

/// Authorises the requests of one run. Cloning shares what was learnt and the tokens.
#[derive(Clone)]
pub struct Authorizer {
    inner: Arc<Inner>,
    realms: Arc<Realms>,
}

struct Inner {
    transport: Transport,
    keyring: Keyring,
    tokens: Tokens,
    /// How each registry wants it.
    known: Mutex<HashMap<Registry, Known>>,
    /// Token servers without the OAuth2 form.
    without_form: Mutex<HashSet<Uri>>,
}

/// How a registry wants to be shown who we are.
#[derive(Clone, Debug)]
enum Known {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        /// The registry's URL that said so.
        answered_by: Uri,
    },
}

/// What one request carries, and where it comes from.
#[derive(Debug)]
pub struct Ticket {
    /// The `Authorization` header, if any.
    pub header: Option<HeaderValue>,
    /// The credential behind it, for messages.
    pub provenance: Arc<str>,
    found: Found,
    /// What to give back when it is refused; a cloud's credential only.
    lease: Option<Lease>,
    key: Key,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Nothing,
    Basic,
    RegistryToken,
    Token { id: u64, fresh: bool },
}

/// What to do after a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask for a new ticket and send the request again.
    Retry,
    /// There is nothing better to show.
    GiveUp,
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer")
            .field("keyring", &self.inner.keyring)
            .finish_non_exhaustive()
    }
}

impl Authorizer {
    /// An authoriser that has learnt nothing yet.
    #[must_use]
    pub fn new(transport: Transport, keyring: Keyring, options: TokenOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                transport,
                keyring,
                tokens: Tokens::new(options),
                known: Mutex::default(),
                without_form: Mutex::default(),
            }),
            realms: Arc::default(),
        }
    }

    /// The same, talking to token servers on these hosts only.
    #[must_use]
    pub fn with_realms(mut self, realms: Realms) -> Self {
        self.realms = Arc::new(realms);
        self
    }

    /// What a request with these needs carries, as far as the registry is known: the first request to a registry goes
    /// out bare, unless there is a ready token.
    ///
    /// # Errors
    /// [`AuthError`]: no way to the credential, or none to the token.
    pub async fn ticket(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
        scopes: &ScopeSet,
    ) -> Result<Ticket, AuthError> {
        let (found, lease) = self.inner.keyring.find(registry, repository).await?;
        let key = Key {
            registry: registry.clone(),
            provenance: Arc::clone(&found.provenance),
            scopes: scopes.clone(),
        };
        let (header, kind) = match (&found.credential, self.known(registry)) {
            (Credential::RegistryToken { token }, _) => (bearer_header(token), Kind::RegistryToken),
            (Credential::Basic { username, password }, Some(Known::Basic)) => {
                (basic_header(username, password), Kind::Basic)
            }
            (_, None | Some(Known::Basic)) => (None, Kind::Nothing),
            (
                _,
                Some(Known::Bearer {
                    realm,
                    service,
                    answered_by,
                }),
            ) => {
                let realm = Realm::check(
                    &self.realms,
                    registry.as_str(),
                    &answered_by,
                    &realm,
                    service,
                    &found.credential,
                )?;
                let (header, kind) = self
                    .token(&key, repository, (&found, lease.as_ref()), &realm)
                    .await?;
                (Some(header), kind)
            }
        };
        Ok(Ticket {
            header,
            provenance: Arc::clone(&found.provenance),
            found,
            lease,
            key,
            kind,
        })
    }

    async fn token(
        &self,
        key: &Key,
        repository: Option<&Repository>,
        (found, lease): (&Found, Option<&Lease>),
        realm: &Realm,
    ) -> Result<(HeaderValue, Kind), AuthError> {
        let keyring = &self.inner.keyring;
        let fetch = async |scopes: &ScopeSet| {
            let refusal = match (self.exchange(key, found, realm, scopes).await, lease) {
                (Err(error @ AuthError::Rejected { .. }), Some(lease)) if keyring.refuse(lease).await => {
                    error
                }
                (issued, _) => return issued,
            };
            tracing::debug!(%refusal, "the credential of a cloud is renewed");
            let (renewed, _) = keyring.find(&key.registry, repository).await?;
            self.exchange(key, &renewed, realm, scopes).await
        };
        let (token, fresh) = self.inner.tokens.get(key, fetch).await?;
        Ok((token.header, Kind::Token { id: token.id, fresh }))
    }

    async fn exchange(
        &self,
        key: &Key,
        found: &Found,
        realm: &Realm,
        scopes: &ScopeSet,
    ) -> Result<Issued, AuthError> {
        let exchange = Exchange {
            transport: &self.inner.transport,
            registry: key.registry.as_str(),
            realm,
            found,
            scopes,
            manner: Manner::Ours,
        };
        let get_first = lock(&self.inner.without_form).contains(&realm.url);
        let issued = exchange.run(get_first).await?;
        if issued.by_get && matches!(found.credential, Credential::Basic { .. }) {
            lock(&self.inner.without_form).insert(realm.url.clone());
        }
        Ok(issued)
    }

    /// Reads the 401 that a request with `ticket` was answered by `answered_by`, a URL of the registry itself.
    ///
    /// # Errors
    /// [`AuthError::Unsupported`] when the registry wants neither Basic nor Bearer, [`AuthError::RealmRefused`].
    pub async fn refused(
        &self,
        ticket: &Ticket,
        answered_by: &Uri,
        headers: &HeaderMap,
    ) -> Result<Verdict, AuthError> {
        let registry = &ticket.key.registry;
        let mut challenges = Vec::new();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            challenges.extend(Challenge::parse(&String::from_utf8_lossy(value.as_bytes())));
        }
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer {
                realm,
                service,
                scope,
                error,
            } => Some((realm, service, scope, error)),
            _ => None,
        });
        if let Some((realm, service, scope, error)) = bearer {
            Realm::check(
                &self.realms,
                registry.as_str(),
                answered_by,
                realm,
                service.clone(),
                &ticket.found.credential,
            )?;
            let known = Known::Bearer {
                realm: realm.clone(),
                service: service.clone(),
                answered_by: answered_by.clone(),
            };
            lock(&self.inner.known).insert(registry.clone(), known);
            let wanted = ScopeSet::parse(scope.as_deref().unwrap_or_default());
            let has_ended = error.as_deref() == Some("invalid_token");
            return Ok(self.after_bearer(ticket, &wanted, has_ended).await);
        }
        if challenges
            .iter()
            .any(|challenge| matches!(challenge, Challenge::Basic { .. }))
        {
            lock(&self.inner.known).insert(registry.clone(), Known::Basic);
            let has_password = matches!(ticket.found.credential, Credential::Basic { .. });
            let is_new = !matches!(ticket.kind, Kind::Basic);
            return match has_password && is_new {
                true => Ok(Verdict::Retry),
                false => Ok(self.renew(ticket).await),
            };
        }
        match challenges.is_empty() {
            true => Ok(Verdict::GiveUp),
            false => Err(AuthError::Unsupported {
                registry: registry.to_string(),
                schemes: schemes(&challenges),
            }),
        }
    }

    async fn after_bearer(&self, ticket: &Ticket, wanted: &ScopeSet, has_ended: bool) -> Verdict {
        match ticket.kind {
            Kind::RegistryToken => Verdict::GiveUp,
            Kind::Nothing | Kind::Basic => {
                self.inner.tokens.widen(&ticket.key, wanted).await;
                Verdict::Retry
            }
            Kind::Token { id, fresh } => {
                self.inner.tokens.reject(&ticket.key, id, wanted).await;
                // A token that was just made for exactly this will not be better the next time; unless it was ended in
                // between, because somebody changed the users. The caller counts its rounds.
                let is_enough = ticket.key.scopes.covers(wanted);
                if fresh && is_enough && !has_ended {
                    Verdict::GiveUp
                } else {
                    Verdict::Retry
                }
            }
        }
    }

    /// Reads a 403: of a password that is over, ECR says so. What may be meant by it is a right that is missing, so this is
    /// asked of credentials that can be renewed alone.
    pub async fn denied(&self, ticket: &Ticket) -> Verdict {
        self.renew(ticket).await
    }

    /// The credentials of this run.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    /// Gives back a cloud's password that was sent and refused.
    async fn renew(&self, ticket: &Ticket) -> Verdict {
        match &ticket.lease {
            Some(lease) if matches!(ticket.kind, Kind::Basic) && self.inner.keyring.refuse(lease).await => {
                Verdict::Retry
            }
            _ => Verdict::GiveUp,
        }
    }

    fn known(&self, registry: &Registry) -> Option<Known> {
        lock(&self.inner.known).get(registry).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn schemes(challenges: &[Challenge]) -> String {
    let names = challenges.iter().map(|challenge| match challenge {
        Challenge::Basic { .. } => "Basic",
        Challenge::Bearer { .. } => "Bearer",
        Challenge::Other { scheme } => scheme,
    });
    names
        .map(|name| name.chars().take(40).collect())
        .collect::<Vec<String>>()
        .join(", ")
}
