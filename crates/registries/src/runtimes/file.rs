//! Files in and files out: what readers are given and what writers return. Nothing here touches a disk.

use std::fmt;

use landfall_diag::{Diagnostic, SourceId, Span};

use crate::Loss;
use crate::intent::Intent;

/// A file that was found on a node.
#[derive(Clone, Copy, Debug)]
pub struct InFile<'a> {
    /// Its path; what it means is read off its last components.
    pub path: &'a str,
    /// The text's name among the sources of the run.
    pub source: SourceId,
    /// Its text; empty for what is not read (certificates, keys).
    pub text: &'a str,
    /// Where it leads, when it is a symbolic link.
    pub link: Option<&'a str>,
}

impl InFile<'_> {
    /// The file as a place.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.source, 0..0)
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// What a reader made of files.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// What they say, as the runtime understands it.
    pub intent: Intent,
    /// What the common model has no words for.
    pub losses: Vec<Loss>,
    /// What is wrong with the files. With an error among them the runtime does not take the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Certificates that stood inline: written to these paths, the intent's paths hold.
    pub extracted: Vec<OutFile>,
}

/// A file to be written.
#[derive(Clone, PartialEq, Eq)]
pub struct OutFile {
    /// Where, absolute, on the node.
    pub path: String,
    /// What.
    pub body: Body,
    /// Its permissions; of a link, none.
    pub mode: u32,
    /// Whether it holds passwords or keys.
    pub secret: bool,
}

/// What is written.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// This text.
    Text(String),
    /// A symbolic link to this path: what is renewed there holds here too.
    Link(String),
}

impl OutFile {
    /// A file that everybody may read.
    #[must_use]
    pub fn plain(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: Body::Text(text.into()),
            mode: 0o644,
            secret: false,
        }
    }

    /// A file that only its owner may read.
    #[must_use]
    pub fn secret(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            mode: 0o600,
            secret: true,
            ..Self::plain(path, text)
        }
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: Body::Link(target.into()),
            mode: 0o777,
            secret: false,
        }
    }
}

impl fmt::Debug for OutFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:o})", self.path, self.mode)?;
        match &self.body {
            Body::Link(target) => write!(f, " -> {target}"),
            Body::Text(_) if self.secret => f.write_str(" ***"),
            Body::Text(text) => write!(f, "\n{text}"),
        }
    }
}

/// What a writer returns: its files, and what they do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The files, in the order of their paths.
    pub files: Vec<OutFile>,
    /// What could not be carried over.
    pub losses: Vec<Loss>,
}

impl Rendered {
    /// Puts the files in order.
    pub(super) fn new(mut files: Vec<OutFile>, losses: Losses) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            files,
            losses: losses.all,
        }
    }
}

/// Losses as they are found; the same one once.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    all: Vec<Loss>,
}

impl Losses {
    pub(crate) fn add(
        &mut self,
        span: Span,
        what: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let loss = Loss {
            span: Some(span),
            what: what.into(),
            why: why.into(),
            advice: advice.into(),
        };
        if !self.all.contains(&loss) {
            self.all.push(loss);
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Loss> {
        self.all
    }
}
