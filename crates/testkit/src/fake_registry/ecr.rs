//! The registry with Amazon ECR's face: repositories must be there, and their tags may be immutable.

use std::collections::BTreeSet;

use http::{Response, StatusCode};
use landfall_oci::{Repository, Target};
use serde_json::{Value, json};

use super::answer::{error, json_body};
use super::body::Body;
use super::record::Request;
use super::state::State;

/// What ECR knows besides images.
#[derive(Clone, Debug, Default)]
pub struct Ecr {
    repositories: BTreeSet<String>,
    is_immutable: bool,
    denies: bool,
}

impl Ecr {
    /// Without repositories.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this repository.
    #[must_use]
    pub fn repository(mut self, name: &str) -> Self {
        self.repositories.insert(name.to_owned());
        self
    }

    /// No tag moves, not even to what it has.
    #[must_use]
    pub fn immutable(mut self) -> Self {
        self.is_immutable = true;
        self
    }

    /// Nobody may make repositories.
    #[must_use]
    pub fn denies(mut self) -> Self {
        self.denies = true;
        self
    }

    /// `CreateRepository` of ECR's API. Signatures are the business of another fake.
    pub(super) fn answer(&mut self, request: &Request, body: &[u8]) -> Response<Body> {
        let refuse = |status, kind: &str| json_body(status, &json!({"__type": kind, "message": kind}));
        if !request.header("x-amz-target").ends_with(".CreateRepository") {
            return refuse(StatusCode::BAD_REQUEST, "UnknownOperationException");
        }
        if self.denies {
            return refuse(StatusCode::BAD_REQUEST, "AccessDeniedException");
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = body["repositoryName"].as_str().unwrap_or_default().to_owned();
        match self.repositories.insert(name.clone()) {
            true => json_body(StatusCode::OK, &json!({"repository": {"repositoryName": name}})),
            false => refuse(StatusCode::BAD_REQUEST, "RepositoryAlreadyExistsException"),
        }
    }

    pub(super) fn check(&self, repository: &Repository) -> Option<Response<Body>> {
        let is_there = self.repositories.contains(repository.as_str());
        let message = format!(
            "The repository with name '{repository}' does not exist in the registry with id '123456789012'"
        );
        (!is_there).then(|| error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", &message))
    }

    pub(super) fn forbids(
        &self,
        state: &State,
        repository: &Repository,
        target: &Target,
    ) -> Option<Response<Body>> {
        let Target::Tag(tag) = target else { return None };
        let is_there = state.tags.contains_key(&(repository.clone(), tag.clone()));
        let message = format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the \
             repository is immutable."
        );
        (self.is_immutable && is_there).then(|| error(StatusCode::BAD_REQUEST, "TAG_INVALID", &message))
    }
}
