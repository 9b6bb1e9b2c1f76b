//! Tokens: what we signed, we believe, as long as it is fresh. They are JSON web tokens, but of one kind only.
//!
//! The header of a token is ours to the byte or the token is not ours: no algorithm and no key is ever taken from it
//! (CVE-2025-24976). A token says who may ask and for which names; what that somebody may do there is looked up in
//! the rules each time (GHSA-c9p4: groups that were stored with a log-in outlived it).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::htpasswd::Htpasswd;
use super::identity::Identity;
use super::scope::Grant;
use crate::error::ServerError;

/// How much the clocks of two machines that share a key may differ.
const SKEW: u64 = 30;
/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// No token of ours is longer.
const MAX_TOKEN_BYTES: usize = 24 * 1024;

/// What a token is good for: part of what is signed, so that one cannot be used as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To ask the registry.
    Access,
    /// To get tokens of the first kind.
    Refresh,
}

impl Use {
    const fn header(self) -> &'static str {
        match self {
            Self::Access => r#"{"alg":"HS256","typ":"at+jwt"}"#,
            Self::Refresh => r#"{"alg":"HS256","typ":"rt+jwt"}"#,
        }
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Claims {
    aud: String,
    /// As [`Identity::name`] gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    iat: u64,
    exp: u64,
    /// Changes with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(default)]
    access: Grant,
}

/// A token that is ours.
#[derive(Debug, PartialEq)]
pub(super) struct Opened {
    pub(super) identity: Identity,
    pub(super) grant: Grant,
}

/// Signs and opens tokens.
pub(super) struct Signer {
    key: hmac::Key,
    service: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// The key of a file, which is made when there is none and `make` is true.
    pub(super) fn load(path: &Path, service: &str, make: bool) -> Result<Self, ServerError> {
        if make && !path.exists() {
            make_key(path)?;
        }
        let text = fs::read_to_string(path).map_err(ServerError::io("read", path))?;
        let key = URL_SAFE_NO_PAD.decode(text.trim()).ok();
        let key = key.filter(|key| key.len() == KEY_BYTES).ok_or(ServerError::TokenKey {
            path: path.to_owned(),
            reason: "this is not a key as Landfall makes one: remove the file, and a new key is made at the next \
                     start (all tokens end with the old one)",
        })?;
        Ok(Self::new(&key, service))
    }

    fn new(key: &[u8], service: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            service: service.to_owned(),
        }
    }

    /// A token for somebody, from `now` (seconds since 1970) on.
    pub(super) fn sign(
        &self,
        kind: Use,
        identity: &Identity,
        grant: Grant,
        users: Option<&Htpasswd>,
        now: u64,
        lifetime: Duration,
    ) -> String {
        let claims = Claims {
            aud: self.service.clone(),
            sub: identity.name().map(str::to_owned),
            iat: now,
            exp: now.saturating_add(lifetime.as_secs()),
            mark: self.mark(identity, users),
            access: grant,
        };
        let payload = serde_json::to_vec(&claims).unwrap_or_default();
        let header = URL_SAFE_NO_PAD.encode(kind.header());
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Who holds a token and what it is for, if it is ours, fresh, and its user still has the same password.
    pub(super) fn open(&self, kind: Use, token: &str, users: Option<&Htpasswd>, now: u64) -> Option<Opened> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let (header, payload) = signed.split_once('.')?;
        if header != URL_SAFE_NO_PAD.encode(kind.header()) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let fresh = claims.iat <= now.saturating_add(SKEW) && now < claims.exp.saturating_add(SKEW);
        let identity = Identity::from_name(claims.sub.as_deref());
        let still = identity.user_name().is_none() || claims.mark.is_some();
        let same = still && claims.mark == self.mark(&identity, users);
        (fresh && same && claims.aud == self.service).then_some(Opened {
            identity,
            grant: claims.access,
        })
    }

    /// Tells one password of a user from the next without saying anything of either.
    fn mark(&self, identity: &Identity, users: Option<&Htpasswd>) -> Option<String> {
        let mark = users?.mark(identity.user_name()?)?;
        let keyed = hmac::sign(&self.key, &[b"password line", mark].concat());
        Some(URL_SAFE_NO_PAD.encode(keyed.as_ref().get(..16)?))
    }
}

/// Makes the key: whole or not at all, never over one that another process made in the meantime.
fn make_key(path: &Path) -> Result<(), ServerError> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| ServerError::Setup {
        what: "make a key for tokens",
        reason: error.to_string(),
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = || {
        if let Some(folder) = folder {
            fs::create_dir_all(folder)?;
        }
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(format!("{}\n", URL_SAFE_NO_PAD.encode(key)).as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        fs::remove_file(&temporary)?;
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(ServerError::io("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const LIFE: Duration = Duration::from_secs(300);

    fn signer() -> Signer {
        Signer::new(&[7; KEY_BYTES], "registry")
    }

    fn users(password: &str) -> Htpasswd {
        let text = format!("ann:{}\n", bcrypt::hash(password, 4).unwrap());
        Htpasswd::parse(&text, Path::new("users")).unwrap()
    }

    fn grant() -> Grant {
        Grant::parse(["repository:a:pull,push"]).unwrap()
    }

    #[test]
    fn what_was_signed_is_opened_until_it_ends() {
        let (signer, users, ann) = (signer(), users("x"), Identity::user("ann"));
        let token = signer.sign(Use::Access, &ann, grant(), Some(&users), NOW, LIFE);
        let open = |now| signer.open(Use::Access, &token, Some(&users), now);
        let expected = Opened {
            identity: ann,
            grant: grant(),
        };
        assert_eq!(open(NOW).as_ref(), Some(&expected));
        // Clocks differ a little, and not more.
        for (now, good) in [
            (NOW - SKEW, true),
            (NOW - SKEW - 1, false),
            (NOW + 300 + SKEW - 1, true),
            (NOW + 300 + SKEW, false),
        ] {
            assert_eq!(open(now).is_some(), good, "{now}");
        }
    }

    #[test]
    fn anonymous_and_certificates_have_tokens_too() {
        let signer = signer();
        for identity in [Identity::anonymous(), Identity::certificate("node-1")] {
            let token = signer.sign(Use::Access, &identity, grant(), None, NOW, LIFE);
            assert_eq!(
                signer.open(Use::Access, &token, None, NOW).unwrap().identity,
                identity
            );
        }
    }

    /// CVE-2025-24976: a token brought the key that proved it.
    #[test]
    fn a_token_chooses_neither_its_key_nor_its_algorithm() {
        let (signer, ann) = (signer(), Identity::certificate("ann"));
        let good = signer.sign(Use::Access, &ann, grant(), None, NOW, LIFE);
        let payload = good.split('.').nth(1).unwrap();
        let theirs = hmac::Key::new(hmac::HMAC_SHA256, b"the attacker's");
        let jwk = URL_SAFE_NO_PAD.encode("the attacker's");
        for (header, key) in [
            (Use::Access.header().to_owned(), &theirs),
            (
                format!(r#"{{"alg":"HS256","typ":"at+jwt","jwk":{{"kty":"oct","k":"{jwk}"}}}}"#),
                &theirs,
            ),
            (
                r#"{"alg":"HS256","typ":"at+jwt","kid":"../../dev/null"}"#.to_owned(),
                &theirs,
            ),
            // Even with our key: what we did not write we do not read.
            (r#"{"typ":"at+jwt","alg":"HS256"}"#.to_owned(), &signer.key),
            (r#"{"alg":"HS512","typ":"at+jwt"}"#.to_owned(), &signer.key),
            (r#"{"alg":"none"}"#.to_owned(), &signer.key),
        ] {
            let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(&header));
            let signature = hmac::sign(key, signed.as_bytes());
            for signature in [URL_SAFE_NO_PAD.encode(signature), String::new()] {
                let forged = format!("{signed}.{signature}");
                assert_eq!(signer.open(Use::Access, &forged, None, NOW), None, "{header}");
            }
        }
        for junk in [
            "",
            ".",
            "..",
            "a.b.c",
            &good[1..],
            &format!("{good}A"),
            &good.repeat(200),
        ] {
            assert_eq!(signer.open(Use::Access, junk, None, NOW), None, "{junk}");
        }
    }

    #[test]
    fn a_token_is_for_one_service_one_use_and_one_password() {
        let (signer, ann, old) = (signer(), Identity::user("ann"), users("x"));
        let token = signer.sign(Use::Refresh, &ann, grant(), Some(&old), NOW, LIFE);
        let open =
            |signer: &Signer, kind, users: Option<&Htpasswd>| signer.open(kind, &token, users, NOW).is_some();
        assert!(open(&signer, Use::Refresh, Some(&old)));
        assert!(!open(&signer, Use::Access, Some(&old)));
        assert!(!open(
            &Signer::new(&[7; KEY_BYTES], "other"),
            Use::Refresh,
            Some(&old)
        ));
        assert!(!open(
            &Signer::new(&[8; KEY_BYTES], "registry"),
            Use::Refresh,
            Some(&old)
        ));
        // The password was set anew, the user is gone, the file is gone.
        assert!(!open(&signer, Use::Refresh, Some(&users("x"))));
        assert!(!open(
            &signer,
            Use::Refresh,
            Some(&Htpasswd::parse("", Path::new("u")).unwrap())
        ));
        assert!(!open(&signer, Use::Refresh, None));
        // A name that nobody had when it was signed is not let in by appearing later.
        let early = signer.sign(Use::Access, &ann, grant(), None, NOW, LIFE);
        assert!(signer.open(Use::Access, &early, Some(&old), NOW).is_none());
        assert!(signer.open(Use::Access, &early, None, NOW).is_none());
    }

    /// CVE-2026-4404: no key and no password that everybody knows.
    #[test]
    fn the_key_is_made_once_for_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/token.key");
        assert!(Signer::load(&path, "s", false).is_err());
        let first = Signer::load(&path, "s", true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = first.sign(Use::Access, &Identity::anonymous(), grant(), None, NOW, LIFE);
        let again = Signer::load(&path, "s", true).unwrap();
        assert!(again.open(Use::Access, &token, None, NOW).is_some());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = Signer::load(&folder.path().join("other.key"), "s", true).unwrap();
        assert!(other.open(Use::Access, &token, None, NOW).is_none());
        let text = fs::read_to_string(&path).unwrap();
        assert!(!format!("{first:?}").contains(text.trim()));
        for bad in ["", "short", &text[1..]] {
            fs::write(&path, bad).unwrap();
            let error = Signer::load(&path, "s", true).unwrap_err().to_string();
            assert!(
                error.contains("token.key") && (bad.is_empty() || !error.contains(bad)),
                "{error}"
            );
        }
    }
}
