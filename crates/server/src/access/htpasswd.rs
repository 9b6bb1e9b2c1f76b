//! Who is asking: nobody in particular, or a user of a htpasswd file.
//!
//! A wrong name costs as much time as a wrong password. bcrypt is slow on purpose, so it runs on the blocking
//! pool, a few at a time, and a credential that was right is remembered for a while by a keyed hash.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use landfall_hash::Hasher;
use landfall_oci::{Algorithm, ErrorCode};
use tokio::sync::Semaphore;

use crate::error::ServerError;
use crate::reply::Failure;

/// Verifications at a time; more wait.
const AT_ONCE: usize = 2;
/// Verifications that may wait; more are told to come again.
const MAX_WAITING: usize = 64;
/// How long a right credential is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How many are.
const MAX_REMEMBERED: usize = 4096;
/// A cost that nobody's file should go under; the dummy of an empty file.
const USUAL_COST: u32 = 10;

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: Option<Arc<str>>,
}

impl Identity {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { user: None }
    }

    fn user(name: &str) -> Self {
        Self {
            user: Some(name.into()),
        }
    }

    /// The user's name, `None` for nobody in particular.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// Who is let in.
#[derive(Debug, Default)]
pub enum Access {
    /// Everybody, as nobody in particular.
    #[default]
    Anyone,
    /// The users of a file.
    Users(Htpasswd),
}

impl Access {
    /// Says who sent these headers.
    pub(crate) async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Failure> {
        let Self::Users(users) = self else {
            return Ok(Identity::anonymous());
        };
        let Some((user, password)) = basic(headers) else {
            return Err(challenge("this registry needs a user name and a password"));
        };
        match users.verify(&user, password).await? {
            true => Ok(Identity::user(&user)),
            false => Err(challenge("the user name or the password is wrong")),
        }
    }
}

fn challenge(message: &str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message).with(
        header::WWW_AUTHENTICATE,
        "Basic realm=\"landfall\", charset=\"UTF-8\"",
    )
}

/// The credential of `Authorization: Basic`.
fn basic(headers: &HeaderMap) -> Option<(String, Password)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some((user.to_owned(), Password(password.to_owned())))
}

/// A password: never shown.
struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Users and their bcrypt hashes, as `htpasswd -B` writes them.
pub struct Htpasswd {
    users: HashMap<String, String>,
    /// What the password of an unknown user is compared with.
    dummy: String,
    key: [u8; 32],
    remembered: Mutex<HashMap<Vec<u8>, Instant>>,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.users.len();
        f.debug_struct("Htpasswd")
            .field("users", &users)
            .finish_non_exhaustive()
    }
}

impl Htpasswd {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be read, or has a line that is not a name and a bcrypt hash.
    pub async fn read(path: &Path) -> Result<Self, ServerError> {
        let path = path.to_owned();
        let read = move || {
            let text = std::fs::read_to_string(&path).map_err(ServerError::io("read", &path))?;
            Self::parse(&text, &path)
        };
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or(Err(ServerError::Stopped))
    }

    /// Reads the text of a file. Blocks for about one bcrypt hash.
    ///
    /// # Errors
    /// [`ServerError::Htpasswd`] with the line that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ServerError> {
        let mut users = HashMap::new();
        let mut cost = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |reason: &str| ServerError::Htpasswd {
                path: PathBuf::from(path),
                line: number,
                reason: reason.to_owned(),
            };
            let (user, hash) = line.split_once(':').ok_or_else(|| wrong("there is no `:`"))?;
            let parts: bcrypt::HashParts = hash.parse().map_err(|_| {
                wrong("only bcrypt hashes can be used: make the line anew with `htpasswd -B`")
            })?;
            cost = cost.max(Some(parts.get_cost()));
            if users.insert(user.to_owned(), hash.to_owned()).is_some() {
                return Err(wrong("the user stands there twice"));
            }
        }
        let failed = |reason: String| ServerError::Setup {
            what: "prepare the verification of passwords",
            reason,
        };
        let mut key = [0; 32];
        random(&mut key).map_err(failed)?;
        let dummy =
            bcrypt::hash(key, cost.unwrap_or(USUAL_COST)).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            users,
            dummy,
            key,
            remembered: Mutex::default(),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        })
    }

    async fn verify(&self, user: &str, password: Password) -> Result<bool, Failure> {
        let fingerprint = self.fingerprint(user, &password);
        if self.is_remembered(&fingerprint) {
            return Ok(true);
        }
        let known = self.users.get(user);
        let hash = known.unwrap_or(&self.dummy).clone();
        let right = self.slowly(hash, password).await? && known.is_some();
        if right {
            self.remember(fingerprint);
        }
        Ok(right)
    }

    async fn slowly(&self, hash: String, password: Password) -> Result<bool, Failure> {
        let busy = || Failure::too_many("too many log-ins at once; try again", 2);
        let _turn = Turn::take(&self.waiting).ok_or_else(busy)?;
        let permit = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| busy())?;
        let work = move || {
            let _permit = permit;
            // A hash that cannot be read was refused at start; anything else is no match.
            bcrypt::verify(password.0, &hash).unwrap_or(false)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }

    /// Keyed, so that what lies in memory can neither be looked up in a table nor be sent as a credential.
    fn fingerprint(&self, user: &str, password: &Password) -> Vec<u8> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&self.key);
        hasher.update(&(user.len() as u64).to_le_bytes());
        hasher.update(user.as_bytes());
        hasher.update(password.0.as_bytes());
        hasher.finish().as_bytes().to_vec()
    }

    fn is_remembered(&self, fingerprint: &[u8]) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(fingerprint)
            .is_some_and(|until| Instant::now() < *until)
    }

    fn remember(&self, fingerprint: Vec<u8>) {
        let now = Instant::now();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, until| now < *until);
        }
        if remembered.len() < MAX_REMEMBERED {
            remembered.insert(fingerprint, now + REMEMBERED);
        }
    }
}

/// A place in the queue for verification, given back however the request ends.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let turn = Self(waiting);
        (before < MAX_WAITING).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn random(key: &mut [u8; 32]) -> Result<(), String> {
    getrandom::fill(key).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Result<Htpasswd, ServerError> {
        Htpasswd::parse(text, Path::new("users"))
    }

    fn line(user: &str, password: &str) -> String {
        format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
    }

    fn headers(credential: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(credential));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn right_wrong_and_unknown() {
        let text = format!("# staff\n\n{}{}", line("ann", "s3cret"), line("bob", "a:b"));
        let access = Access::Users(users(&text).unwrap());
        for (credential, expected) in [
            ("ann:s3cret", Some("ann")),
            ("ann:s3cret", Some("ann")),
            ("bob:a:b", Some("bob")),
            ("ann:wrong", None),
            ("ann:", None),
            ("carl:s3cret", None),
            ("no colon", None),
        ] {
            match (access.identify(&headers(credential)).await, expected) {
                (Ok(identity), Some(name)) => assert_eq!(identity.name(), Some(name)),
                (Err(failure), None) => {
                    assert_eq!(failure.status, 401);
                    assert!(
                        failure
                            .headers
                            .iter()
                            .any(|(name, _)| name == header::WWW_AUTHENTICATE)
                    );
                }
                (other, _) => panic!("{credential}: {other:?}"),
            }
        }
        assert!(access.identify(&HeaderMap::new()).await.is_err());
        let Access::Users(users) = &access else {
            unreachable!()
        };
        // Only what was right is remembered.
        assert_eq!(users.remembered.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_name_and_a_password_are_not_one_text() {
        let users = users("").unwrap();
        let of = |user: &str, password: &str| users.fingerprint(user, &Password(password.into()));
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_eq!(of("ab", "c"), of("ab", "c"));
    }

    #[test]
    fn the_dummy_costs_what_the_dearest_user_costs() {
        let text = format!(
            "a:{}\nb:{}\n",
            bcrypt::hash("x", 4).unwrap(),
            bcrypt::hash("x", 6).unwrap()
        );
        let parts: bcrypt::HashParts = users(&text).unwrap().dummy.parse().unwrap();
        assert_eq!(parts.get_cost(), 6);
    }

    #[test]
    fn a_bad_line_is_named_and_its_secret_is_not() {
        for (text, wanted) in [
            ("ann", 1),
            ("# x\nann:{SHA}c2VjcmV0\n", 2),
            ("ann:$apr1$abc$secret\n", 1),
            ("ann:s3cret", 1),
        ] {
            match users(text) {
                Err(ServerError::Htpasswd { line, reason, .. }) => {
                    assert_eq!(line, wanted);
                    assert!(!reason.contains("ecret"), "{reason}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let twice = line("ann", "x") + &line("ann", "y");
        assert!(matches!(
            users(&twice),
            Err(ServerError::Htpasswd { line: 2, .. })
        ));
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_again() {
        let users = users(&line("ann", "x")).unwrap();
        let _places: Vec<_> = (0..MAX_WAITING)
            .map(|_| Turn::take(&users.waiting).unwrap())
            .collect();
        let refused = users.verify("ann", Password("y".into())).await.unwrap_err();
        assert_eq!(refused.status, 429);
        assert!(
            refused
                .headers
                .iter()
                .any(|(name, _)| name == header::RETRY_AFTER)
        );
        assert_eq!(users.waiting.load(Ordering::Acquire), MAX_WAITING);
    }
}
