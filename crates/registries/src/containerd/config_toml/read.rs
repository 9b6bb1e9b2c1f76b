//! From the text of a config.toml to its registry sections.

use landfall_diag::{SourceId, Span, Spanned};
use landfall_oci::Secret;

use super::{ConfigError, ConfigToml, plugin};
use crate::containerd::{Credential, Mirror};
use crate::go::url::Url;
use crate::hosts::toml::{self, Entry, Kind, Table, Value};
use crate::registries_yaml::YamlTls;
use crate::{Auth, Rewrite};

type Read<T> = Result<T, ConfigError>;

impl ConfigToml {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`]: with such a file nothing runs on the node.
    pub fn parse(source: SourceId, text: &str) -> Read<Self> {
        let document = toml::parse(source, text);
        if let Some(error) = document.error {
            return Err(error.into());
        }
        let mut read = Self {
            version: version(&document.root)?,
            ..Self::default()
        };
        let Some(plugins) = document
            .root
            .get("plugins")
            .map(|value| table(value, "plugins"))
            .transpose()?
        else {
            return Ok(read);
        };
        for entry in &plugins.entries {
            let images = entry.value.as_table();
            let registry = images.and_then(|images| images.get("registry"));
            if entry.key.value == plugin(read.version) {
                if let Some(flag) = images.and_then(|images| images.get("use_local_image_pull")) {
                    read.use_local_image_pull = Some(bool(flag, "use_local_image_pull")?);
                }
                if let Some(registry) = registry {
                    read.registry(table(registry, "registry")?)?;
                }
            } else if (1..=3).any(|version| entry.key.value == plugin(version)) {
                read.unread.extend(registry.map(|registry| registry.span));
            }
        }
        Ok(read)
    }

    fn registry(&mut self, registry: &Table) -> Read<()> {
        for Entry { key, value } in &registry.entries {
            match key.value.as_str() {
                "config_path" => self.config_path = Some(string(value, "config_path")?),
                "mirrors" => {
                    for entry in &table(value, "mirrors")?.entries {
                        self.legacy.mirrors.push(mirror(entry)?);
                    }
                }
                "configs" => {
                    for entry in &table(value, "configs")?.entries {
                        self.config(entry)?;
                    }
                }
                "headers" => {
                    for entry in &table(value, "headers")?.entries {
                        self.headers
                            .push((entry.key.clone(), strings(&entry.value, "headers")?));
                    }
                }
                _ => {}
            }
        }
        // What `auths` says replaces what `configs` says, wherever they stand.
        let auths = registry
            .get("auths")
            .map(|value| table(value, "auths"))
            .transpose()?;
        for entry in auths.iter().flat_map(|auths| &auths.entries) {
            let host = host_of(&entry.key)?;
            let credential = credential(host, &entry.value)?;
            self.credentials
                .retain(|known| known.key.value != credential.key.value);
            self.credentials.push(credential);
        }
        Ok(())
    }

    fn config(&mut self, entry: &Entry) -> Read<()> {
        let config = table(&entry.value, "configs")?;
        if let Some(auth) = config.get("auth") {
            self.credentials.push(credential(entry.key.clone(), auth)?);
        }
        if let Some(tls) = config.get("tls") {
            let read = Spanned::new(tls_section(table(tls, "tls")?)?, tls.span);
            self.legacy.tls.push((entry.key.clone(), read));
        }
        Ok(())
    }
}

fn version(root: &Table) -> Read<u8> {
    let Some(value) = root.get("version") else {
        return Ok(1);
    };
    let known = match &value.kind {
        Kind::Integer(text) => text.parse().ok().filter(|version| (1..=4).contains(version)),
        _ => None,
    };
    known.ok_or_else(|| ConfigError::Version {
        version: value.to_string().into(),
        span: value.span,
    })
}

fn mirror(entry: &Entry) -> Read<Mirror> {
    let inner = table(&entry.value, "mirrors")?;
    let endpoint = inner
        .get("endpoint")
        .map(|value| strings(value, "endpoint"))
        .transpose()?;
    let rewrites = inner
        .get("rewrite")
        .map(|value| table(value, "rewrite"))
        .transpose()?;
    let rule = |entry: &Entry| {
        Ok(Rewrite {
            pattern: entry.key.clone(),
            replacement: string(&entry.value, "rewrite")?,
        })
    };
    Ok(Mirror {
        name: entry.key.clone(),
        span: entry.key.span.to(entry.value.span),
        endpoints: endpoint.unwrap_or_default(),
        rewrites: rewrites
            .map_or(&[][..], |table| &table.entries)
            .iter()
            .map(rule)
            .collect::<Read<_>>()?,
    })
}

fn credential(key: Spanned<String>, value: &Value) -> Read<Credential> {
    let section = table(value, "auth")?;
    let plain = |field: &'static str| section.get(field).map(|value| string(value, field)).transpose();
    let secret = |field| plain(field).map(|text| text.map(|text| text.map(Secret::from)));
    Ok(Credential {
        key,
        auth: Auth {
            username: plain("username")?,
            password: secret("password")?,
            auth: secret("auth")?,
            identity_token: secret("identitytoken")?,
        },
        span: value.span,
    })
}

fn tls_section(section: &Table) -> Read<YamlTls> {
    let text = |field: &'static str| section.get(field).map(|value| string(value, field)).transpose();
    let flag = section.get("insecure_skip_verify");
    Ok(YamlTls {
        ca_file: text("ca_file")?,
        cert_file: text("cert_file")?,
        key_file: text("key_file")?,
        insecure_skip_verify: flag
            .map(|value| bool(value, "insecure_skip_verify"))
            .transpose()?,
    })
}

/// A key of `auths`: the host of a URL, or the key itself.
fn host_of(key: &Spanned<String>) -> Read<Spanned<String>> {
    let url = Url::parse(&key.value).map_err(|error| {
        let shown = crate::go::quote::quote(&key.value);
        ConfigError::Auths {
            words: format!("failed to parse registry url {shown} from `registry.auths`: {error}").into(),
            span: key.span,
        }
    })?;
    let host = if url.scheme.is_empty() {
        key.value.clone()
    } else {
        url.host
    };
    Ok(Spanned::new(host, key.span))
}

fn table<'v>(value: &'v Value, field: &'static str) -> Read<&'v Table> {
    value
        .as_table()
        .ok_or_else(|| fault(field, "a table", value.span))
}

fn string(value: &Value, field: &'static str) -> Read<Spanned<String>> {
    let text = value
        .as_str()
        .ok_or_else(|| fault(field, "a string", value.span))?;
    Ok(Spanned::new(text.to_owned(), value.span))
}

fn bool(value: &Value, field: &'static str) -> Read<Spanned<bool>> {
    let flag = value
        .as_bool()
        .ok_or_else(|| fault(field, "true or false", value.span))?;
    Ok(Spanned::new(flag, value.span))
}

fn strings(value: &Value, field: &'static str) -> Read<Vec<Spanned<String>>> {
    match &value.kind {
        Kind::Array(values) => values.iter().map(|value| string(value, field)).collect(),
        _ => Err(fault(field, "a list of strings", value.span)),
    }
}

fn fault(field: &'static str, needed: &'static str, span: Span) -> ConfigError {
    ConfigError::Type { field, needed, span }
}
