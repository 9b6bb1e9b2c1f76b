//! A tree as a program without types of its own would see it, in a canonical notation.

use landfall_diag::yaml::{Kind, Node, Resolved, is_merge, resolve};

/// The value in canonical notation, or why yaml.v2 gives up on it.
pub(crate) fn dump(node: &Node) -> Result<String, String> {
    if matches!(node.kind, Kind::EndlessMapping | Kind::EndlessSequence) {
        let name = node.alias.as_deref().unwrap_or_default();
        return Err(format!("anchor '{name}' value contains itself"));
    }
    Ok(match resolve(node)? {
        Resolved::Null => "null".to_owned(),
        Resolved::Bool(value) => value.to_string(),
        Resolved::Int(value) => format!("int {value}"),
        Resolved::Uint(value) => format!("int {value}"),
        Resolved::Float(value) if value.is_nan() => "float nan".to_owned(),
        Resolved::Float(value) => format!("float {:016x}", value.to_bits()),
        Resolved::Binary(bytes) => quoted(&String::from_utf8_lossy(&bytes)),
        Resolved::Timestamp | Resolved::Str | Resolved::Tagged(_) => quoted(node.text().unwrap_or_default()),
        Resolved::Sequence => {
            let items: Result<Vec<_>, _> = node.items().unwrap_or_default().iter().map(dump).collect();
            format!("[{}]", items?.join(", "))
        }
        Resolved::Mapping => {
            let mut pairs = Vec::new();
            fill(node, &mut pairs)?;
            let mut lines: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{key}: {value}"))
                .collect();
            lines.sort();
            format!("{{{}}}", lines.join(", "))
        }
    })
}

fn fill(node: &Node, to: &mut Vec<(String, String)>) -> Result<(), String> {
    if matches!(node.kind, Kind::EndlessMapping) {
        return dump(node).map(|_| ());
    }
    let refuse = || "map merge requires map or sequence of maps as the value".to_owned();
    let is_map = |node: &Node| matches!(node.kind, Kind::Mapping(_) | Kind::EndlessMapping);
    for (key, value) in node.pairs().unwrap_or_default() {
        if !is_merge(key) {
            let (key_text, value) = (dump(key)?, dump(value)?);
            if key.text().is_none() {
                return Err("invalid map key".to_owned());
            }
            to.retain(|(known, _)| *known != key_text || known == "float nan");
            to.push((key_text, value));
        } else if is_map(value) {
            fill(value, to)?;
        } else if let (Some(items), None) = (value.items(), &value.alias) {
            for item in items.iter().rev() {
                if !is_map(item) {
                    return Err(refuse());
                }
                fill(item, to)?;
            }
        } else {
            return Err(refuse());
        }
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\u{{{:x}}}", u32::from(c)),
            ' '..='~' => c.to_string(),
            _ => format!("\\u{{{:x}}}", u32::from(c)),
        })
        .collect();
    format!("\"{shown}\"")
}
