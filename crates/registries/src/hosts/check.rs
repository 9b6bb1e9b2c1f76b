//! What containerd checks in a table after its types: the URL, capabilities, certificates, headers, time-outs.

use landfall_diag::{Span, Spanned};

use super::decode::{Dialect, HostsError};
use super::duration;
use super::fields::Fields;
use super::model::{Capability, ClientPair, HostSettings, Target};
use super::toml::{Kind, Value};
use crate::go::{path, url::Url};

type Strings = Vec<Spanned<String>>;

/// Where a URL leads; nowhere of its own when it is empty.
pub(super) fn target(server: &Spanned<String>, fields: &Fields) -> Result<Option<Target>, HostsError> {
    if server.value.is_empty() {
        return Ok(None);
    }
    let text = match server.value.starts_with("http") {
        true => server.value.clone(),
        false => format!("https://{}", server.value),
    };
    let url = Url::parse(&text)
        .map_err(|error| fault(server.span, format!("unable to parse server {text}: {error}")))?;
    let overridden = fields.override_path.as_ref().is_some_and(|flag| flag.value);
    let path = match (url.path.is_empty(), overridden) {
        (true, true) => String::new(),
        (true, false) => "/v2".to_owned(),
        (false, _) => {
            let clean = path::clean(&url.path);
            let suffix = if overridden || clean.ends_with("/v2") {
                ""
            } else {
                "/v2"
            };
            clean + suffix
        }
    };
    Ok(Some(Target {
        scheme: url.scheme,
        host: url.host,
        path,
    }))
}

/// The settings, checked in containerd's order.
pub(super) fn settings(fields: &Fields, dialect: Dialect) -> Result<HostSettings, HostsError> {
    let capabilities = fields.capabilities.as_ref();
    Ok(HostSettings {
        server: fields.server.clone(),
        capabilities: capabilities
            .map(|list| self::capabilities(list, dialect))
            .transpose()?,
        ca: fields.ca.as_ref().map(authorities).transpose()?,
        client: fields.client.as_ref().map(clients).transpose()?,
        skip_verify: fields.skip_verify.clone(),
        header: fields
            .header
            .iter()
            .map(|entry| Ok((entry.key.clone(), header(&entry.key.value, &entry.value)?)))
            .collect::<Result<_, HostsError>>()?,
        override_path: fields.override_path.clone(),
        dial_timeout: fields.dial_timeout.clone().map(dial_timeout).transpose()?,
        rewrite: fields.rewrite.clone(),
    })
}

fn capabilities(list: &Spanned<Strings>, dialect: Dialect) -> Result<Spanned<Vec<Capability>>, HostsError> {
    let mut all = Vec::with_capacity(list.value.len());
    for name in &list.value {
        all.push(match name.value.to_lowercase().as_str() {
            "pull" => Capability::Pull,
            "resolve" => Capability::Resolve,
            "push" => Capability::Push,
            "referrers" if dialect.referrers => Capability::Referrers,
            _ => return Err(fault(name.span, format!("unknown capability {}", name.value))),
        });
    }
    Ok(Spanned::new(all, list.span))
}

fn authorities(value: &Value) -> Result<Spanned<Strings>, HostsError> {
    let list = match &value.kind {
        Kind::String(text) => vec![Spanned::new(text.clone(), value.span)],
        Kind::Array(values) => strings(values)?,
        Kind::Tables(tables) => {
            let first = tables.first().map(ToString::to_string).unwrap_or_default();
            return Err(no_string(&first, value.span));
        }
        _ => return Err(fault(value.span, format!("invalid type {value} for \"ca\""))),
    };
    Ok(Spanned::new(list, value.span))
}

fn clients(value: &Value) -> Result<Spanned<Vec<ClientPair>>, HostsError> {
    let alone = |text: &str, span| ClientPair {
        cert: Spanned::new(text.to_owned(), span),
        key: None,
    };
    let pairs = match &value.kind {
        Kind::String(text) => vec![alone(text, value.span)],
        Kind::Array(values) => values
            .iter()
            .map(|one| match &one.kind {
                Kind::String(text) => Ok(alone(text, one.span)),
                Kind::Array(parts) => pair(parts, one),
                _ => Err(fault(
                    one.span,
                    format!("invalid type {} for \"client\"", go_type(one)),
                )),
            })
            .collect::<Result<_, HostsError>>()?,
        Kind::Tables(_) => {
            let message = "invalid type map[string]interface {} for \"client\"";
            return Err(fault(value.span, message.to_owned()));
        }
        _ => return Err(fault(value.span, format!("invalid type {value} for \"client\""))),
    };
    Ok(Spanned::new(pairs, value.span))
}

fn pair(parts: &[Value], whole: &Value) -> Result<ClientPair, HostsError> {
    let parts = strings(parts)?;
    match parts.as_slice() {
        [cert, key] => Ok(ClientPair {
            cert: cert.clone(),
            key: Some(key.clone()),
        }),
        _ => Err(fault(whole.span, format!("invalid pair {whole} for \"client\""))),
    }
}

fn header(key: &str, value: &Value) -> Result<Strings, HostsError> {
    match &value.kind {
        Kind::String(text) => Ok(vec![Spanned::new(text.clone(), value.span)]),
        Kind::Array(values) => strings(values),
        _ => {
            let key = crate::go::quote::quote(key);
            Err(fault(
                value.span,
                format!("invalid type {value} for header {key}"),
            ))
        }
    }
}

fn dial_timeout(text: Spanned<String>) -> Result<Spanned<String>, HostsError> {
    let refused = Some(&text.value)
        .filter(|text| !text.is_empty())
        .and_then(|text| duration::fault(text));
    match refused {
        Some(words) => Err(fault(text.span, words)),
        None => Ok(text),
    }
}

fn strings(values: &[Value]) -> Result<Strings, HostsError> {
    let string = |value: &Value| match &value.kind {
        Kind::String(text) => Ok(Spanned::new(text.clone(), value.span)),
        _ => Err(no_string(&value.to_string(), value.span)),
    };
    values.iter().map(string).collect()
}

fn no_string(shown: &str, span: Span) -> HostsError {
    fault(span, format!("unable to cast {shown} to string"))
}

/// Go's name of the type that a value decodes to.
fn go_type(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Bool(_) => "bool",
        Kind::Integer(_) => "int64",
        Kind::Float(_) => "float64",
        Kind::Table(_) => "map[string]interface {}",
        Kind::Date(_, "local date") => "toml.LocalDate",
        Kind::Date(_, "local time") => "toml.LocalTime",
        Kind::Date(_, "local datetime") => "toml.LocalDateTime",
        Kind::Date(..) => "time.Time",
        Kind::String(_) => "string",
        Kind::Array(_) | Kind::Tables(_) => "[]interface {}",
    }
}

fn fault(span: Span, message: String) -> HostsError {
    HostsError {
        message: message.into(),
        span,
    }
}
