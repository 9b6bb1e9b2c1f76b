//! Who is asking, and what may they do?
//!
//! A request's sender is a user of the password file (by `Authorization: Basic`, or by a token that we gave out), the
//! holder of a client certificate, or nobody in particular. What they may do stands in the rules. Both files, and the
//! key of the tokens, are read again when they change; a request sees one state of them from its beginning to its end.

mod caller;
mod challenge;
mod endpoint;
mod files;
mod hash;
mod htpasswd;
mod identity;
mod origin;
mod rules;
mod rules_file;
mod scope;
mod slowdown;
mod token;
mod verifier;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

use crate::clock::unix_ms;
use crate::error::ServerError;
use crate::registry::Peer;
use crate::reply::Failure;
pub(crate) use caller::Caller;
pub(crate) use challenge::{Asked, Challenger};
use files::Sources;
pub use htpasswd::Htpasswd;
use htpasswd::{Password, Users};
pub use identity::Identity;
pub use landfall_net::Network;
pub use rules::Rules;
use slowdown::Failures;
use token::{Signer, Use};
use verifier::Verifier;

/// Who is let in.
#[derive(Debug, Default)]
pub enum Access {
    /// Everybody, to everything.
    #[default]
    Anyone,
    /// The users of a file and the holders of client certificates, to everything.
    Users(Htpasswd),
    /// Whom the rules let, and by tokens if there are any.
    Controlled(Arc<AccessControl>),
}

/// Where it stands who may do what.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// The users and the hashes of their passwords. Without it nobody can log in with a password.
    pub htpasswd: Option<PathBuf>,
    /// The rules. Without them whoever is let in may do everything; without users too, everybody is let in.
    pub rules: Option<PathBuf>,
    /// Tokens of our own. Without them passwords travel with every request.
    pub tokens: Option<TokenOptions>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// How often [`AccessControl::watch`] looks at the files.
    pub look_every: Duration,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            htpasswd: None,
            rules: None,
            tokens: None,
            trusted_proxies: Vec::new(),
            look_every: Duration::from_secs(5),
        }
    }
}

/// How tokens are made.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// The key that they are signed with: made at the first start, and shared by replicas.
    pub key_file: PathBuf,
    /// How long a token is good for.
    pub lifetime: Duration,
    /// How long a client that asked for it (`docker login`) can get new tokens without the password.
    pub refresh_lifetime: Duration,
    /// The name of the registry in its tokens: they are good for this name only.
    pub service: String,
    /// Under which URL clients reach us, where it is not the one that they used (`https://registry.example`).
    pub external_url: Option<String>,
}

impl TokenOptions {
    /// Tokens with the usual settings.
    #[must_use]
    pub fn new(key_file: PathBuf) -> Self {
        Self {
            key_file,
            lifetime: Duration::from_secs(300),
            refresh_lifetime: Duration::from_secs(90 * 24 * 3600),
            service: "landfall".to_owned(),
            external_url: None,
        }
    }
}

/// Says of each request who sent it and what its sender may do.
pub struct AccessControl {
    options: AccessOptions,
    state: RwLock<Arc<State>>,
    /// What was last looked at.
    seen: Mutex<files::Seen>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    verifier: Verifier,
    failures: Failures,
}

impl std::fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessControl")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What is in force.
#[derive(Clone)]
struct State {
    users: Option<Users>,
    rules: Arc<Rules>,
    signer: Option<Arc<Signer>>,
    /// Everybody may do everything: credentials are not even looked at.
    open: bool,
}

impl From<Access> for Arc<AccessControl> {
    fn from(access: Access) -> Self {
        match access {
            Access::Anyone => Arc::new(AccessControl::of(
                AccessOptions::default(),
                State::new(None, None, None),
            )),
            Access::Users(users) => {
                let state = State::new(Some(Arc::new(users)), None, None);
                Arc::new(AccessControl::of(AccessOptions::default(), state))
            }
            Access::Controlled(control) => control,
        }
    }
}

impl State {
    fn new(users: Option<Users>, rules: Option<Rules>, signer: Option<Signer>) -> Self {
        Self {
            open: users.is_none() && rules.is_none(),
            rules: Arc::new(rules.unwrap_or_else(|| match users {
                Some(_) => Rules::known(),
                None => Rules::open(),
            })),
            users,
            signer: signer.map(Arc::new),
        }
    }
}

impl AccessControl {
    /// Reads the files; makes the key of the tokens if there is none.
    ///
    /// # Errors
    /// [`ServerError`] with file and line when one of them cannot be used.
    pub async fn open(options: AccessOptions) -> Result<Arc<Self>, ServerError> {
        let options = challenge::checked(options)?;
        let sources = Sources::of(&options);
        let read = tokio::task::spawn_blocking(move || {
            let seen = sources.look();
            sources.read_all().map(|state| (seen, state))
        });
        let (seen, state) = read.await.unwrap_or(Err(ServerError::Stopped))?;
        let control = Self::of(options, state);
        control.set_seen(seen);
        control.warn_of_strangers(&control.state());
        Ok(Arc::new(control))
    }

    fn of(options: AccessOptions, state: State) -> Self {
        Self {
            options,
            state: RwLock::new(Arc::new(state)),
            seen: Mutex::default(),
            reloading: tokio::sync::Mutex::default(),
            verifier: Verifier::default(),
            failures: Failures::default(),
        }
    }

    /// Reads all files again. What is good is in force from now on; of what is not, the old stays, and the log says so.
    ///
    /// # Errors
    /// [`ServerError`] of the first file that cannot be used.
    pub async fn reload(&self) -> Result<(), ServerError> {
        let _alone = self.reloading.lock().await;
        let (sources, old) = (Sources::of(&self.options), self.state());
        let read = tokio::task::spawn_blocking(move || (sources.look(), sources.read_again(&old)));
        let (seen, (state, errors)) = read.await.map_err(|_| ServerError::Stopped)?;
        self.set_seen(seen);
        for error in &errors {
            tracing::error!(%error, "the old one stays in force: mend the file, it is read again by itself");
        }
        self.warn_of_strangers(&state);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => {
                tracing::info!("users, rules and keys were read again");
                Ok(())
            }
        }
    }

    /// Looks at the files for ever, and reads them again when one has changed.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.options.look_every).await;
            let sources = Sources::of(&self.options);
            let look = tokio::task::spawn_blocking(move || sources.look()).await;
            let is_same = |now| now == *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !look.is_ok_and(is_same) {
                // The log has it.
                let _ = self.reload().await;
            }
        }
    }

    /// How many hashes of passwords were computed since the start.
    #[must_use]
    pub fn password_hashes(&self) -> u64 {
        self.verifier.hashes()
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_seen(&self, seen: files::Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn warn_of_strangers(&self, state: &State) {
        let Some(path) = &self.options.rules else { return };
        for stranger in state.rules.strangers(state.users.as_deref(), path) {
            tracing::warn!("{stranger}");
        }
    }

    /// The client itself: the peer, or the one that a trusted proxy speaks for.
    pub(crate) fn origin(&self, headers: &HeaderMap, peer: Peer) -> Peer {
        origin::origin(headers, peer, &self.options.trusted_proxies)
    }

    /// Says who sent a request, or how it is refused.
    pub(crate) async fn identify<'a>(&'a self, asked: Asked<'a>) -> Result<Caller<'a>, Failure> {
        let state = self.state();
        let caller = |identity, grant, state| {
            Caller::new(
                identity,
                grant,
                state,
                Challenger::new(self.options.tokens.as_ref(), asked),
            )
        };
        if state.open {
            return Ok(caller(certified(asked.peer), None, state));
        }
        let challenger = Challenger::new(self.options.tokens.as_ref(), asked);
        match credential(asked.headers) {
            Credential::None => {
                let identity = certified(asked.peer);
                match state.rules.give_anything(&identity) || identity.name().is_some() {
                    true => Ok(caller(identity, None, state)),
                    false => Err(challenger.refuse("this registry wants to know who you are: log in", None)),
                }
            }
            Credential::Basic(name, password) => {
                match self.log_in(&state, &name, password, asked.peer).await? {
                    true => Ok(caller(Identity::user(&name), None, state)),
                    false => Err(challenger.refuse(WRONG, None)),
                }
            }
            Credential::Bearer(token) => match opened(&state, Use::Access, token) {
                Some(opened) => Ok(caller(opened.identity, Some(opened.grant), state)),
                None => Err(challenger.refuse("the token is not ours, or has ended", Some("invalid_token"))),
            },
            Credential::Unknown => Err(challenger.refuse("this is not a way to log in here", None)),
        }
    }

    /// Whether a password is right; slower for clients that often were wrong.
    async fn log_in(
        &self,
        state: &State,
        name: &str,
        password: Password,
        peer: &Peer,
    ) -> Result<bool, Failure> {
        let Some(users) = &state.users else {
            return Ok(false);
        };
        if users.remembers(name, &password) {
            return Ok(true);
        }
        let client = peer.addr.ip();
        // Before the queue, so that who must wait takes no place in it; and behind it, for those who came at once.
        self.failures.look(client, Instant::now()).map_err(too_soon)?;
        let admit = || self.failures.admit(client, Instant::now()).map_err(too_soon);
        let right = users.verify(&self.verifier, name, password, admit).await?;
        // Only a password that had to be tried clears the sheet: who knows one cannot wash away guesses at others.
        match right {
            true => self.failures.succeeded(client),
            false => self.failures.failed(client, Instant::now()),
        }
        Ok(right)
    }
}

fn too_soon(wait: Duration) -> Failure {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    Failure::too_many(
        "too many wrong log-ins from this address; wait, then try again",
        seconds.saturating_add(1),
    )
}

/// What is said of a wrong name and of a wrong password alike.
const WRONG: &str = "the user name or the password is wrong";

fn opened(state: &State, kind: Use, token: &str) -> Option<token::Opened> {
    let signer = state.signer.as_ref()?;
    signer.open(kind, token, state.users.as_deref(), unix_ms() / 1000)
}

fn certified(peer: &Peer) -> Identity {
    match &peer.certificate {
        Some(name) => Identity::certificate(name),
        None => Identity::anonymous(),
    }
}

/// What a request shows.
enum Credential<'a> {
    None,
    Basic(String, Password),
    Bearer(&'a str),
    Unknown,
}

/// The name and password of [`credential`], in the clear.
#[cfg(feature = "fuzzing")]
pub(crate) fn basic_for_fuzzing(headers: &HeaderMap) -> Option<(String, String)> {
    match credential(headers) {
        Credential::Basic(name, password) => Some((name, password.0)),
        _ => None,
    }
}

fn credential(headers: &HeaderMap) -> Credential<'_> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Credential::None;
    };
    let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Credential::Unknown;
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Credential::Bearer(rest.trim());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Credential::Unknown;
    }
    let plain = STANDARD
        .decode(rest.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match plain.as_deref().and_then(|text| text.split_once(':')) {
        // How podman and skopeo say that they have nothing to say.
        Some(("", "")) => Credential::None,
        Some((name, password)) => Credential::Basic(name.to_owned(), Password(password.to_owned())),
        None => Credential::Unknown,
    }
}
