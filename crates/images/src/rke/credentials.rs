//! What RKE makes of `private_registries`: the docker configuration of the kubelets, and the credential of each pull.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_oci::{Reference, Secret};
use landfall_registries::runtimes::rke::{EcrPlugin, PrivateRegistry};
use serde::Serialize;

use super::cluster::Cluster;

/// With what an image is pulled.
#[derive(Clone, Debug)]
pub enum Pull {
    /// A user and a password; both may be empty, and then nothing is shown to the registry.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that Amazon gives for these keys; for none, with what is found where Amazon's own tools look.
    Ecr(EcrKeys),
}

/// Keys for Amazon's ECR, out of cluster.yml.
#[derive(Clone, Debug)]
pub struct EcrKeys {
    /// The registry, as the file has it.
    pub registry: String,
    /// The access key's name and the key itself, where the file has both.
    pub access_key: Option<(String, Secret)>,
    /// A session's token.
    pub session_token: Option<Secret>,
}

#[derive(Serialize)]
struct DockerConfig<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    auths: BTreeMap<&'a str, AuthConfig>,
    #[serde(rename = "credHelpers", skip_serializing_if = "BTreeMap::is_empty")]
    helpers: BTreeMap<&'a str, &'static str>,
}

#[derive(Serialize)]
struct AuthConfig {
    auth: String,
}

impl Cluster {
    /// RKE's map of registries: by URL as written, the last one of each wins, none is Docker Hub.
    #[must_use]
    pub fn registry_map(&self) -> BTreeMap<&str, &PrivateRegistry> {
        let entries = self.registries().iter();
        entries.map(|entry| (entry.key(), entry)).collect()
    }

    /// `auths` of the kubelets' configuration: base64 of `user:password`, by URL.
    #[must_use]
    pub fn auths(&self) -> BTreeMap<&str, String> {
        let entries = self.registry_map().into_iter();
        let plain = entries.filter(|(_, entry)| entry.ecr.is_none());
        plain
            .map(|(url, entry)| {
                (
                    url,
                    STANDARD.encode(format!("{}:{}", entry.user(), entry.password())),
                )
            })
            .collect()
    }

    /// `credHelpers` of the kubelets' configuration.
    #[must_use]
    pub fn cred_helpers(&self) -> BTreeMap<&str, &'static str> {
        let entries = self.registry_map().into_iter();
        let helped = entries.filter(|(_, entry)| entry.ecr.is_some());
        helped.map(|(url, _)| (url, "ecr-login")).collect()
    }

    /// The docker configuration that RKE gives to the kubelets, byte for byte; `None` without registries. It holds secrets.
    #[must_use]
    pub fn kubelet_docker_config(&self) -> Option<Secret> {
        if self.registries().is_empty() {
            return None;
        }
        let auths = self.auths().into_iter();
        let config = DockerConfig {
            auths: auths.map(|(url, auth)| (url, AuthConfig { auth })).collect(),
            helpers: self.cred_helpers(),
        };
        let json = serde_json::to_string(&config).ok()?;
        Some(Secret::new(as_go_escapes(&json)))
    }

    /// The users and passwords as a docker configuration that other programs than RKE's kubelets can read: names without a
    /// scheme, nothing for registries without a user. It holds secrets.
    #[must_use]
    pub fn docker_config(&self) -> Option<Secret> {
        let entries = self.registry_map().into_iter();
        let named = entries.filter(|(_, entry)| !entry.user().is_empty() || !entry.password().is_empty());
        let auth =
            |entry: &PrivateRegistry| STANDARD.encode(format!("{}:{}", entry.user(), entry.password()));
        let auths: BTreeMap<_, _> = named
            .map(|(url, entry)| (bare(url), AuthConfig { auth: auth(entry) }))
            .collect();
        if auths.is_empty() {
            return None;
        }
        let config = DockerConfig {
            auths,
            helpers: BTreeMap::new(),
        };
        serde_json::to_string(&config).ok().map(Secret::new)
    }

    /// The registries of Amazon for which the file asks for tokens, in either spelling, with the keys that it gives.
    #[must_use]
    pub fn ecr_keys(&self) -> Vec<EcrKeys> {
        let entries = self.registry_map().into_values();
        let pulls = entries.map(|entry| pull(entry, entry.ecr.as_ref().or(entry.unread.ecr.as_ref())));
        pulls
            .filter_map(|pull| match pull {
                Pull::Ecr(keys) => Some(keys),
                Pull::Basic { .. } => None,
            })
            .collect()
    }

    /// The registry whose credential RKE pulls an image with: by its host and its path but for the last two parts, exactly.
    /// A registry without the path gives none.
    #[must_use]
    pub fn registry_of(&self, image: &Reference) -> Option<&PrivateRegistry> {
        let path = image.repository().as_str();
        let above = path.rmatch_indices('/').nth(1).map(|(at, _)| &path[..at]);
        let key = match above {
            Some(above) => format!("{}/{above}", image.registry()),
            None => image.registry().to_string(),
        };
        self.registry_map().get(key.as_str()).copied()
    }

    /// What RKE pulls an image with.
    #[must_use]
    pub fn pull_credential(&self, image: &Reference) -> Option<Pull> {
        self.registry_of(image)
            .map(|entry| pull(entry, entry.ecr.as_ref()))
    }

    /// What an image is fetched or pushed with by us: as RKE would, and where RKE has nothing, by the longest URL of the
    /// file that the image is below. Keys in the spelling that RKE does not read count too.
    #[must_use]
    pub fn credential_for(&self, image: &Reference) -> Option<Pull> {
        let ours = |entry: &PrivateRegistry| pull(entry, entry.ecr.as_ref().or(entry.unread.ecr.as_ref()));
        if let Some(entry) = self.registry_of(image) {
            return Some(ours(entry));
        }
        let name = image.name();
        let below = |url: &str| {
            let rest = name.strip_prefix(bare(url));
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let map = self.registry_map();
        let above = map.iter().filter(|(url, _)| below(url));
        above
            .max_by_key(|(url, _)| url.len())
            .map(|(_, entry)| ours(entry))
    }
}

/// A URL without its scheme and the slash at its end.
fn bare(url: &str) -> &str {
    url.split_once("://")
        .map_or(url, |(_, rest)| rest)
        .trim_end_matches('/')
}

impl EcrKeys {
    /// Whether RKE takes the registry for one of ECR's; for another it pulls nothing at all.
    #[must_use]
    pub fn is_ecr(&self) -> bool {
        is_ecr(&self.registry)
    }

    /// The registry's host.
    #[must_use]
    pub fn host(&self) -> &str {
        let bare = bare(&self.registry);
        bare.split('/').next().unwrap_or(bare)
    }
}

/// Whether RKE takes a name for one of ECR's: ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn], and whatever behind it.
pub(super) fn is_ecr(url: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphanumeric())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let bare = url.strip_prefix("https://").unwrap_or(url);
    let mut parts = bare.splitn(5, '.');
    let [account, dkr, ecr, region, rest] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    word(account)
        && dkr == "dkr"
        && matches!(ecr, "ecr" | "ecr-fips")
        && word(region)
        && rest.starts_with("amazonaws.com")
}

fn pull(entry: &PrivateRegistry, plugin: Option<&EcrPlugin>) -> Pull {
    let is_empty = entry.user().is_empty() && entry.password().is_empty();
    match plugin {
        Some(plugin) if is_empty => Pull::Ecr(EcrKeys {
            registry: entry.key().to_owned(),
            access_key: plugin
                .secret_access_key
                .clone()
                .filter(|_| !plugin.access_key_id.is_empty())
                .map(|secret| (plugin.access_key_id.clone(), secret)),
            session_token: plugin.session_token.clone(),
        }),
        _ => Pull::Basic {
            user: entry.user().to_owned(),
            password: Secret::new(entry.password()),
        },
    }
}

/// Go writes what would be markup in HTML as escapes.
fn as_go_escapes(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            plain => text.push(plain),
        }
    }
    text
}
