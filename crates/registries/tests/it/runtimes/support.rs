//! Files of a test, in and out.

use landfall_diag::{Severity, Source, Sources, Span};
use landfall_registries::Loss;
use landfall_registries::runtimes::{Body, Import, InFile, OutFile};

/// Files by path, with their sources.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) sources: Sources,
    all: Vec<(String, landfall_diag::SourceId, String, Option<String>)>,
}

impl Files {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut all = Self::default();
        for (path, text) in files {
            all.add(path, text, None);
        }
        all
    }

    pub(crate) fn written(files: &[OutFile]) -> Self {
        let mut all = Self::default();
        for file in files {
            match &file.body {
                Body::Text(text) => all.add(&file.path, text, None),
                Body::Link(target) => all.add(&file.path, "", Some(target)),
            }
        }
        all
    }

    fn add(&mut self, path: &str, text: &str, link: Option<&str>) {
        let source = self.sources.add(Source::new(path, text));
        self.all
            .push((path.to_owned(), source, text.to_owned(), link.map(str::to_owned)));
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&[InFile<'_>]) -> T) -> T {
        let files: Vec<InFile<'_>> = self
            .all
            .iter()
            .map(|(path, source, text, link)| InFile {
                path,
                source: *source,
                text,
                link: link.as_deref(),
            })
            .collect();
        read(&files)
    }

    /// The text at a place.
    pub(crate) fn at(&self, span: Span) -> &str {
        let text = self.sources.get(span.source).unwrap().text();
        &text[span.range()]
    }
}

/// The one error or warning, as `text at its place: message`.
pub(crate) fn only(files: &Files, import: &Import) -> String {
    let all: Vec<_> = import
        .diagnostics
        .iter()
        .filter(|found| found.severity > Severity::Note)
        .collect();
    let [one] = all.as_slice() else {
        panic!("not one message: {all:#?}")
    };
    let place = one.primary.as_ref().map_or("", |label| files.at(label.span));
    format!("{place}: {}", one.message)
}

pub(crate) fn loss_of<'l>(losses: &'l [Loss], part: &str) -> &'l Loss {
    losses
        .iter()
        .find(|loss| loss.what.contains(part))
        .unwrap_or_else(|| panic!("no loss about {part}: {losses:#?}"))
}
