//! hosts.toml written so that every release of containerd and K3s' fork read it alike: everything escaped, `[host]`
//! always there (containerd 1 refuses a file without), one table per host.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use landfall_diag::Spanned;

use super::model::{ClientPair, HostSettings, HostsToml};
use super::toml::quoted;

impl fmt::Display for HostsToml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            writeln!(f, "server = {}", quoted(&server.value))?;
        }
        settings(f, &self.root, "", None)?;
        f.write_str("\n[host]\n")?;
        let mut written = HashSet::new();
        for host in &self.hosts {
            if !written.insert(&host.url.value) {
                continue;
            }
            let name = format!("host.{}", quoted(&host.url.value));
            writeln!(f, "\n[{name}]")?;
            settings(f, &host.settings, "  ", Some(&name))?;
        }
        Ok(())
    }
}

/// The settings of one table. Above all tables, maps must be inline: a table of their own would end the keys above.
fn settings(
    f: &mut fmt::Formatter<'_>,
    settings: &HostSettings,
    indent: &str,
    name: Option<&str>,
) -> fmt::Result {
    if let Some(server) = &settings.server {
        writeln!(f, "{indent}server = {}", quoted(&server.value))?;
    }
    if let Some(all) = &settings.capabilities {
        let all: Vec<String> = all.value.iter().map(|one| quoted(one.as_str())).collect();
        writeln!(f, "{indent}capabilities = [{}]", all.join(", "))?;
    }
    if let Some(flag) = &settings.override_path {
        writeln!(f, "{indent}override_path = {}", flag.value)?;
    }
    if let Some(ca) = &settings.ca {
        writeln!(f, "{indent}ca = {}", strings(&ca.value))?;
    }
    if let Some(client) = &settings.client {
        let all: Vec<String> = client.value.iter().map(pair).collect();
        writeln!(f, "{indent}client = [{}]", all.join(", "))?;
    }
    if let Some(flag) = &settings.skip_verify {
        writeln!(f, "{indent}skip_verify = {}", flag.value)?;
    }
    if let Some(time) = &settings.dial_timeout {
        writeln!(f, "{indent}dial_timeout = {}", quoted(&time.value))?;
    }
    let header = settings
        .header
        .iter()
        .map(|(key, values)| (quoted(&key.value), strings(values)));
    map(f, indent, name, "header", header)?;
    let rewrite = settings
        .rewrite
        .iter()
        .map(|rule| (quoted(&rule.pattern.value), quoted(&rule.replacement.value)));
    map(f, indent, name, "rewrite", rewrite)
}

fn map(
    f: &mut fmt::Formatter<'_>,
    indent: &str,
    name: Option<&str>,
    key: &str,
    entries: impl ExactSizeIterator<Item = (String, String)>,
) -> fmt::Result {
    if entries.len() == 0 {
        return Ok(());
    }
    let Some(name) = name else {
        let all: Vec<String> = entries.map(|(key, value)| format!("{key} = {value}")).collect();
        return writeln!(f, "{key} = {{ {} }}", all.join(", "));
    };
    writeln!(f, "{indent}[{name}.{key}]")?;
    for (key, value) in entries {
        writeln!(f, "{indent}  {key} = {value}")?;
    }
    Ok(())
}

fn strings(values: &[Spanned<String>]) -> String {
    let all: Vec<String> = values.iter().map(|value| quoted(&value.value)).collect();
    format!("[{}]", all.join(", "))
}

fn pair(pair: &ClientPair) -> String {
    let mut out = String::new();
    let cert = quoted(&pair.cert.value);
    let _ = match &pair.key {
        None => write!(out, "{cert}"),
        Some(key) => write!(out, "[{cert}, {}]", quoted(&key.value)),
    };
    out
}
