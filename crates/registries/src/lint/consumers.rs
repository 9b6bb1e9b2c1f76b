//! One file, two readers: where wharfie goes another way than containerd (L42).

use landfall_diag::{Diagnostic, Severity};
use landfall_oci::Reference;

use super::context::{Context, HUB, told};
use super::overlaps::prefix;
use crate::k3s::{Node, Program};
use crate::registries_yaml::{MirrorEntry, RegistriesYaml};
use crate::{Attempt, Presented, wharfie};

/// How many mirrors are compared; beyond that the pattern is clear.
const MIRRORS: usize = 32;
/// A mirror with more rules than this is not compared.
const RULES: usize = 64;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    // wharfie does not know the flag; without it the two are compared for all else.
    let mut options = context.options().clone();
    let denied = std::mem::take(&mut options.disable_default_endpoint);
    if context.file.mirrors.is_empty() {
        return;
    }
    if denied {
        found.push(flag(context));
    }
    options.embedded_registry = None;
    let mut file = context.file.clone();
    let mut left = MIRRORS;
    file.mirrors.retain(|mirror| {
        let few = mirror.key.value == "*" || left > 0;
        left = left.saturating_sub(1);
        few && mirror.rewrites.len() <= RULES
    });
    let node = Node::new(&file, options);
    // What is wrong with a mirror by itself explains enough; on K3s, so do findings that name wharfie.
    const WRONG: [&str; 12] = [
        "L01", "L03", "L05", "L06", "L07", "L09", "L16", "L17", "L20", "L21", "L24", "L37",
    ];
    let named = found
        .iter()
        .any(|one| matches!(one.code, "L13" | "L27" | "L29" | "L34"));
    if named && severity(context) == Severity::Note {
        return;
    }
    // wharfie compiles the rules of the whole file for every image; here one mirror's are enough.
    let mut rules: Vec<_> = file
        .mirrors
        .iter_mut()
        .map(|mirror| std::mem::take(&mut mirror.rewrites))
        .collect();
    for (index, own) in rules.iter_mut().enumerate() {
        let Some(mirror) = file.mirrors.get_mut(index) else {
            continue;
        };
        std::mem::swap(&mut mirror.rewrites, own);
        if let Some(mirror) = file
            .mirrors
            .get(index)
            .filter(|mirror| !told(found, &WRONG, mirror.span))
        {
            found.extend(different(context, &file, &node, mirror));
        }
        if let Some(mirror) = file.mirrors.get_mut(index) {
            mirror.rewrites.clear();
        }
    }
}

fn severity(context: &Context<'_>) -> Severity {
    match context.options().program {
        // Its runtime comes by way of wharfie, at every start.
        Program::Rke2 => Severity::Warning,
        Program::K3s => Severity::Note,
    }
}

fn flag(context: &Context<'_>) -> Diagnostic {
    Diagnostic::whole("L42", severity(context), "wharfie does not know --disable-default-registry-endpoint")
        .consequence("RKE2's runtime image and Rancher's installers are still looked for in the registry itself, after the mirrors")
        .help("close the way at the firewall, or put the images on the node beforehand")
}

fn different(
    context: &Context<'_>,
    file: &RegistriesYaml,
    node: &Node,
    mirror: &MirrorEntry,
) -> Option<Diagnostic> {
    let image = image(mirror)?;
    let told = wharfie::explain(file, &image);
    let explained = node.explain(&image);
    // By chance is not another way.
    if !explained.alternatives.is_empty() || explained.pull_error.is_some() {
        return None;
    }
    let (first, second) = (steps(&explained.attempts), steps(&told.attempts));
    if first == second {
        return None;
    }
    let at = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
    let shown = |steps: &[Step]| match steps.get(at) {
        Some(step) => step.to_string(),
        None => "nothing more".to_owned(),
    };
    let image = format!("{}:{}", image.name(), image.target());
    Some(
        Diagnostic::at("L42", severity(context), mirror.key.span, format!("containerd and wharfie go different ways for `{image}`"))
            .label(format!("they part at request {}", at + 1))
            .consequence(format!("containerd (all pods): {}", shown(&first)))
            .consequence(format!("wharfie (RKE2's runtime, Rancher's installers): {}", shown(&second)))
            .help("make both the same: full URLs with their exact host, an entry of `configs` for each, no wildcard in `configs`"),
    )
}

/// An image of the mirror, one that its first rule changes if there is one.
fn image(mirror: &MirrorEntry) -> Option<Reference> {
    let registry = match mirror.key.value.as_str() {
        "*" => "registry.example.com",
        name => name,
    };
    // What the first rule begins with, so that it has something to change.
    let start = mirror
        .rewrites
        .first()
        .map_or("", |rule| prefix(&rule.pattern.value));
    let start = start.trim_end_matches(['/', '-', '_', '.']);
    let start = if start.is_empty() { "library" } else { start };
    Reference::parse(&format!("{registry}/{start}/busybox:latest")).ok()
}

/// What counts of a request.
#[derive(PartialEq, Eq)]
struct Step {
    url: String,
    login: String,
    trust: String,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}{}", self.url, self.login, self.trust)
    }
}

/// The requests, each once; Docker Hub under one name, since both of its hosts are the same.
fn steps(attempts: &[Attempt]) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.error.is_none()) {
        let step = step(attempt);
        if all.iter().all(|known| *known != step) {
            all.push(step);
        }
    }
    all
}

fn step(attempt: &Attempt) -> Step {
    let url = attempt.url.split('?').next().unwrap_or_default();
    let login = match &attempt.presented {
        Presented::Anonymous => "anonymous".to_owned(),
        Presented::Basic { username, .. } => format!("as {username}"),
        Presented::IdentityToken(_) => "with a refresh token".to_owned(),
        Presented::Broken(_) => "with a broken credential".to_owned(),
    };
    let tls = &attempt.tls;
    let mut trust = String::new();
    if tls.skip_verify {
        trust.push_str(", any certificate");
    }
    for ca in &tls.ca {
        trust.push_str(", CA ");
        trust.push_str(ca);
    }
    for (cert, _) in &tls.client {
        trust.push_str(", client certificate ");
        trust.push_str(cert);
    }
    if attempt.http_fallback {
        trust.push_str(", plain HTTP if there is no TLS");
    }
    Step {
        url: url.replacen("://index.docker.io/", &format!("://{HUB}/"), 1),
        login,
        trust,
    }
}
