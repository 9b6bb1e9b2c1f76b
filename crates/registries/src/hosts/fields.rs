//! From the tree of a hosts.toml to the types of its fields, with go-toml's words for a value of another type.

use landfall_diag::{Span, Spanned};

use super::decode::{Dialect, HostsError};
use super::toml::{Entry, GoToml, Kind, Origin, Table, Value};
use crate::Rewrite;

/// How Go names the type around a file's fields.
const ROOT: &str = "struct { config.hostFileConfig; Server string \"toml:\\\"server\\\"\"; \
                    HostConfigs map[string]config.hostFileConfig \"toml:\\\"host\\\"\" }";
const FORK_ROOT: &str =
    "struct { config.hostFileConfig; HostConfigs map[string]config.hostFileConfig \"toml:\\\"host\\\"\" }";
const HOST: &str = "config.hostFileConfig";

/// The fields of a table; those of any type are still values.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) server: Option<Spanned<String>>,
    pub(super) capabilities: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) ca: Option<Value>,
    pub(super) client: Option<Value>,
    pub(super) skip_verify: Option<Spanned<bool>>,
    pub(super) header: Vec<Entry>,
    pub(super) override_path: Option<Spanned<bool>>,
    pub(super) dial_timeout: Option<Spanned<String>>,
    pub(super) rewrite: Vec<Rewrite>,
}

/// All tables of a file.
pub(super) struct File {
    pub(super) root: Fields,
    pub(super) hosts: Vec<(Spanned<String>, Fields)>,
}

struct Reader {
    dialect: Dialect,
    place: &'static str,
}

/// Types the tree. Of several faults the first in the file is told.
pub(super) fn file(table: &Table, dialect: Dialect) -> Result<File, HostsError> {
    let place = if dialect.fork { FORK_ROOT } else { ROOT };
    let reader = Reader { dialect, place };
    let root = reader.fields(table, true)?;
    let mut hosts = Vec::new();
    for entry in &table.entries {
        if !reader.named(&entry.key.value, "host") {
            continue;
        }
        let of = "map[string]config.hostFileConfig";
        for host in reader.table(&entry.value, "HostConfigs", of, "map")? {
            let inner = Reader { dialect, place: HOST };
            let fields = match &host.value.kind {
                Kind::Table(table) => inner.fields(table, false)?,
                Kind::Tables(_) => {
                    return Err(fault(
                        host.value.span,
                        "cannot store an array table in a struct".to_owned(),
                    ));
                }
                _ => {
                    let kind = host.value.type_name();
                    return Err(fault(
                        host.value.span,
                        format!("cannot decode TOML {kind} into {HOST}"),
                    ));
                }
            };
            hosts.push((host.key.clone(), fields));
        }
    }
    Ok(File { root, hosts })
}

impl Reader {
    /// Whether a key names a field: go-toml does not mind its case, the older one takes upper case only.
    fn named(&self, key: &str, field: &str) -> bool {
        match self.dialect.go_toml == GoToml::V1 {
            true => key == field || key == field.to_uppercase(),
            false => key.eq_ignore_ascii_case(field),
        }
    }

    fn fields(&self, table: &Table, root: bool) -> Result<Fields, HostsError> {
        let mut fields = Fields::default();
        for Entry { key, value } in &table.entries {
            let is = |field: &str| self.named(&key.value, field);
            if is("server") && (root || self.dialect.fork) {
                fields.server = Some(self.string(value, "Server")?);
            } else if is("capabilities") {
                fields.capabilities = Some(self.strings(value, "Capabilities")?);
            } else if is("ca") {
                fields.ca = Some(value.clone());
            } else if is("client") {
                fields.client = Some(value.clone());
            } else if is("skip_verify") {
                fields.skip_verify = Some(self.bool(value, "SkipVerify")?);
            } else if is("override_path") {
                fields.override_path = Some(self.bool(value, "OverridePath")?);
            } else if is("header") {
                let of = "map[string]interface {}";
                fields.header = self.table(value, "Header", of, "map")?.to_vec();
            } else if is("dial_timeout") && self.dialect.dial_timeout {
                fields.dial_timeout = Some(self.string(value, "DialTimeout")?);
            } else if is("rewrite") && self.dialect.fork {
                fields.rewrite = self.rewrites(value)?;
            }
        }
        Ok(fields)
    }

    fn string(&self, value: &Value, field: &str) -> Result<Spanned<String>, HostsError> {
        match &value.kind {
            Kind::String(text) => Ok(Spanned::new(text.clone(), value.span)),
            _ => Err(self.mismatch(value, field, "string", "string")),
        }
    }

    fn bool(&self, value: &Value, field: &str) -> Result<Spanned<bool>, HostsError> {
        match value.kind {
            Kind::Bool(flag) => Ok(Spanned::new(flag, value.span)),
            _ => Err(self.mismatch(value, field, "bool", "bool")),
        }
    }

    fn strings(&self, value: &Value, field: &str) -> Result<Spanned<Vec<Spanned<String>>>, HostsError> {
        let Kind::Array(values) = &value.kind else {
            return Err(self.mismatch(value, field, "[]string", "string"));
        };
        let all = values
            .iter()
            .map(|value| self.string(value, field))
            .collect::<Result<_, _>>()?;
        Ok(Spanned::new(all, value.span))
    }

    fn table<'v>(
        &self,
        value: &'v Value,
        field: &str,
        of: &str,
        go: &str,
    ) -> Result<&'v [Entry], HostsError> {
        match &value.kind {
            Kind::Table(table) => Ok(&table.entries),
            _ => Err(self.mismatch(value, field, of, go)),
        }
    }

    fn rewrites(&self, value: &Value) -> Result<Vec<Rewrite>, HostsError> {
        let entries = self.table(value, "Rewrites", "map[string]string", "map")?;
        let rule = |entry: &Entry| {
            Ok(Rewrite {
                pattern: entry.key.clone(),
                replacement: self.string(&entry.value, "Rewrites")?,
            })
        };
        entries.iter().map(rule).collect()
    }

    fn mismatch(&self, value: &Value, field: &str, of: &str, go: &str) -> HostsError {
        let message = match &value.kind {
            Kind::Tables(_) if go == "string" && of != go => "cannot store a table in a string".to_owned(),
            Kind::Tables(_) => format!("cannot store an array table in a {go}"),
            Kind::Table(table) if table.origin != Origin::Inline => format!("cannot store a table in a {go}"),
            _ => {
                let (kind, place) = (value.type_name(), self.place);
                format!("cannot decode TOML {kind} into struct field {place}.{field} of type {of}")
            }
        };
        fault(value.span, message)
    }
}

fn fault(span: Span, message: String) -> HostsError {
    HostsError {
        message: format!("toml: {message}").into(),
        span,
    }
}
