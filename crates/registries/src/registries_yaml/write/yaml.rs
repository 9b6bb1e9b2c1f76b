//! The text: every key and value in quotes, in the order of the intent, hosts sorted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Config, Mirror};
use crate::runtimes::rke::quoted;

pub(super) fn text(header: &[String], mirrors: &[Mirror], configs: &BTreeMap<String, Config>) -> String {
    let mut text = String::new();
    for line in header.iter().flat_map(|lines| lines.lines()) {
        let _ = writeln!(text, "# {line}");
    }
    if !mirrors.is_empty() {
        text.push_str("mirrors:\n");
    }
    for mirror in mirrors {
        let _ = writeln!(text, "  {}:\n    endpoint:", quoted(&mirror.key));
        for endpoint in &mirror.endpoints {
            let _ = writeln!(text, "      - {}", quoted(endpoint));
        }
        if !mirror.rules.is_empty() {
            text.push_str("    rewrite:\n");
        }
        for (pattern, replacement) in &mirror.rules {
            let _ = writeln!(text, "      {}: {}", quoted(pattern), quoted(replacement));
        }
    }
    if !configs.is_empty() {
        text.push_str("configs:\n");
    }
    for (host, config) in configs {
        let _ = writeln!(text, "  {}:", quoted(host));
        if !config.auth.is_empty() {
            text.push_str("    auth:\n");
        }
        for (field, value) in &config.auth {
            let _ = writeln!(text, "      {field}: {}", quoted(value));
        }
        if config.hides_wildcard {
            text.push_str("    tls: {}\n");
        } else if !config.tls.is_empty() || config.skip_verify {
            text.push_str("    tls:\n");
        }
        for (field, value) in &config.tls {
            let _ = writeln!(text, "      {field}: {}", quoted(value));
        }
        if config.skip_verify {
            text.push_str("      insecure_skip_verify: true\n");
        }
    }
    text
}
