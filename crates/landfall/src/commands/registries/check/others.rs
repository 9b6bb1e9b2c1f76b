//! Configurations that are no registries.yaml: what their own readers say.

use std::path::Path;

use landfall_diag::{Diagnostic, Severity, Source, SourceId, Sources, Span};
use landfall_oci::Reference;
use landfall_registries::Loss;
use landfall_registries::containerd::{Behaviour, ConfigError, ConfigToml, Containerd, Flavour, Setup};
use landfall_registries::hosts::CertsD;

use super::super::configuration::{behaviour, import};
use super::super::gather::Gathered;
use super::super::veil::{all_discreet, veiled};
use super::{Examined, Mended, is_stdin};
use crate::args::{Check, Format};
use crate::failure::Failure;

pub(super) fn examine(path: &Path, gathered: Gathered, args: &Check) -> Result<Examined, Failure> {
    let name = match is_stdin(path) {
        true => "<stdin>".to_owned(),
        false => path.display().to_string(),
    };
    let texts: Vec<(String, String)> = gathered
        .files
        .iter()
        .map(|found| (found.path.clone(), found.text.clone()))
        .collect();
    let mut findings = match gathered.format {
        Format::ContainerdConfig => {
            let found = gathered.only()?;
            config_toml(found.source, &found.text, behaviour(&args.node)?)
        }
        _ => {
            let (_, import) = import(gathered, &args.node, false)?;
            let mut findings = import.diagnostics;
            findings.extend(import.losses.iter().map(note));
            findings
        }
    };
    findings.sort_by_key(|found| {
        let place = found.primary.as_ref().map(|label| label.span);
        place.map(|span| (span.source, span.start))
    });
    let (sources, visible) = shown(&texts);
    all_discreet(&mut findings, &visible);
    Ok(Examined {
        name,
        sources,
        findings,
        mended: args.fix.then(|| Mended {
            applied: 0,
            text: texts.into_iter().map(|(_, text)| text).collect(),
            diff: String::new(),
        }),
    })
}

/// The texts without passwords, under the numbers that they were read with; and all of them in one.
fn shown(texts: &[(String, String)]) -> (Sources, String) {
    let (mut sources, mut all) = (Sources::default(), String::new());
    for (path, text) in texts {
        let visible = veiled(text);
        all.push_str(&visible);
        sources.add(Source::new(path.clone(), visible));
    }
    (sources, all)
}

/// What the runtime understands and other programs cannot be told.
fn note(loss: &Loss) -> Diagnostic {
    let message = format!("only this program can be told: {}", loss.what);
    let found = match loss.span {
        Some(span) => Diagnostic::at("I01", Severity::Note, span, message),
        None => Diagnostic::whole("I01", Severity::Note, message),
    };
    found
        .consequence(format!(
            "it gets lost when this is rendered for another one: {}",
            loss.why
        ))
        .help(loss.advice.clone())
}

fn config_toml(source: SourceId, text: &str, behaviour: Behaviour) -> Vec<Diagnostic> {
    let config = match ConfigToml::parse(source, text) {
        Ok(config) => config,
        Err(error) => return vec![refused(&error)],
    };
    let mut found = Vec::new();
    for span in &config.unread {
        let message = format!(
            "version {} of config.toml does not have this section",
            config.version
        );
        found.push(
            Diagnostic::at("C02", Severity::Warning, head(*span, text), message)
                .consequence("containerd passes over it without a word")
                .help(format!(
                    "its name is `{}`",
                    match config.version {
                        0 | 1 => "plugins.cri.registry",
                        2 => "plugins.\"io.containerd.grpc.v1.cri\".registry",
                        _ => "plugins.\"io.containerd.cri.v1.images\".registry",
                    }
                )),
        );
    }
    found.extend(excluded(&config, text, behaviour));
    found
}

/// `config_path` beside what it replaces.
fn excluded(config: &ConfigToml, text: &str, behaviour: Behaviour) -> Option<Diagnostic> {
    let path = config.config_path.as_ref().filter(|path| !path.is_empty())?;
    let mut setup = Setup::new(Flavour::Upstream);
    config.apply(&mut setup, behaviour);
    setup.roots.push(CertsD::new(path.value.clone()));
    // An empty folder has nothing against any image: what is said is about the file.
    let image = Reference::parse("docker.io/library/any:1").ok()?;
    let line = Containerd::new(setup).explain(&image).pull_error?;
    let span = line.span.map_or(path.span, |span| head(span, text));
    Some(
        Diagnostic::at("C03", Severity::Error, span, line.text)
            .also(path.span, "the folder of hosts.toml files")
            .consequence("the CRI plugin does not load, and no pod starts")
            .help("move it into hosts.toml files below that folder"),
    )
}

fn refused(error: &ConfigError) -> Diagnostic {
    let span = match error {
        ConfigError::Toml(error) => error.span,
        ConfigError::Type { span, .. }
        | ConfigError::Version { span, .. }
        | ConfigError::Auths { span, .. } => *span,
    };
    let consequence = match error {
        ConfigError::Toml(_) | ConfigError::Version { .. } => {
            "containerd ends at once, and nothing runs on the node"
        }
        _ => "containerd runs without its CRI plugin: the node is not ready, and no pod starts",
    };
    Diagnostic::at("C01", Severity::Error, span, error.to_string()).consequence(consequence)
}

/// The first line of a section.
fn head(span: Span, text: &str) -> Span {
    let range = span.range();
    let covered = text.get(range.clone()).unwrap_or_default();
    let length = covered.find('\n').unwrap_or(covered.len());
    Span::new(span.source, range.start..range.start + length)
}
