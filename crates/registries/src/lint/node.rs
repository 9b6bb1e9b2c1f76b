//! What is known of the node, and what follows from it: who may read the file (L36), templates (L39), a start before
//! the last change (L40).

use std::time::SystemTime;

use landfall_diag::{Diagnostic, Severity};

use super::context::Context;
use super::credentials;

/// What is at a path of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nobody looked: nothing is said about it.
    Unknown,
    /// Nothing.
    Missing,
    /// A file that may not be read.
    Forbidden,
    /// A directory.
    Directory,
    /// A file.
    Bytes(Vec<u8>),
}

/// Who looks.
pub trait Files {
    /// What is at a path.
    fn look(&self, path: &str) -> Content;
}

/// Nobody looks: the file is not checked on its node.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn look(&self, _: &str) -> Content {
        Content::Unknown
    }
}

/// A template of config.toml on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its path.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What is known of the node.
#[derive(Clone)]
pub struct OnNode<'a> {
    /// Certificates and keys.
    pub files: &'a dyn Files,
    /// The time, for certificates.
    pub now: Option<SystemTime>,
    /// The permission bits of registries.yaml.
    pub mode: Option<u32>,
    /// When registries.yaml was changed last.
    pub changed: Option<SystemTime>,
    /// When K3s or RKE2 was started.
    pub started: Option<SystemTime>,
    /// The templates of config.toml that are there.
    pub templates: Vec<Template>,
}

impl OnNode<'static> {
    /// Nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            files: &NoFiles,
            now: None,
            mode: None,
            changed: None,
            started: None,
            templates: Vec::new(),
        }
    }
}

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let secrets = context
        .file
        .configs
        .iter()
        .filter_map(|config| config.auth.as_ref())
        .any(|auth| credentials::is_set(&auth.value));
    found.extend(mode(context, secrets));
    for template in &context.input.node.templates {
        found.extend(without_registries(context, template, secrets));
    }
    found.extend(stale(context));
}

fn mode(context: &Context<'_>, secrets: bool) -> Option<Diagnostic> {
    let mode = context
        .input
        .node
        .mode
        .filter(|mode| mode & 0o077 != 0 && secrets)?;
    let program = context.options().program.as_str();
    Some(
        Diagnostic::whole(
            "L36",
            Severity::Warning,
            format!(
                "others than root may read the passwords in this file (mode {:04o})",
                mode & 0o7777
            ),
        )
        .consequence("every user and every container that mounts the directory sees them")
        .help(format!("chmod 600 /etc/rancher/{program}/registries.yaml")),
    )
}

fn without_registries(context: &Context<'_>, template: &Template, secrets: bool) -> Option<Diagnostic> {
    let has = |words: &str| template.text.contains(words);
    if has("template \"base\"") || has("template `base`") || has(".PrivateRegistryConfig") {
        return None;
    }
    let who = context.program();
    let lost = match (
        has("config_path") || has("registry.mirrors"),
        has("registry.configs"),
    ) {
        (false, _) => "the mirrors, certificates and credentials of this file",
        (true, false) if secrets => "the credentials of this file",
        _ => return None,
    };
    Some(
        Diagnostic::whole("L39", Severity::Warning, format!("{} leaves out {lost}", template.path))
            .consequence(format!("{who} renders this template instead of its own config.toml, so containerd does not get them; only releases of 2026 merge the two, and warn"))
            .help("begin the template with {{ template \"base\" . }} and add to that"),
    )
}

fn stale(context: &Context<'_>) -> Option<Diagnostic> {
    let node = context.input.node;
    let (changed, started) = (node.changed?, node.started?);
    let late = changed
        .duration_since(started)
        .ok()
        .filter(|late| late.as_secs() > 0)?;
    let who = context.program();
    let program = context.options().program.as_str();
    let minutes = late.as_secs() / 60;
    let unit = match program {
        "rke2" => "systemctl restart rke2-server (or rke2-agent)",
        _ => "systemctl restart k3s (or k3s-agent)",
    };
    Some(
        Diagnostic::whole(
            "L40",
            Severity::Warning,
            format!("{who} was started before this file was changed"),
        )
        .consequence(format!(
            "the node works with an older state of the file; it changed {minutes} minutes after the start"
        ))
        .help(format!("{unit}; pods keep running")),
    )
}
