//! An intent as a registries.yaml that K3s and RKE2 cannot get wrong.
//!
//! What K3s writes of a file has faults: patterns break its hosts.toml, rules are taken in random order, `*` in
//! `configs` is dropped, the switch against default endpoints leaks. Here nothing is written that meets one of them;
//! what then cannot be said is a loss.

mod hosts;
mod mirrors;
mod rules;
mod yaml;

use landfall_diag::Span;

use crate::intent::{Intent, Match, Upstream};
use crate::k3s::{Behaviours, Generation, Program};
use crate::runtimes::file::Losses;
use crate::runtimes::{OutFile, Rendered, expand};

/// What the file is written for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose program reads it.
    pub program: Program,
    /// What its release does.
    pub behaviours: Behaviours,
    /// The embedded registry is on, which is asked for names as they are.
    pub embedded_registry: bool,
    /// Lines of a comment at the top: who wrote it, from what.
    pub header: Vec<String>,
}

impl Target {
    /// The newest release, without anything.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            behaviours: Behaviours::newest(),
            embedded_registry: false,
            header: Vec::new(),
        }
    }
}

/// A file, and how the program must be started for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file and the losses.
    pub rendered: Rendered,
    /// `--disable-default-registry-endpoint` is needed on every node: some registry must not be asked itself.
    pub disable_default_endpoint: bool,
}

/// One entry of `mirrors`, ready to be written.
#[derive(Clone, Debug)]
struct Mirror {
    key: String,
    endpoints: Vec<String>,
    rules: Vec<(String, String)>,
}

/// One entry of `configs`, ready to be written.
#[derive(Clone, Debug, Default)]
struct Config {
    auth: Vec<(&'static str, String)>,
    tls: Vec<(&'static str, String)>,
    skip_verify: bool,
    /// There is nothing in it; it is there to be found before the wildcard.
    hides_wildcard: bool,
}

/// What all parts of the writer know.
struct Plan<'a> {
    intent: &'a Intent,
    target: &'a Target,
    /// Default endpoints are switched off.
    switched_off: bool,
}

/// Writes the file.
#[must_use]
pub fn write(intent: &Intent, target: &Target) -> Written {
    let mut losses = Losses::default();
    let plan = Plan {
        intent,
        target,
        switched_off: denied(intent).is_some(),
    };
    expand::networks(intent, &mut losses);
    let mut mirrors = plan.mirrors(&mut losses);
    let configs = plan.configs(&mirrors, &mut losses);
    plan.unshadow(&mut mirrors, &configs, &mut losses);
    for mirror in &mut mirrors {
        mirror.keep_rules_of_own_host();
    }
    if target.behaviours.generation != Generation::Hosts
        && let Some(span) = denied(intent)
    {
        losses.add(
            span,
            "that a registry is not asked itself",
            "the releases before v1.27.13, v1.28.9 and v1.29.4 have no such switch, or one that does not hold",
            "update the node first",
        );
    }
    let text = yaml::text(&target.header, &mirrors, &configs);
    let path = format!("/etc/rancher/{}/registries.yaml", target.program.as_str());
    let file = match configs.values().any(|config| !config.auth.is_empty()) {
        true => OutFile::secret(path, text),
        false => OutFile::plain(path, text),
    };
    Written {
        rendered: Rendered {
            files: vec![file],
            losses: losses.into_vec(),
        },
        disable_default_endpoint: plan.switched_off,
    }
}

/// The first registry that must not be asked itself, of those that K3s can tell apart.
fn denied(intent: &Intent) -> Option<Span> {
    let told_apart = |matches: &Match| matches!(matches, Match::Exact(_) | Match::Wildcard);
    let mut registries = intent.registries.iter();
    let registry = registries
        .find(|registry| registry.upstream.value != Upstream::Allow && told_apart(&registry.matches.value))?;
    Some(registry.upstream.span)
}

/// Whether a text can be a key and a directory: nothing that leads elsewhere or ends a string.
fn is_host(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter);
    !text.is_empty() && text.chars().all(fits) && !matches!(text, "." | "..")
}
