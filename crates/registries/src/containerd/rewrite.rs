//! K3s' rewrites of repositories: compiled once, applied as the fork applies them for each request.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_diag::Span;

use super::log::LogLine;
use crate::Rewrite;
use crate::go::regex::GoRegex;

/// The rules of one host, sorted by pattern.
#[derive(Debug, Default)]
pub(super) struct Rules {
    all: Vec<Rule>,
    refused: Vec<(String, String, Span)>,
}

#[derive(Debug)]
struct Rule {
    regex: Arc<GoRegex>,
    replacement: String,
    span: Span,
}

/// Patterns that were compiled: K3s copies the rules of a mirror to each of its endpoints.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    known: BTreeMap<String, Result<Arc<GoRegex>, String>>,
}

impl Patterns {
    fn compile(&mut self, pattern: &str) -> Result<Arc<GoRegex>, String> {
        if let Some(known) = self.known.get(pattern) {
            return known.clone();
        }
        let compiled = GoRegex::compile(pattern)
            .map(Arc::new)
            .map_err(|error| error.to_string());
        self.known.insert(pattern.to_owned(), compiled.clone());
        compiled
    }
}

/// A repository as one rule makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) repository: String,
    pub(super) span: Span,
}

impl Rules {
    pub(super) fn compile(rewrites: &[Rewrite], patterns: &mut Patterns) -> Self {
        let mut sorted: Vec<&Rewrite> = rewrites.iter().collect();
        sorted.sort_by(|a, b| a.pattern.value.cmp(&b.pattern.value));
        let mut rules = Self::default();
        for rewrite in sorted {
            let pattern = &rewrite.pattern;
            match patterns.compile(&pattern.value) {
                Ok(regex) => rules.all.push(Rule {
                    regex,
                    replacement: rewrite.replacement.value.clone(),
                    span: pattern.span.to(rewrite.replacement.span),
                }),
                Err(error) => rules.refused.push((pattern.value.clone(), error, pattern.span)),
            }
        }
        rules
    }

    /// What the repository may become: one result per rule that changes it. The fork takes any of them, since its
    /// rules are a Go map; the first here is the one of the lowest pattern.
    pub(super) fn results(&self, repository: &str) -> Vec<Rewritten> {
        let mut results: Vec<Rewritten> = Vec::new();
        for rule in &self.all {
            let changed = rule.regex.replace_all(repository, &rule.replacement);
            if changed != repository && results.iter().all(|known| known.repository != changed) {
                results.push(Rewritten {
                    repository: changed,
                    span: rule.span,
                });
            }
        }
        results
    }

    /// What the fork logs of patterns that Go refuses.
    pub(super) fn log(&self, host: &str) -> impl Iterator<Item = LogLine> {
        self.refused.iter().map(move |(pattern, error, span)| {
            let text = format!("Failed to compile rewrite, `{pattern}`, for {host}: {error}");
            LogLine::new(text, Some(*span))
        })
    }
}

/// The scope that containerd asks for: of the path of `dummy://registry/repository`, as it takes it.
pub(super) fn scope(registry: &str, repository: &str) -> Result<String, String> {
    let plain = |byte: u8| byte > b' ' && byte < 0x7f && !matches!(byte, b'?' | b'#' | b'%');
    if repository.bytes().all(plain) {
        return Ok(format!("repository:{repository}:pull"));
    }
    let locator = format!("dummy://{registry}/{repository}");
    let url = crate::go::url::Url::parse(&locator).map_err(|error| error.to_string())?;
    let path = url.path.strip_prefix('/').unwrap_or(&url.path);
    Ok(format!("repository:{path}:pull"))
}
