//! An image's name as go-containerregistry takes it apart.

use landfall_oci::{Reference, Target};

/// Docker Hub's name here.
pub(super) const HUB: &str = "index.docker.io";
const CHARS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";

/// An image.
pub(super) struct Image {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) target: Target,
}

impl Image {
    /// # Errors
    /// go-containerregistry's words for a repository that it refuses.
    pub(super) fn new(reference: &Reference) -> Result<Self, String> {
        let registry = reference.registry().as_str();
        let repository = reference.repository().as_str();
        let (registry, repository) = match registry {
            "docker.io" => (HUB.to_owned(), repository.to_owned()),
            // Without a dot or a port it is no registry: `localhost/x` is one of Docker Hub's.
            name if !name.contains(['.', ':']) => (HUB.to_owned(), format!("{name}/{repository}")),
            name => (name.to_owned(), repository.to_owned()),
        };
        check(repository.strip_prefix("library/").unwrap_or(&repository))?;
        Ok(Self {
            registry,
            repository,
            target: reference.target(),
        })
    }

    pub(super) fn text(&self) -> String {
        let between = match self.target {
            Target::Tag(_) => ':',
            Target::Digest(_) => '@',
        };
        format!("{}/{}{between}{}", self.registry, self.repository, self.target)
    }

    /// Another repository of the same registry, as go-containerregistry reads it.
    pub(super) fn repository_of(&self, name: &str) -> Option<String> {
        check(name).ok()?;
        match self.registry == HUB && !name.contains('/') {
            true => Some(format!("library/{name}")),
            false => Some(name.to_owned()),
        }
    }
}

fn check(repository: &str) -> Result<(), String> {
    if !(2..=255).contains(&repository.chars().count()) {
        return Err(format!(
            "repository must be between 2 and 255 characters in length: {repository}"
        ));
    }
    if !repository.chars().all(|c| CHARS.contains(c)) {
        return Err(format!(
            "repository can only contain the characters `{CHARS}`: {repository}"
        ));
    }
    Ok(())
}
