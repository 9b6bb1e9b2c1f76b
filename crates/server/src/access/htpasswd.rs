//! The users of a password file, and whether a password is theirs.
//!
//! A wrong name costs as much time as a wrong password. Hashes are slow on purpose, so they are computed on the
//! blocking pool, a few at a time, and a credential that was right is remembered for a while by a keyed hash.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_hash::Hasher;
use landfall_oci::Algorithm;

use super::hash::PasswordHash;
use super::verifier::Verifier;
use crate::error::ServerError;
use crate::reply::Failure;

/// How long a right credential is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How many are.
const MAX_REMEMBERED: usize = 4096;

/// A password: never shown.
pub(super) struct Password(pub(super) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Users and the hashes of their passwords: bcrypt (as `htpasswd -B` writes them) or argon2id.
pub struct Htpasswd {
    users: HashMap<String, User>,
    /// What the password of an unknown user is compared with: the dearest hash of the file, its answer unheard. A
    /// file without users has none to hide.
    dummy: Option<PasswordHash>,
    key: [u8; 32],
    remembered: Mutex<HashMap<Vec<u8>, Instant>>,
}

struct User {
    hash: PasswordHash,
    /// Tells this line from the one that a new password makes; says nothing of either.
    mark: Vec<u8>,
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
    /// [`ServerError`] when it cannot be read, or has a line that is not a name and a hash.
    pub async fn read(path: &Path) -> Result<Self, ServerError> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::load(&path))
            .await
            .unwrap_or(Err(ServerError::Stopped))
    }

    /// The same, blocking.
    pub(super) fn load(path: &Path) -> Result<Self, ServerError> {
        let text = std::fs::read_to_string(path).map_err(ServerError::io("read", path))?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ServerError::Htpasswd`] with the line that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ServerError> {
        let mut users = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |reason: &str| ServerError::Htpasswd {
                path: path.to_owned(),
                line: number,
                reason: reason.to_owned(),
            };
            let (name, text) = line.split_once(':').ok_or_else(|| wrong("there is no `:`"))?;
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(wrong("there is no name before the `:`"));
            }
            let hash = PasswordHash::parse(text).map_err(wrong)?;
            let mark = landfall_hash::digest(Algorithm::Sha256, line.as_bytes())
                .as_bytes()
                .to_vec();
            if users.insert(name.to_owned(), User { hash, mark }).is_some() {
                return Err(wrong("the user stands there twice: remove one of the lines"));
            }
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| ServerError::Setup {
            what: "prepare the verification of passwords",
            reason: error.to_string(),
        })?;
        let hashes = users.values().map(|user| &user.hash);
        Ok(Self {
            dummy: hashes.max_by_key(|hash| hash.dearness()).cloned(),
            users,
            key,
            remembered: Mutex::default(),
        })
    }

    /// Whether there is such a user.
    pub(super) fn has(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    /// What changes with the user's password; `None` for nobody.
    pub(super) fn mark(&self, name: &str) -> Option<&[u8]> {
        self.users.get(name).map(|user| user.mark.as_slice())
    }

    /// Whether this credential was right a short while ago.
    pub(super) fn remembers(&self, name: &str, password: &Password) -> bool {
        let fingerprint = self.fingerprint(name, password);
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(&fingerprint)
            .is_some_and(|until| Instant::now() < *until)
    }

    /// Computes the hash, also for a name that nobody has, once it is this one's turn and `admit` lets it.
    pub(super) async fn verify(
        &self,
        verifier: &Verifier,
        name: &str,
        password: Password,
        admit: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let known = self.users.get(name).map(|user| &user.hash);
        let Some(hash) = known.or(self.dummy.as_ref()) else {
            return Ok(false);
        };
        let fingerprint = self.fingerprint(name, &password);
        let right = verifier.verify(hash.clone(), password, admit).await? && known.is_some();
        if right {
            self.remember(fingerprint);
        }
        Ok(right)
    }

    /// Keyed, so that what lies in memory can neither be looked up in a table nor be sent as a credential.
    fn fingerprint(&self, name: &str, password: &Password) -> Vec<u8> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(password.0.as_bytes());
        hasher.finish().as_bytes().to_vec()
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

/// Shared, as a part of what is in force.
pub(super) type Users = Arc<Htpasswd>;

#[cfg(test)]
mod tests {
    use super::super::hash::tests::argon2id_of;
    use super::*;

    fn users(text: &str) -> Result<Htpasswd, ServerError> {
        Htpasswd::parse(text, Path::new("users"))
    }

    fn line(user: &str, password: &str) -> String {
        format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
    }

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[tokio::test]
    async fn right_wrong_and_unknown() {
        let argon = format!("dan:{}\n", argon2id_of("d:d", 64));
        let text = format!(
            "# staff\n\n{}{}{argon}",
            line("ann", "s3cret"),
            line("bob", "a:b")
        );
        let users = users(&text).unwrap();
        let verifier = Verifier::default();
        for (name, text, expected) in [
            ("ann", "s3cret", true),
            ("bob", "a:b", true),
            ("dan", "d:d", true),
            ("dan", "d:e", false),
            ("ann", "wrong", false),
            ("ann", "", false),
            ("carl", "s3cret", false),
            // The dummy is somebody's hash: its password lets nobody else in.
            ("carl", "a:b", false),
            ("carl", "d:d", false),
        ] {
            let right = users
                .verify(&verifier, name, password(text), || Ok(()))
                .await
                .unwrap();
            assert_eq!(right, expected, "{name}:{text}");
            // Only what was right is remembered.
            assert_eq!(users.remembers(name, &password(text)), expected, "{name}:{text}");
        }
    }

    /// zot answered at once for a name that it did not know. Hashes are counted here, not time.
    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_too() {
        let users = users(&line("ann", "x")).unwrap();
        let verifier = Verifier::default();
        for name in ["ann", "nobody", ""] {
            let before = verifier.hashes();
            assert!(
                !users
                    .verify(&verifier, name, password("wrong"), || Ok(()))
                    .await
                    .unwrap()
            );
            assert_eq!(verifier.hashes(), before + 1, "{name}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_not_one_text() {
        let users = users("").unwrap();
        let of = |name: &str, text: &str| users.fingerprint(name, &password(text));
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_eq!(of("ab", "c"), of("ab", "c"));
    }

    #[test]
    fn the_dummy_costs_what_the_dearest_user_costs() {
        let bcrypt = |cost| bcrypt::hash("x", cost).unwrap();
        let both = format!("a:{}\nb:{}\n", bcrypt(4), bcrypt(6));
        let dearness = |text: &str| users(text).unwrap().dummy.unwrap().dearness();
        assert_eq!(dearness(&both), 60 << 6);
        let mixed = format!("{both}c:{}\n", argon2id_of("x", 8192));
        assert_eq!(dearness(&mixed), 8192);
        assert!(users("# nobody\n").unwrap().dummy.is_none());
    }

    #[test]
    fn a_new_password_makes_a_new_mark() {
        let (old, new) = (
            users(&line("ann", "x")).unwrap(),
            users(&line("ann", "x")).unwrap(),
        );
        // Another salt is another line.
        assert_ne!(old.mark("ann"), new.mark("ann"));
        assert_eq!(old.mark("bob"), None);
    }

    #[test]
    fn a_bad_line_is_named_and_its_secret_is_not() {
        for (text, asked) in [
            ("ann", 1),
            ("# x\nann:{SHA}c2VjcmV0\n", 2),
            ("ann:$apr1$abc$secret\n", 1),
            ("ann:s3cret", 1),
            (":s3cret", 1),
            ("ann:$argon2id$v=19$m=1$secret", 1),
        ] {
            match users(text) {
                Err(ServerError::Htpasswd { line, reason, .. }) => {
                    assert_eq!(line, asked);
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
}
