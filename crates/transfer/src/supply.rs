//! Whom content is fetched from: registries under their own names, or others that stand in for them in an order of
//! their own, as a node's mirrors do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_client::{Client, ClientError, Missing};
use landfall_oci::{Digest, RawManifest, Reference, Registry, Repository, Target};

use crate::{Class, TransferError};

/// One host that may have a repository, and what that is called there.
#[derive(Clone, Debug)]
pub struct Way {
    /// For people: the repository's URL there.
    pub label: Arc<str>,
    /// The client that knows this host's certificates and credential.
    pub client: Client,
    /// The host.
    pub registry: Registry,
    /// The repository there.
    pub repository: Repository,
}

/// Who is asked for one repository, in order.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Who is asked what a tag points at.
    pub names: Vec<Way>,
    /// Who is asked for manifests and blobs by digest: from the first on for each of them.
    pub content: Vec<Way>,
}

/// Routes by the repository's own name, and what came of them.
#[derive(Debug, Default)]
pub struct Routes {
    routes: HashMap<(Registry, Repository), Route>,
    asked: Mutex<Vec<Asked>>,
}

/// What somebody was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sought {
    /// What the name points at.
    Name,
    /// A manifest.
    Manifest(Digest),
    /// A config or layer.
    Blob(Digest),
}

/// One question and its outcome.
#[derive(Clone, Debug)]
pub struct Asked {
    /// [`Way::label`].
    pub way: Arc<str>,
    /// What for.
    pub sought: Sought,
    /// Why it was not had.
    pub refusal: Option<Refusal>,
}

/// Why somebody did not give something.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// In kind.
    pub class: Class,
    /// In words.
    pub reason: String,
    /// What the client said, where it was the client.
    pub error: Option<ClientError>,
}

impl Routes {
    /// From now on a repository is fetched by this route.
    pub fn insert(&mut self, registry: Registry, repository: Repository, route: Route) {
        self.routes.insert((registry, repository), route);
    }

    /// Every question so far, in the order of the answers.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, way: &Way, sought: Sought, error: Option<&TransferError>) {
        let refusal = error.map(|error| Refusal {
            class: error.class(),
            reason: error.describe(),
            error: match error {
                TransferError::Client(error) => Some(error.clone()),
                _ => None,
            },
        });
        let way = Arc::clone(&way.label);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(Asked { way, sought, refusal });
    }
}

/// A client, and the routes that it does not know.
#[derive(Clone, Debug)]
pub(crate) struct Supply {
    pub(crate) client: Client,
    pub(crate) routes: Option<Arc<Routes>>,
}

impl Supply {
    /// Who may have a repository's content, best first.
    pub(crate) fn content(&self, registry: &Registry, repository: &Repository) -> Vec<Way> {
        match self.route(registry, repository) {
            Some(route) => route.content.clone(),
            None => vec![Way {
                label: format!("{registry}/{repository}").into(),
                client: self.client.clone(),
                registry: registry.clone(),
                repository: repository.clone(),
            }],
        }
    }

    /// Remembers what came of asking, where it is not plain who was asked.
    pub(crate) fn note(&self, way: &Way, sought: Sought, error: Option<&TransferError>) {
        if let Some(routes) = &self.routes {
            routes.note(way, sought, error);
        }
    }

    /// The manifest that a name points at. On a route the name is looked up first, and the manifest then fetched by
    /// its digest from the first host on, which need not be the one that knew the name.
    pub(crate) async fn named(&self, place: &Reference) -> Result<RawManifest, TransferError> {
        let (registry, repository) = (place.registry(), place.repository());
        let (route, target) = (self.route(registry, repository), place.target());
        let (route, tag) = match (route, &target) {
            (None, _) => return Ok(self.client.manifest(registry, repository, &target).await?),
            (Some(_), Target::Digest(digest)) => return self.manifest(registry, repository, *digest).await,
            (Some(route), Target::Tag(_)) => (route, &target),
        };
        let mut failed = Failed::default();
        for way in &route.names {
            let found = way
                .client
                .head_manifest(&way.registry, &way.repository, tag)
                .await;
            let found = found.and_then(|found| found.ok_or_else(|| missing(way, tag)));
            match found.map_err(TransferError::from) {
                Ok(found) => {
                    self.note(way, Sought::Name, None);
                    return self.manifest(registry, repository, found.digest).await;
                }
                Err(error) => {
                    self.note(way, Sought::Name, Some(&error));
                    failed.add(error);
                }
            }
        }
        Err(failed.into_error(place.to_string()))
    }

    /// A manifest by its digest, from whoever has it.
    pub(crate) async fn manifest(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: Digest,
    ) -> Result<RawManifest, TransferError> {
        let target = Target::Digest(digest);
        let mut failed = Failed::default();
        for way in self.content(registry, repository) {
            let fetched = way.client.manifest(&way.registry, &way.repository, &target).await;
            match fetched.map_err(TransferError::from) {
                Ok(manifest) => {
                    self.note(&way, Sought::Manifest(digest), None);
                    return Ok(manifest);
                }
                Err(error) => {
                    self.note(&way, Sought::Manifest(digest), Some(&error));
                    failed.add(error);
                }
            }
        }
        Err(failed.into_error(format!("{registry}/{repository}@{digest}")))
    }

    fn route(&self, registry: &Registry, repository: &Repository) -> Option<&Route> {
        let key = (registry.clone(), repository.clone());
        self.routes.as_ref()?.routes.get(&key)
    }
}

fn missing(way: &Way, target: &Target) -> ClientError {
    ClientError::NotFound {
        what: format!("{}:{target}", way.label),
        missing: Missing::Manifest,
        detail: String::new(),
    }
}

/// The failures of several hosts: the first that says more than that it has nothing, or else the first.
#[derive(Default)]
pub(crate) struct Failed {
    error: Option<TransferError>,
}

impl Failed {
    pub(crate) fn add(&mut self, error: TransferError) {
        let says_more = match &self.error {
            None => true,
            Some(known) => known.class() == Class::NotFound && error.class() != Class::NotFound,
        };
        if says_more {
            self.error = Some(error);
        }
    }

    pub(crate) fn into_error(self, name: String) -> TransferError {
        self.error.unwrap_or(TransferError::NoWay { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_fails_says_more_than_one_that_has_nothing() {
        let absent = |name: &str| TransferError::NoWay {
            name: name.to_owned(),
        };
        let wrong = || TransferError::ConfigTooLarge {
            digest: Digest::Sha256([0; 32]),
            size: 1,
        };
        let of = |errors: Vec<TransferError>| {
            let mut failed = Failed::default();
            errors.into_iter().for_each(|error| failed.add(error));
            failed.into_error("nobody was asked".to_owned()).to_string()
        };
        assert!(of(Vec::new()).contains("nobody was asked"));
        assert!(of(vec![absent("first"), absent("second")]).contains("first"));
        assert_eq!(
            of(vec![absent("first"), wrong(), absent("third")]),
            wrong().to_string()
        );
        assert_eq!(of(vec![wrong(), absent("second")]), wrong().to_string());
    }
}
