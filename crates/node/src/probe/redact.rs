//! The last sieve before anything is shown: a server may send back what we sent it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_oci::Secret;
use landfall_registries::Presented;

use super::report::Endpoint;

/// Shorter ones stand in ordinary words.
const SHORTEST: usize = 4;

/// Texts that must not be shown.
#[derive(Default)]
pub(super) struct Sieve {
    secrets: Vec<Secret>,
}

impl Sieve {
    pub(super) fn of(presented: &Presented) -> Self {
        let mut sieve = Self::default();
        match presented {
            Presented::Basic { username, password } => {
                sieve.add(password.expose());
                let pair = format!("{username}:{}", password.expose());
                sieve.add(&STANDARD.encode(pair));
            }
            Presented::IdentityToken(token) => {
                sieve.add(token.expose());
                sieve.add(&STANDARD.encode(format!(":{}", token.expose())));
            }
            Presented::Anonymous | Presented::Broken(_) => {}
        }
        sieve
    }

    pub(super) fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.secrets.push(Secret::new(secret));
        }
    }

    fn clean(&self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                *text = text.replace(secret.expose(), "***");
            }
        }
        // What a server says may also be meant for the terminal.
        if text.chars().any(char::is_control) {
            *text = text.replace(char::is_control, " ");
        }
    }

    /// Cleans everything that may have come from outside.
    pub(super) fn clean_all(&self, endpoint: &mut Endpoint) {
        self.clean(&mut endpoint.url);
        for step in &mut endpoint.steps {
            self.clean(&mut step.target);
            self.clean(&mut step.detail);
        }
        for certificate in &mut endpoint.certificates {
            self.clean(&mut certificate.subject);
            self.clean(&mut certificate.issuer);
            certificate.names.iter_mut().for_each(|name| self.clean(name));
        }
        if let Some(manifest) = &mut endpoint.manifest {
            let texts = [&mut manifest.digest, &mut manifest.media_type];
            texts.into_iter().flatten().for_each(|text| self.clean(text));
        }
        if let Some(finding) = &mut endpoint.finding {
            self.clean(&mut finding.message);
            finding.advice.iter_mut().for_each(|line| self.clean(line));
        }
        endpoint.notes.iter_mut().for_each(|note| self.clean(note));
    }
}
