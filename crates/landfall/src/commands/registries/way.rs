//! From an attempt of a node to a client that asks as the node would.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use landfall_auth::{Credential, Keyring};
use landfall_client::{Client, ClientError, ClientOptions, Site};
use landfall_net::client::{HostOptions, NetError, PlainHttp, RetryOptions, TlsOptions, TransportOptions};
use landfall_oci::{Registry, Repository};
use landfall_registries::{Attempt, Presented, TlsUse};
use landfall_transfer::Way;

use crate::args::RegistryArgs;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where there are others to ask, nobody is asked more often than this.
const PATIENCE: u32 = 2;

/// The clients of a run: one for each host with its certificates and credential, so that none sees another's.
pub(super) struct Clients {
    transport: TransportOptions,
    known: Vec<(Key, Client)>,
}

/// All that tells one client from another.
#[derive(PartialEq, Eq)]
struct Key {
    host: String,
    plain_http: PlainHttp,
    tls: TlsUse,
    presented: Presented,
}

impl Clients {
    /// For a pull that may ask so many hosts.
    pub(super) fn new(registry: &RegistryArgs, hosts: usize) -> Self {
        let mut transport = connect::transport(registry);
        if hosts > 1 {
            transport.retry = RetryOptions {
                attempts: transport.retry.attempts.min(PATIENCE),
                base: Duration::from_millis(200),
                retry_after_cap: Duration::ZERO,
                ..transport.retry
            };
        }
        Self {
            transport,
            known: Vec::new(),
        }
    }

    /// The way of an attempt; or why it cannot be asked, and the node would ask the next.
    ///
    /// # Errors
    /// Where the node's whole pull fails.
    pub(super) fn way(
        &mut self,
        attempt: &Attempt,
        label: &Arc<str>,
        image: &Registry,
        provenance: Option<String>,
    ) -> Result<Result<Way, String>, Failure> {
        let (host, repository, site) = match parts(attempt, image) {
            Ok(parts) => parts,
            Err(reason) => return Ok(Err(reason)),
        };
        let client = self.client(attempt, &host, provenance)?;
        Ok(Ok(Way {
            label: Arc::clone(label),
            client: client.through(site),
            registry: host,
            repository,
        }))
    }

    fn client(
        &mut self,
        attempt: &Attempt,
        host: &Registry,
        provenance: Option<String>,
    ) -> Result<Client, Failure> {
        let key = Key {
            host: attempt.host.clone(),
            plain_http: match (attempt.http_fallback, attempt.plain_http) {
                (true, _) => PlainHttp::Fallback,
                (false, true) => PlainHttp::Always,
                (false, false) => PlainHttp::Never,
            },
            tls: attempt.tls.clone(),
            presented: attempt.presented.clone(),
        };
        if let Some((_, client)) = self.known.iter().find(|(known, _)| *known == key) {
            return Ok(client.clone());
        }
        let provenance = provenance.unwrap_or_else(|| "the configuration".to_owned());
        let given = credential(&attempt.presented).map(|credential| (host.clone(), credential, provenance));
        let options = ClientOptions {
            transport: self.transport(&key),
            keyring: Keyring::of(given),
            ..ClientOptions::default()
        };
        let client = Client::new(options).map_err(|error| unusable(attempt, error))?;
        self.known.push((key, client.clone()));
        Ok(client)
    }

    fn transport(&self, key: &Key) -> TransportOptions {
        let client_certificate = key.tls.client.first().map(|(certificate, private)| {
            // Both may be in one file.
            let private = if private.is_empty() { certificate } else { private };
            (PathBuf::from(certificate), PathBuf::from(private))
        });
        TransportOptions {
            default_host: HostOptions {
                plain_http: key.plain_http,
                skip_verify: key.tls.skip_verify,
                ..HostOptions::default()
            },
            tls: TlsOptions {
                ca_files: key.tls.ca.iter().map(PathBuf::from).collect(),
                client_certificate,
                ..TlsOptions::default()
            },
            ..self.transport.clone()
        }
    }
}

/// A file that cannot be read ends the pull of the node, whatever other hosts there are.
fn unusable(attempt: &Attempt, error: ClientError) -> Failure {
    match &error {
        ClientError::Net {
            source: NetError::TlsFile { path, reason },
            ..
        } => Failure::new(
            Exit::Local,
            format!(
                "{}: {reason} (for {}); containerd reads it for every pull, and fails the whole pull without it",
                path.display(),
                attempt.host
            ),
        ),
        _ => error.into(),
    }
}

fn credential(presented: &Presented) -> Option<Credential> {
    match presented {
        Presented::Anonymous | Presented::Broken(_) => None,
        Presented::Basic { username, password } => Some(Credential::Basic {
            username: username.clone(),
            password: password.clone(),
        }),
        Presented::IdentityToken(token) => Some(Credential::IdentityToken { token: token.clone() }),
    }
}

/// The repository's URL, without what is asked of it.
pub(super) fn label(attempt: &Attempt) -> String {
    let url = attempt.url.split('?').next().unwrap_or_default();
    let ending = format!("/{}/manifests/", attempt.repository);
    let end = url
        .rfind(&ending)
        .map_or(url.len(), |at| at + 1 + attempt.repository.len());
    url.get(..end).unwrap_or(url).to_owned()
}

/// Host, repository and place of the API; or why there is no asking.
fn parts(attempt: &Attempt, image: &Registry) -> Result<(Registry, Repository, Site), String> {
    if let Some(error) = &attempt.error {
        return Err(error.clone());
    }
    if let Presented::Broken(error) = &attempt.presented {
        return Err(error.clone());
    }
    let host: Registry = attempt
        .host
        .parse()
        .map_err(|error| format!("`{}` is not a host that can be asked: {error}", attempt.host))?;
    let repository: Repository = attempt
        .repository
        .parse()
        .map_err(|error| format!("`{}` is no repository: {error}", attempt.repository))?;
    let whole = label(attempt);
    let path = whole.split_once("://").map_or(whole.as_str(), |(_, rest)| rest);
    let path = path.find('/').and_then(|at| path.get(at..)).unwrap_or_default();
    let prefix = path.strip_suffix(attempt.repository.as_str()).unwrap_or(path);
    // containerd says whose images it wants wherever it asks another host.
    let is_told = attempt
        .url
        .split_once('?')
        .is_some_and(|(_, query)| query.starts_with("ns="));
    let site = Site::new(prefix, is_told.then(|| image.clone())).map_err(|error| error.to_string())?;
    Ok((host, repository, site))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(url: &str, repository: &str) -> Attempt {
        Attempt {
            url: url.to_owned(),
            host: "mirror.example:5000".to_owned(),
            repository: repository.to_owned(),
            plain_http: false,
            http_fallback: false,
            tls: TlsUse::default(),
            presented: Presented::Anonymous,
            token_scope: String::new(),
            error: None,
            because: landfall_registries::Because::default(),
        }
    }

    #[test]
    fn a_url_is_taken_apart_as_it_was_put_together() {
        let image: Registry = "docker.io".parse().unwrap();
        let cases = [
            (
                "https://mirror.example:5000/v2/a/b/manifests/1?ns=docker.io",
                "/v2",
                true,
            ),
            (
                "https://mirror.example:5000/v2/hub/a/b/manifests/1",
                "/v2/hub",
                false,
            ),
            ("http://mirror.example:5000/a/b/manifests/manifests", "", false),
        ];
        for (url, prefix, told) in cases {
            let (host, repository, site) = parts(&attempt(url, "a/b"), &image).unwrap();
            assert_eq!(host.as_str(), "mirror.example:5000");
            assert_eq!(repository.as_str(), "a/b");
            assert_eq!(site.prefix(), prefix, "{url}");
            assert_eq!(site.namespace().is_some(), told, "{url}");
            assert!(label(&attempt(url, "a/b")).ends_with("/a/b"), "{url}");
        }
        assert!(
            parts(
                &attempt("https://mirror.example:5000/v2/A/manifests/1", "A"),
                &image
            )
            .is_err()
        );
    }
}
