//! The hosts that containerd tries for an image, in order, each with all that decides its request.

use landfall_diag::Span;
use landfall_oci::{Reference, Target};

use super::choose::Choice;
use super::consequence::{Consequence, consequences};
use super::credentials;
use super::endpoint::Endpoint;
use super::log::LogLine;
use super::rewrite::{self, Rewritten};
use super::setup::{Containerd, Hosts};
use crate::go::path;
use crate::go::url::{Url, query_escape};
use crate::{Attempt, Because, Presented, TlsUse};

/// What will happen when an image is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The image, whole.
    pub image: String,
    /// Which directory or section says so, and which were passed over.
    pub choice: Choice,
    /// The first request to each host, in order; for a digest the hosts are asked twice, `/manifests/` and `/blobs/`.
    pub attempts: Vec<Attempt>,
    /// What follows from each kind of answer, attempt by attempt.
    pub consequences: Vec<Vec<Consequence>>,
    /// What the first request may be instead: the fork applies any of several rules that match.
    pub alternatives: Vec<Alternative>,
    /// Hosts that are configured and not asked for this image.
    pub skipped: Vec<Skipped>,
    /// What containerd logs about the configuration while doing so.
    pub log: Vec<LogLine>,
    /// Why no request is sent at all.
    pub pull_error: Option<LogLine>,
}

/// Another request that may stand in an attempt's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Which of the attempts.
    pub instead_of: usize,
    /// The request.
    pub attempt: Attempt,
}

/// A host that is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The host.
    pub host: String,
    /// Its line.
    pub span: Option<Span>,
    /// Why.
    pub why: SkippedWhy,
}

/// Why a host is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkippedWhy {
    /// It may not resolve tags.
    CannotResolve,
    /// It may not pull. (Content that is known by digest is asked of it all the same, unless no host may pull.)
    CannotPull,
}

/// An image as containerd's resolver takes it apart.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) text: String,
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) object: String,
    pub(super) digest: bool,
}

impl Wanted {
    pub(super) fn new(image: &Reference) -> Self {
        let target = image.target();
        let digest = matches!(target, Target::Digest(_));
        let between = if digest { '@' } else { ':' };
        Self {
            text: format!("{}{between}{target}", image.name()),
            registry: image.registry().as_str().to_owned(),
            repository: image.repository().as_str().to_owned(),
            object: target.to_string(),
            digest,
        }
    }

    /// What is asked of all hosts, one after the other.
    pub(super) fn rounds(&self) -> &'static [&'static str] {
        if self.digest {
            &["manifests", "blobs"]
        } else {
            &["manifests"]
        }
    }
}

impl Endpoint {
    /// Why this host is not asked for the image.
    pub(super) fn skipped(&self, wanted: &Wanted) -> Option<SkippedWhy> {
        match (self.pull, self.resolve || wanted.digest) {
            (true, true) => None,
            (false, _) => Some(SkippedWhy::CannotPull),
            (true, false) => Some(SkippedWhy::CannotResolve),
        }
    }
}

impl Containerd {
    /// Tells every host that would be asked for the image.
    #[must_use]
    pub fn explain(&self, image: &Reference) -> Explanation {
        let wanted = Wanted::new(image);
        let Hosts {
            choice,
            endpoints,
            log,
            fault,
        } = self.hosts(&wanted.registry);
        let mut told = Explanation {
            image: wanted.text.clone(),
            choice,
            attempts: Vec::new(),
            consequences: Vec::new(),
            alternatives: Vec::new(),
            skipped: Vec::new(),
            log,
            pull_error: fault.map(|fault| LogLine::new(fault.text, fault.span)),
        };
        if told.pull_error.is_some() {
            return told;
        }
        for (round, kind) in wanted.rounds().iter().enumerate() {
            for endpoint in &endpoints {
                match endpoint.skipped(&wanted) {
                    None => self.tell(&mut told, endpoint, &wanted, kind),
                    Some(why) if round == 0 => told.skipped.push(Skipped {
                        host: endpoint.target.host.clone(),
                        span: endpoint.capabilities_span.or(endpoint.span),
                        why,
                    }),
                    Some(_) => {}
                }
            }
        }
        let last = told.attempts.len() / wanted.rounds().len();
        let behaviour = self.setup.behaviour;
        let follows = |(index, attempt): (usize, &Attempt)| {
            consequences(behaviour, &attempt.presented, (index + 1) % last.max(1) == 0)
        };
        told.consequences = told.attempts.iter().enumerate().map(follows).collect();
        told
    }

    fn tell(&self, told: &mut Explanation, endpoint: &Endpoint, wanted: &Wanted, kind: &str) {
        for line in endpoint.rules.log(&endpoint.target.host) {
            if !told.log.contains(&line) {
                told.log.push(line);
            }
        }
        let mut results = endpoint.rules.results(&wanted.repository).into_iter();
        let instead_of = told.attempts.len();
        told.attempts
            .push(self.attempt(endpoint, wanted, kind, results.next()));
        for other in results {
            let attempt = self.attempt(endpoint, wanted, kind, Some(other));
            told.alternatives.push(Alternative { instead_of, attempt });
        }
    }

    /// The first request to a host.
    pub(super) fn attempt(
        &self,
        endpoint: &Endpoint,
        wanted: &Wanted,
        kind: &str,
        rewritten: Option<Rewritten>,
    ) -> Attempt {
        let (repository, rewrite) = match rewritten {
            Some(new) => (new.repository, Some(new.span)),
            None => (wanted.repository.clone(), None),
        };
        let (url, unsent) = request_url(endpoint, wanted, kind, &repository);
        let error = unsent.map(|unsent| unsent.short().to_owned());
        let host = endpoint.target.host.clone();
        let setup = &self.setup;
        let (presented, credential) = credentials::present(&setup.credentials, &host, setup.docker_io_alias);
        let asked_for = if setup.original_scope {
            &wanted.repository
        } else {
            &repository
        };
        let broken = matches!(presented, Presented::Broken(_));
        let token_scope = match rewrite::scope(&wanted.registry, asked_for) {
            Ok(scope) if error.is_none() && !broken => scope,
            _ => String::new(),
        };
        let sent = error.is_none();
        Attempt {
            url,
            host,
            repository,
            plain_http: endpoint.target.scheme == "http",
            http_fallback: endpoint.http_fallback,
            tls: if sent {
                endpoint.tls.clone()
            } else {
                TlsUse::default()
            },
            presented: if sent { presented } else { Presented::Anonymous },
            token_scope,
            error,
            because: Because {
                endpoint: endpoint.span,
                rewrite,
                credential: credential.filter(|_| sent),
                tls: endpoint.tls_span,
            },
        }
    }
}

/// Why a request is never sent.
#[derive(Debug)]
pub(super) enum Unsent {
    /// Its URL is none; Go's words, whole.
    Url(String),
    /// Its URL has no host.
    NoHost,
}

impl std::fmt::Display for Unsent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(words) => f.write_str(words),
            Self::NoHost => f.write_str("http: no Host in request URL"),
        }
    }
}

impl Unsent {
    /// Without the URL, and without the package that says it.
    fn short(&self) -> &str {
        match self {
            Self::Url(words) => words
                .rsplit_once("\": ")
                .map_or(words.as_str(), |(_, cause)| cause),
            Self::NoHost => "no Host in request URL",
        }
    }
}

/// A request's URL, and why it is never sent.
pub(super) fn request_url(
    endpoint: &Endpoint,
    wanted: &Wanted,
    kind: &str,
    repository: &str,
) -> (String, Option<Unsent>) {
    let target = &endpoint.target;
    let path = path::join(&["/", &target.path, repository, kind, &wanted.object]);
    let mut text = format!("{}://{}{path}", target.scheme, target.host);
    if endpoint.is_proxy(&wanted.registry) {
        text.push_str("?ns=");
        text.push_str(&query_escape(&wanted.registry));
    }
    match Url::parse(&text) {
        Err(error) => {
            let words = error.to_string();
            (text, Some(Unsent::Url(words)))
        }
        Ok(url) if url.host.is_empty() => (text, Some(Unsent::NoHost)),
        Ok(url) => (url.to_string(), None),
    }
}
