//! The registry with Amazon ECR's face: repositories must be there, and their tags may be immutable.

use std::collections::BTreeSet;

use http::{Response, StatusCode};
use landfall_oci::{Repository, Target};

use super::answer::error;
use super::body::Body;
use super::state::State;

/// What ECR knows besides images.
#[derive(Clone, Debug, Default)]
pub struct Ecr {
    pub(super) repositories: BTreeSet<String>,
    is_immutable: bool,
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
