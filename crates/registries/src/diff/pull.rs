//! All that is asked for one image, in a form in which two of them can be laid side by side.

use landfall_diag::Span;
use landfall_oci::Reference;

use crate::containerd::{self, Alternative, SkippedWhy};
use crate::{Attempt, wharfie};

/// What a program does for one image.
#[derive(Clone, Debug, Default)]
pub struct Pull {
    /// The hosts that are asked, in order.
    pub steps: Vec<Step>,
    /// Hosts that are configured and not asked: host, why, line.
    pub skipped: Vec<(String, &'static str, Option<Span>)>,
    /// Why nothing is asked at all.
    pub error: Option<(String, Option<Span>)>,
}

/// One host that is asked.
#[derive(Clone, Debug)]
pub struct Step {
    /// The request's URL up to the repository: `https://mirror.example/v2`.
    pub endpoint: String,
    /// Whether the request says which registry is meant (`?ns=`).
    pub names_registry: bool,
    /// What the repository may become, each with the rule that did it; more than one where chance decides.
    pub repositories: Vec<(String, Option<Span>)>,
    /// The image's own repository.
    pub original: String,
    /// The request.
    pub attempt: Attempt,
}

impl Pull {
    /// What containerd does.
    #[must_use]
    pub fn by_containerd(told: &containerd::Explanation, image: &Reference) -> Self {
        // A digest is asked for twice, of the same hosts in the same way.
        let rounds = if image.digest().is_some() { 2 } else { 1 };
        let count = told.attempts.len() / rounds;
        let skipped = told.skipped.iter().map(|skipped| {
            let why = match skipped.why {
                SkippedWhy::CannotResolve => "it may not resolve tags",
                SkippedWhy::CannotPull => "it may not pull",
            };
            (skipped.host.clone(), why, skipped.span)
        });
        Self {
            steps: steps(&told.attempts[..count], &told.alternatives, image),
            skipped: skipped.collect(),
            error: told
                .pull_error
                .as_ref()
                .map(|line| (line.text.clone(), line.span)),
        }
    }

    /// What wharfie does.
    #[must_use]
    pub fn by_wharfie(told: &wharfie::Explanation, image: &Reference) -> Self {
        Self {
            steps: steps(&told.attempts, &told.alternatives, image),
            skipped: Vec::new(),
            error: told.error.clone().map(|text| (text, None)),
        }
    }
}

fn steps(attempts: &[Attempt], alternatives: &[Alternative], image: &Reference) -> Vec<Step> {
    let step = |(index, attempt): (usize, &Attempt)| {
        let others = alternatives
            .iter()
            .filter(|other| other.instead_of == index)
            .map(|other| &other.attempt);
        let all = std::iter::once(attempt).chain(others);
        let (endpoint, names_registry) = endpoint(attempt);
        Step {
            endpoint,
            names_registry,
            repositories: all
                .map(|attempt| (attempt.repository.clone(), attempt.because.rewrite))
                .collect(),
            original: image.repository().as_str().to_owned(),
            attempt: attempt.clone(),
        }
    };
    attempts.iter().enumerate().map(step).collect()
}

/// The URL up to the repository, and whether it has `ns=`. A URL that is put together otherwise stays whole.
fn endpoint(attempt: &Attempt) -> (String, bool) {
    let (path, query) = match attempt.url.split_once('?') {
        Some((path, query)) => (path, query),
        None => (attempt.url.as_str(), ""),
    };
    let names_registry = query.split('&').any(|part| part.starts_with("ns="));
    let repository = attempt.repository.trim_matches('/');
    let behind = format!("/{repository}/manifests/");
    let at = path.rfind(&behind).filter(|_| !repository.is_empty());
    let at = at.or_else(|| path.rfind("/manifests/").filter(|_| repository.is_empty()));
    (path[..at.unwrap_or(path.len())].to_owned(), names_registry)
}
