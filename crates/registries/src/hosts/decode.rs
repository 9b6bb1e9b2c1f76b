//! The whole way of a hosts.toml in containerd: text, tree, types, order, checks.

use landfall_diag::{SourceId, Span, Spanned};

use super::check;
use super::fields::{self, Fields};
use super::model::{HostEntry, HostsToml};
use super::toml::{self, GoToml, Kind};

/// What releases and forks of containerd read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// K3s' fork: `rewrite`, `server` per host, no upstream unless `server` is there or no host is.
    pub fork: bool,
    /// Whose TOML. With v1 (containerd 1.x) a file without `[host]` is refused whole, and hosts may be any kind of
    /// table.
    pub go_toml: GoToml,
    /// `referrers` is a capability (2.2).
    pub referrers: bool,
    /// `dial_timeout` is read (2.0).
    pub dial_timeout: bool,
}

/// Why containerd throws a hosts.toml away; what it logs behind `failed to decode …: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostsError {
    /// containerd's words.
    pub message: Box<str>,
    /// Where.
    pub span: Span,
}

impl From<toml::TomlError> for HostsError {
    fn from(error: toml::TomlError) -> Self {
        Self {
            message: error.to_string().into(),
            span: error.span,
        }
    }
}

impl HostsToml {
    /// Reads a file.
    ///
    /// # Errors
    /// What makes containerd throw the whole file away.
    pub fn parse(source: SourceId, text: &str, dialect: Dialect) -> Result<Self, HostsError> {
        let document = toml::parse_as(source, text, dialect.go_toml);
        let order = match dialect.go_toml == GoToml::V1 {
            true => order_of_entries(&document, Span::new(source, 0..text.len())),
            false => Ok(order_of_headers(&document)),
        };
        // A value of a wrong type is told when it is reached, which may be before the text stops making sense.
        let typed = fields::file(&document.root, dialect);
        let earlier = |error: &HostsError, broken: &toml::TomlError| error.span.start < broken.span.start;
        let typed = match (typed, document.error) {
            (Err(error), Some(broken)) if !earlier(&error, &broken) => Err(broken.into()),
            (Ok(_), Some(broken)) => Err(broken.into()),
            (typed, _) => typed,
        };
        let typed = match (typed, dialect.go_toml == GoToml::V1) {
            (Err(error), true) => Err(in_go_toml_1(error, text)),
            (typed, _) => typed,
        }?;
        let server_on_top = document.top.iter().any(|key| key == "server");
        assemble(typed, &order?, server_on_top, dialect)
    }
}

/// containerd 2: the second part of each `[host.…]` header, whenever it is not the one before. Hosts that are given
/// in another way are decoded but never tried.
fn order_of_headers(document: &toml::Document) -> Vec<Spanned<String>> {
    let mut order: Vec<Spanned<String>> = Vec::new();
    let mut before = "";
    for header in &document.headers {
        if let [first, host, ..] = header.as_slice()
            && first.value == "host"
            && before != host.value
        {
            before = &host.value;
            order.push(host.clone());
        }
    }
    order
}

/// containerd 1: the keys of the table `host`, which must be there.
fn order_of_entries(document: &toml::Document, whole: Span) -> Result<Vec<Spanned<String>>, HostsError> {
    match document.root.get("host").map(|value| &value.kind) {
        Some(Kind::Table(table)) => Ok(table.entries.iter().map(|entry| entry.key.clone()).collect()),
        _ => Err(HostsError {
            message: "invalid `host` tree".into(),
            span: whole,
        }),
    }
}

/// containerd 1 names the line and says that it is about TOML; go-toml v1's own words differ in more than that.
fn in_go_toml_1(error: HostsError, text: &str) -> HostsError {
    let before = text.get(..error.span.start as usize).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
    let words = error.message.strip_prefix("toml: ").unwrap_or(&error.message);
    HostsError {
        message: format!("failed to parse TOML: ({line}, {column}): {words}").into(),
        span: error.span,
    }
}

fn assemble(
    file: fields::File,
    order: &[Spanned<String>],
    server_on_top: bool,
    dialect: Dialect,
) -> Result<HostsToml, HostsError> {
    let nothing = Fields::default();
    let mut hosts = Vec::with_capacity(order.len());
    for url in order {
        let found = file.hosts.iter().find(|(key, _)| key.value == url.value);
        let fields = found.map_or(&nothing, |(_, fields)| fields);
        let own = fields.server.as_ref().filter(|server| !server.value.is_empty());
        let target = check::target(own.unwrap_or(url), fields)?.unwrap_or_default();
        hosts.push(HostEntry {
            url: url.clone(),
            target,
            settings: check::settings(fields, dialect)?,
        });
    }
    let mut read = HostsToml {
        server: file.root.server.clone(),
        server_on_top,
        hosts,
        ..HostsToml::default()
    };
    if !dialect.fork || server_on_top || read.hosts.is_empty() {
        if let Some(server) = &read.server {
            read.target = check::target(server, &file.root)?;
        }
        read.root = check::settings(&file.root, dialect)?;
        read.root.server = None;
    }
    Ok(read)
}
