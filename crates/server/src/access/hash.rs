//! Hashes of passwords, as the lines of a password file hold them: bcrypt and argon2id.
//!
//! What a line demands of the machine is known when the file is read, so that a line which would take more memory
//! than we want to give to a log-in is refused then and not at somebody's first attempt.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The most memory that one verification may take.
const MAX_KIB: u32 = 256 * 1024;
/// The most passes over the memory; more is a slip of the pen that would block log-ins for minutes.
const MAX_PASSES: u32 = 64;
/// Nobody waits for a dearer bcrypt: 2^17 rounds are several seconds.
const MAX_BCRYPT_COST: u32 = 17;

/// What a password is compared with.
#[derive(Clone)]
pub(super) enum PasswordHash {
    /// `$2a$`, `$2b$`, `$2y$`.
    Bcrypt { text: String, cost: u32 },
    /// `$argon2id$`.
    Argon2id(Box<Argon2id>),
}

#[derive(Clone)]
pub(super) struct Argon2id {
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt { .. } => "Bcrypt(…)",
            Self::Argon2id(_) => "Argon2id(…)",
        })
    }
}

impl PasswordHash {
    /// Reads a hash; what is wrong with it never repeats it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("$argon2id$") {
            return argon2id(text).map(|parsed| Self::Argon2id(Box::new(parsed)));
        }
        if text.starts_with("$argon2") {
            return Err("of the argon2 family only argon2id can be used: make the line anew with it");
        }
        let parts: bcrypt::HashParts = text.parse().map_err(
            |_| "only bcrypt and argon2id hashes can be used: make the line anew with `htpasswd -B`",
        )?;
        match parts.get_cost() {
            cost @ ..=MAX_BCRYPT_COST => Ok(Self::Bcrypt {
                text: text.to_owned(),
                cost,
            }),
            _ => {
                Err("the bcrypt cost is above 17: a log-in would take too long; make the line anew with less")
            }
        }
    }

    /// Whether this is the password. Slow on purpose: not for async threads.
    pub(super) fn verify(&self, password: &str) -> bool {
        match self {
            // A hash that cannot be read was refused with its file; anything else is no match.
            Self::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
            Self::Argon2id(hash) => hash.verify(password.as_bytes()),
        }
    }

    /// How long a verification takes, roughly, in microseconds: to compare hashes with one another.
    pub(super) fn dearness(&self) -> u64 {
        match self {
            Self::Bcrypt { cost, .. } => 60 << cost,
            Self::Argon2id(hash) => u64::from(hash.params.m_cost()) * u64::from(hash.params.t_cost()),
        }
    }

    /// Whether a verification takes so much memory that it should be alone.
    pub(super) fn is_large(&self) -> bool {
        matches!(self, Self::Argon2id(_))
    }
}

impl Argon2id {
    fn verify(&self, password: &[u8]) -> bool {
        let argon2 = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone());
        let mut output = vec![0; self.output.len()];
        argon2
            .hash_password_into(password, &self.salt, &mut output)
            .is_ok_and(|()| verify_slices_are_equal(&output, &self.output).is_ok())
    }
}

/// `$argon2id$v=19$m=65536,t=3,p=4$SALT$HASH` (the PHC string format; without `v=` it is version 16).
fn argon2id(text: &str) -> Result<Argon2id, &'static str> {
    const FORM: &str =
        "an argon2id hash looks like `$argon2id$v=19$m=65536,t=3,p=4$SALT$HASH`; this one does not";
    let mut fields: Vec<&str> = text.split('$').skip(2).collect();
    let version = match fields.first().and_then(|field| field.strip_prefix("v=")) {
        Some("19") => Version::V0x13,
        Some("16") | None => Version::V0x10,
        Some(_) => return Err("argon2id has no such version: 19 is the usual one"),
    };
    if fields.first().is_some_and(|field| field.starts_with("v=")) {
        fields.remove(0);
    }
    let [costs, salt, output] = fields[..] else {
        return Err(FORM);
    };
    let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| FORM);
    let (salt, output) = (decode(salt)?, decode(output)?);
    let params = costs_of(costs, output.len()).ok_or(FORM)?;
    if params.m_cost() > MAX_KIB || params.t_cost() > MAX_PASSES {
        return Err(
            "argon2id with more than 256 MiB (m=262144) or 64 passes (t=64) is more than a log-in is given",
        );
    }
    if !(argon2::MIN_SALT_LEN..=64).contains(&salt.len()) || !(16..=64).contains(&output.len()) {
        return Err(FORM);
    }
    Ok(Argon2id {
        version,
        params,
        salt,
        output,
    })
}

fn costs_of(text: &str, output: usize) -> Option<Params> {
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=')?;
        let slot = match key {
            "m" => &mut memory,
            "t" => &mut passes,
            "p" => &mut lanes,
            _ => return None,
        };
        if slot.replace(value.parse().ok()?).is_some() {
            return None;
        }
    }
    Params::new(memory?, passes?, lanes?, Some(output)).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An argon2id line's hash, cheap.
    pub(in crate::access) fn argon2id_of(password: &str, kib: u32) -> String {
        let salt = b"salt of 16 bytes";
        let mut output = [0; 32];
        let params = Params::new(kib, 1, 1, Some(32)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), salt, &mut output)
            .unwrap();
        let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        format!("$argon2id$v=19$m={kib},t=1,p=1${salt}${output}")
    }

    #[test]
    fn a_known_answer() {
        // From the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 24
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = PasswordHash::parse(hash).unwrap();
        assert!(hash.verify("password"));
        assert!(!hash.verify("Password"));
        assert!(hash.is_large());
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_repeated() {
        let good = argon2id_of("x", 64);
        assert!(PasswordHash::parse(&good).unwrap().verify("x"));
        for bad in [
            good.replace("$m=64,", "$m=999999,"),
            good.replace(",t=1,", ",t=65,"),
            good.replace("v=19", "v=20"),
            good.replace("argon2id", "argon2i"),
            good.replace("p=1", "p=1,p=1"),
            good.replace("p=1", "p=1,keyid=x"),
            good.replace(",t=1", ""),
            good.rsplit_once('$').unwrap().0.to_owned(),
            format!("{good}$x"),
            format!("{good}!"),
            "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234".into(),
            "$apr1$abc$secret".into(),
            String::new(),
        ] {
            let reason = PasswordHash::parse(&bad).unwrap_err();
            assert!(
                !reason.contains("c2FsdCBv") && !reason.contains("secret"),
                "{reason}"
            );
        }
    }

    #[test]
    fn dearness_orders_hashes_of_both_kinds() {
        let bcrypt = |cost| PasswordHash::Bcrypt {
            text: String::new(),
            cost,
        };
        let argon2id = |kib| PasswordHash::parse(&argon2id_of("x", kib)).unwrap();
        assert!(bcrypt(5).dearness() > bcrypt(4).dearness());
        assert!(argon2id(128).dearness() > argon2id(64).dearness());
        assert!(bcrypt(12).dearness() > argon2id(64).dearness());
    }
}
