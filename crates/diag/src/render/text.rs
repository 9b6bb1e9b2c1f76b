//! For people: the place, the line, the words at it, what comes of it, what to do.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};

use super::excerpt::Excerpt;
use super::in_text;
use crate::hidden::visible;
use crate::{Diagnostic, Fix, Label, Severity, Source, SourceId, Sources};

/// A label over more lines than this is drawn on its first line alone.
const MOST_LINES: usize = 6;

/// Stands for a place until the lines are drawn: a character of nobody's.
const PLACE: char = '\u{F8F0}';

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours, as terminals understand them.
    pub colour: bool,
    /// Columns to stay within; longer lines are cut around what matters.
    pub width: usize,
    /// Lines and corners instead of `|` and `-`.
    pub unicode: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 140,
            unicode: false,
        }
    }
}

/// One line each: `file:line:column: error[L01]: message`.
#[must_use]
pub fn render_short(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let (severity, code) = (diagnostic.severity.word(), diagnostic.code);
        let place = match &diagnostic.primary {
            Some(label) => format!("{}: ", sources.shown(label.span)),
            None => sources
                .get(SourceId(0))
                .map_or_else(String::new, |source| format!("{}: ", source.name())),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{place}{severity}[{code}]: {}", visible(&diagnostic.message));
    }
    out
}

/// All diagnostics, an empty line between them.
#[must_use]
pub fn render_text(sources: &Sources, diagnostics: &[Diagnostic], style: Style) -> String {
    let renderer = if style.colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let decor = if style.unicode {
        DecorStyle::Unicode
    } else {
        DecorStyle::Ascii
    };
    let renderer = renderer.decor_style(decor).term_width(style.width.max(40));
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        let drawn = renderer.render(&groups(sources, diagnostic));
        for line in with_places(sources, diagnostic, &drawn).lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn groups<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(visible(&diagnostic.message))
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    for (index, source) in labelled(diagnostic).into_iter().enumerate() {
        group = group.elements(snippet(sources, diagnostic, source, index));
    }
    if let (None, Some(source)) = (&diagnostic.primary, sources.get(SourceId(0))) {
        group = group.element(Origin::path(source.name()));
    }
    for text in &diagnostic.consequences {
        group = group.element(Level::NOTE.with_name("what happens").message(visible(text)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    let mut groups = vec![group];
    groups.extend(diagnostic.fix.as_ref().map(|fix| preview(sources, fix)));
    groups
}

/// The texts that have labels, the primary one first.
fn labelled(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut all = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        if !all.contains(&label.span.source) {
            all.push(label.span.source);
        }
    }
    all
}

/// A header and the lines of one text, in pieces where the labels stand far apart.
fn snippet<'a>(
    sources: &'a Sources,
    diagnostic: &'a Diagnostic,
    id: SourceId,
    index: usize,
) -> Option<Snippet<'a, Annotation<'a>>> {
    let primary = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    let labels: Vec<(AnnotationKind, &Label, Range<usize>)> = primary
        .chain(secondary)
        .filter(|(_, label)| label.span.source == id)
        .filter_map(|(kind, label)| {
            let (source, range) = in_text(sources, label.span)?;
            Some((kind, label, drawable(source.text(), range)))
        })
        .collect();
    let source = sources.get(id).filter(|_| !labels.is_empty())?;
    let start = labels
        .iter()
        .map(|(_, _, range)| range.start)
        .min()
        .unwrap_or_default();
    let end = labels
        .iter()
        .map(|(_, _, range)| range.end)
        .max()
        .unwrap_or_default();
    let excerpt = Excerpt::new(source.text(), &(start..end));
    let annotations: Vec<_> = labels
        .iter()
        .map(|(kind, label, range)| {
            let words = Some(visible(&label.text)).filter(|text| !text.is_empty());
            kind.span(excerpt.range(range)).label(words)
        })
        .collect();
    let lines = Snippet::source(excerpt.text)
        .line_start(excerpt.line)
        .path(format!("{PLACE}{index}"));
    Some(lines.annotations(annotations))
}

/// The renderer counts columns in the line as drawn; this puts the place in the file into its headers.
fn with_places(sources: &Sources, diagnostic: &Diagnostic, drawn: &str) -> String {
    let mut parts = drawn.split(PLACE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        let index = part
            .split(':')
            .next()
            .and_then(|index| index.parse::<usize>().ok());
        let source = index.and_then(|index| labelled(diagnostic).get(index).copied());
        let label = diagnostic.primary.iter().chain(&diagnostic.secondary);
        match source.and_then(|source| label.into_iter().find(|label| label.span.source == source)) {
            Some(label) => out.push_str(&sources.shown(label.span)),
            None => out.push_str(&part[..part.len() - rest.len()]),
        }
        out.push_str(rest);
    }
    out
}

/// What can be drawn of a range: not many lines, and no lone line end.
fn drawable(text: &str, range: Range<usize>) -> Range<usize> {
    let covered = &text[range.clone()];
    let end = match covered.match_indices('\n').nth(MOST_LINES - 1) {
        Some(_) => range.start + covered.find('\n').unwrap_or(covered.len()),
        None => range.start + covered.trim_end_matches(['\n', '\r']).len(),
    };
    range.start..end
}

/// The lines as they would be with the fix.
fn preview<'a>(sources: &'a Sources, fix: &'a Fix) -> Group<'a> {
    let group = Group::with_title(Level::HELP.secondary_title(visible(&fix.title)));
    let mut edits: Vec<(&Source, Range<usize>, &str)> = Vec::new();
    for edit in &fix.edits {
        let Some((source, range)) = in_text(sources, edit.span) else {
            return group;
        };
        edits.push((source, range, &edit.text));
    }
    edits.sort_by_key(|(_, range, _)| (range.start, range.end));
    let one_text = fix
        .edits
        .windows(2)
        .all(|pair| pair[0].span.source == pair[1].span.source);
    let apart = edits.windows(2).all(|pair| pair[0].1.end <= pair[1].1.start);
    let (Some(first), Some(last), true, true) = (edits.first(), edits.last(), one_text, apart) else {
        return group;
    };
    let text = first.0.text();
    // With the line that follows, if that is where something is put.
    let end = text[last.1.end..]
        .find('\n')
        .map_or(text.len(), |at| last.1.end + at);
    let excerpt = Excerpt::new(text, &(first.1.start..end));
    let patches: Vec<_> = edits
        .iter()
        .map(|(_, range, text)| Patch::new(excerpt.range(range), shown(text)))
        .collect();
    group.element(
        Snippet::source(excerpt.text)
            .line_start(excerpt.line)
            .patches(patches),
    )
}

/// New text as it is drawn: its line ends stay.
fn shown(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}
