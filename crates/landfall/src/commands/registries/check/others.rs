//! Configurations that are no registries.yaml: what their own readers say.

use std::path::Path;

use landfall_diag::{Diagnostic, Severity, Source, SourceId, Sources, Span};
use landfall_registries::Loss;
use landfall_registries::containerd::{ConfigError, ConfigToml};

use super::super::configuration::import;
use super::super::gather::Gathered;
use super::veil::veiled;
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
            config_toml(found.source, &found.text)
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
    Ok(Examined {
        name,
        sources: shown(&texts),
        findings,
        mended: args.fix.then(|| Mended {
            applied: 0,
            text: texts.into_iter().map(|(_, text)| text).collect(),
            diff: String::new(),
        }),
    })
}

/// The texts without passwords, under the numbers that they were read with.
fn shown(texts: &[(String, String)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in texts {
        sources.add(Source::new(path.clone(), veiled(text)));
    }
    sources
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

fn config_toml(source: SourceId, text: &str) -> Vec<Diagnostic> {
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
    let path = config.config_path.as_ref().filter(|path| !path.is_empty());
    if let (Some(path), Some(mirror)) = (path, config.legacy.mirrors.first()) {
        found.push(
            Diagnostic::at(
                "C03",
                Severity::Error,
                mirror.span,
                "`mirrors` and `config_path` exclude each other",
            )
            .also(path.span, "the folder of hosts.toml files")
            .consequence("the CRI plugin does not load, and no pod starts")
            .help("move the mirrors into hosts.toml files: landfall registries render --for containerd"),
        );
    }
    found
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
