//! Two pulls, laid side by side.

use landfall_diag::Span;

use super::pull::{Pull, Step};
use crate::{Presented, TlsUse};

/// What is other for one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The changes, in the order in which the hosts are asked.
    pub changes: Vec<Change>,
    /// For each change that is about the repository: what this image is asked for, before and after.
    pub repositories: Vec<Option<(String, String)>>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened to it.
    pub kind: Kind,
    /// What it is about: an endpoint, a host; empty for the pull as a whole.
    pub subject: String,
    /// What is other about it.
    pub details: Vec<Detail>,
    /// The line that asks for it in the old configuration.
    pub old_at: Option<Span>,
    /// The line that asks for it in the new one.
    pub new_at: Option<Span>,
}

/// What happened to an endpoint. Positions count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was not asked.
    Added {
        /// Its position now.
        to: usize,
    },
    /// It is not asked any more.
    Removed {
        /// Its position before.
        from: usize,
    },
    /// It is asked earlier or later than others that are still asked.
    Moved {
        /// Its position before.
        from: usize,
        /// Its position now.
        to: usize,
    },
    /// It is asked in another way.
    Changed {
        /// Its position now.
        to: usize,
    },
    /// A host that is there and was passed over, or is now.
    Skipped,
    /// Nothing was asked at all, or is now.
    Failed,
}

/// One property before and after; `None` where there was nothing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Which: `url`, `namespace`, `repository`, `tls`, `fallback`, `credential`, `scope`, `error`, `skipped`.
    pub what: &'static str,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
    /// The line behind it before.
    pub old_at: Option<Span>,
    /// The line behind it now.
    pub new_at: Option<Span>,
}

/// Tells what is other in the second pull; `None` if nothing is.
#[must_use]
pub fn compare(old: &Pull, new: &Pull) -> Option<Difference> {
    let mut difference = Difference::default();
    failed(old, new, &mut difference);
    let pairs = pairs(&old.steps, &new.steps);
    let staying = longest_rising(&pairs);
    for (index, step) in old.steps.iter().enumerate() {
        if !pairs.iter().any(|(from, _)| *from == index) {
            let kind = Kind::Removed { from: index + 1 };
            difference.put(change(kind, step, Vec::new()).was(), None);
        }
    }
    for (index, step) in new.steps.iter().enumerate() {
        match pairs.iter().position(|(_, to)| *to == index) {
            None => difference.put(
                change(Kind::Added { to: index + 1 }, step, traits(step)),
                rewritten(step),
            ),
            Some(pair) => {
                let from = pairs[pair].0;
                let moved = !staying.contains(&pair);
                both(
                    &old.steps[from],
                    step,
                    (from + 1, index + 1),
                    moved,
                    &mut difference,
                );
            }
        }
    }
    skipped(old, new, &mut difference);
    Some(difference).filter(|difference| !difference.changes.is_empty())
}

impl Difference {
    fn put(&mut self, change: Change, repositories: Option<(String, String)>) {
        self.changes.push(change);
        self.repositories.push(repositories);
    }
}

impl Change {
    /// About something of the old configuration alone.
    fn was(mut self) -> Self {
        self.old_at = self.new_at.take();
        self
    }
}

fn change(kind: Kind, step: &Step, details: Vec<Detail>) -> Change {
    Change {
        kind,
        subject: step.endpoint.clone(),
        details,
        old_at: None,
        new_at: step.attempt.because.endpoint,
    }
}

fn failed(old: &Pull, new: &Pull, difference: &mut Difference) {
    let text = |pull: &Pull| pull.error.as_ref().map(|(text, _)| text.clone());
    let place = |pull: &Pull| pull.error.as_ref().and_then(|(_, span)| *span);
    if text(old) != text(new) {
        let detail = Detail {
            what: "error",
            old: text(old),
            new: text(new),
            old_at: place(old),
            new_at: place(new),
        };
        let change = Change {
            kind: Kind::Failed,
            subject: String::new(),
            details: vec![detail],
            old_at: None,
            new_at: None,
        };
        difference.put(change, None);
    }
}

fn skipped(old: &Pull, new: &Pull, difference: &mut Difference) {
    let why = |pull: &Pull, host: &str| {
        let found = pull.skipped.iter().find(|(name, ..)| name == host);
        found.map(|(_, why, span)| ((*why).to_owned(), *span))
    };
    let mut hosts: Vec<&str> = Vec::new();
    for (host, ..) in old.skipped.iter().chain(&new.skipped) {
        if !hosts.contains(&host.as_str()) {
            hosts.push(host);
        }
    }
    for host in hosts {
        let (before, after) = (why(old, host), why(new, host));
        if before.as_ref().map(|(why, _)| why) == after.as_ref().map(|(why, _)| why) {
            continue;
        }
        let (old_at, new_at) = (
            before.as_ref().and_then(|(_, span)| *span),
            after.as_ref().and_then(|(_, span)| *span),
        );
        let detail = Detail {
            what: "skipped",
            old: before.map(|(why, _)| why),
            new: after.map(|(why, _)| why),
            old_at,
            new_at,
        };
        let change = Change {
            kind: Kind::Skipped,
            subject: host.to_owned(),
            details: vec![detail],
            old_at: None,
            new_at: None,
        };
        difference.put(change, None);
    }
}

/// Which step of the old pull is which of the new one: the same endpoint, or else the same host.
fn pairs(old: &[Step], new: &[Step]) -> Vec<(usize, usize)> {
    let same: [fn(&Step, &Step) -> bool; 2] = [
        |a, b| a.endpoint == b.endpoint,
        |a, b| a.attempt.host == b.attempt.host && !a.attempt.host.is_empty(),
    ];
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for same in same {
        for (to, step) in new.iter().enumerate() {
            let free = |from: &usize| pairs.iter().all(|(a, b)| a != from && *b != to);
            let found = (0..old.len()).find(|from| free(from) && same(&old[*from], step));
            if let Some(from) = found {
                pairs.push((from, to));
            }
        }
    }
    pairs.sort_by_key(|(from, _)| *from);
    pairs
}

/// The most pairs that keep their order: the others have moved.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<usize> {
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(pairs.len());
    for (index, (_, to)) in pairs.iter().enumerate() {
        let before = best.iter().filter(|chain| {
            let last = chain.last().map_or(0, |last| pairs[*last].1);
            last < *to
        });
        let mut chain = before
            .max_by_key(|chain| chain.len())
            .cloned()
            .unwrap_or_default();
        chain.push(index);
        best.push(chain);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

/// One endpoint that is asked before and after.
fn both(old: &Step, new: &Step, (from, to): (usize, usize), moved: bool, difference: &mut Difference) {
    let mut details = Vec::new();
    let mut put =
        |what, before: Option<String>, after: Option<String>, places: (Option<Span>, Option<Span>)| {
            if before != after {
                details.push(Detail {
                    what,
                    old: before,
                    new: after,
                    old_at: places.0,
                    new_at: places.1,
                });
            }
        };
    let (a, b) = (&old.attempt, &new.attempt);
    let endpoints = (a.because.endpoint, b.because.endpoint);
    put(
        "url",
        Some(old.endpoint.clone()),
        Some(new.endpoint.clone()),
        endpoints,
    );
    put("namespace", namespace(old), namespace(new), endpoints);
    if asked(old) != asked(new) {
        let rules = (a.because.rewrite, b.because.rewrite);
        let words = (naming(old), naming(new));
        match words.0 == words.1 {
            true => put(
                "repository",
                Some(words.0),
                Some(format!("{}, otherwise", words.1)),
                rules,
            ),
            false => put("repository", Some(words.0), Some(words.1), rules),
        }
    }
    let tls = (a.because.tls, b.because.tls);
    put("tls", certificates(&a.tls), certificates(&b.tls), tls);
    put("fallback", fallback(old), fallback(new), endpoints);
    let (before, after) = credentials(&a.presented, &b.presented);
    put(
        "credential",
        before,
        after,
        (a.because.credential, b.because.credential),
    );
    if a.token_scope != b.token_scope && scope(old) != scope(new) {
        put("scope", scope(old), scope(new), endpoints);
    }
    put("error", a.error.clone(), b.error.clone(), endpoints);
    let kind = match moved {
        true => Kind::Moved { from, to },
        false if details.is_empty() => return,
        false => Kind::Changed { to },
    };
    let repositories = details
        .iter()
        .any(|detail| detail.what == "repository")
        .then(|| (asked(old), asked(new)));
    let change = Change {
        old_at: a.because.endpoint,
        ..change(kind, new, details)
    };
    difference.put(change, repositories);
}

/// What is worth saying of an endpoint that is new.
fn traits(step: &Step) -> Vec<Detail> {
    let because = &step.attempt.because;
    let naming = Some(naming(step)).filter(|_| rewritten(step).is_some());
    let all = [
        ("repository", naming, because.rewrite),
        ("tls", certificates(&step.attempt.tls), because.tls),
        ("fallback", fallback(step), because.endpoint),
        (
            "credential",
            credential(&step.attempt.presented),
            because.credential,
        ),
        ("error", step.attempt.error.clone(), because.endpoint),
    ];
    let detail = |(what, new, new_at): (&'static str, Option<String>, Option<Span>)| {
        Some(Detail {
            what,
            old: None,
            new: Some(new?),
            old_at: None,
            new_at,
        })
    };
    all.into_iter().filter_map(detail).collect()
}

fn rewritten(step: &Step) -> Option<(String, String)> {
    let asked = asked(step);
    (asked != step.original).then(|| (step.original.clone(), asked))
}

/// The repository, or those of which one is taken by chance.
fn asked(step: &Step) -> String {
    let all: Vec<&str> = step.repositories.iter().map(|(name, _)| name.as_str()).collect();
    all.join(" or ")
}

fn naming(step: &Step) -> String {
    match step.repositories.as_slice() {
        [(_, None)] => "under its own name".to_owned(),
        [_] => "rewritten".to_owned(),
        many => format!("rewritten by one of {} rules, by chance", many.len()),
    }
}

fn namespace(step: &Step) -> Option<String> {
    step.names_registry.then(|| "with ?ns=".to_owned())
}

fn fallback(step: &Step) -> Option<String> {
    step.attempt
        .http_fallback
        .then(|| "plain HTTP if the host does not speak TLS".to_owned())
}

fn certificates(tls: &TlsUse) -> Option<String> {
    let mut words: Vec<String> = tls.ca.iter().map(|path| format!("CA {path}")).collect();
    for (certificate, key) in &tls.client {
        let key = if key.is_empty() { "the same file" } else { key };
        words.push(format!("certificate {certificate} with key {key}"));
    }
    words.extend(tls.skip_verify.then(|| "any certificate is trusted".to_owned()));
    Some(words.join(", ")).filter(|words| !words.is_empty())
}

fn credential(presented: &Presented) -> Option<String> {
    match presented {
        Presented::Anonymous => None,
        Presented::Basic { username, password } if password.is_empty() => {
            Some(format!("user `{username}` without a password"))
        }
        Presented::Basic { username, .. } => Some(format!("user `{username}`")),
        Presented::IdentityToken(_) => Some("an identity token".to_owned()),
        Presented::Broken(error) => Some(format!("one that cannot be read ({error})")),
    }
}

/// Both credentials; secrets are compared and never told.
fn credentials(old: &Presented, new: &Presented) -> (Option<String>, Option<String>) {
    let (before, after) = (credential(old), credential(new));
    if old == new || before != after {
        return (before, after);
    }
    let other = match new {
        Presented::IdentityToken(_) => Some("another identity token".to_owned()),
        _ => after.map(|words| format!("{words}, another password")),
    };
    (before, other)
}

/// What tokens are asked for, in words that say nothing of the image.
fn scope(step: &Step) -> Option<String> {
    let of = |repository: &str| format!("repository:{repository}:pull");
    let scope = &step.attempt.token_scope;
    match scope {
        none if none.is_empty() => None,
        scope if *scope == of(&step.attempt.repository) => {
            Some("for the repository that is asked for".to_owned())
        }
        scope if *scope == of(&step.original) => Some("for the image's own repository".to_owned()),
        scope => Some(scope.clone()),
    }
}
