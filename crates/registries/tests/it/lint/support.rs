//! Runs the rules over a text.

use landfall_diag::render::{Style, render_short, render_text};
use landfall_diag::{Diagnostic, Severity, Source, SourceId, Sources, apply_fixes};
use landfall_registries::k3s::{Behaviours, Options, Program};
use landfall_registries::lint::{Input, OnNode, check};
use landfall_registries::registries_yaml;

pub(crate) const SOURCE: SourceId = SourceId(0);

/// K3s of the newest release.
pub(crate) fn k3s() -> Options {
    Options::new(Program::K3s)
}

/// With the default endpoint disabled.
pub(crate) fn denied() -> Options {
    Options {
        disable_default_endpoint: true,
        ..k3s()
    }
}

pub(crate) fn lint_on(text: &str, options: &Options, node: &OnNode<'_>) -> Vec<Diagnostic> {
    let reading = registries_yaml::read(SOURCE, text);
    check(&Input {
        source: SOURCE,
        text,
        reading: &reading,
        options,
        node,
    })
}

pub(crate) fn lint(text: &str, options: &Options) -> Vec<Diagnostic> {
    lint_on(text, options, &OnNode::unknown())
}

pub(crate) fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add(Source::new("registries.yaml", text));
    sources
}

pub(crate) fn short(text: &str, found: &[Diagnostic]) -> String {
    render_short(&sources(text), found)
}

pub(crate) fn long(text: &str, found: &[Diagnostic]) -> String {
    render_text(&sources(text), found, Style::default())
}

/// All fixes, until nothing more can be fixed.
pub(crate) fn mended(text: &str, options: &Options) -> String {
    let mut text = text.to_owned();
    for _ in 0..8 {
        let fixes: Vec<_> = lint(&text, options)
            .into_iter()
            .filter_map(|one| one.fix)
            .collect();
        if fixes.is_empty() {
            break;
        }
        text = apply_fixes(SOURCE, &text, &fixes).text;
    }
    text
}

/// The rules that are broken, notes left out.
pub(crate) fn codes(found: &[Diagnostic]) -> Vec<&'static str> {
    found
        .iter()
        .filter(|one| one.severity > Severity::Note)
        .map(|one| one.code)
        .collect()
}
