//! The same text without its secrets, so that a message may show the line in which one stands.

use landfall_diag::Span;
use landfall_diag::yaml::{Kind, Node};

use crate::registries_yaml::Reading;

/// The fields whose values nobody may see; those that people write by mistake are among them.
const FIELDS: [&str; 9] = [
    "password",
    "pass",
    "auth",
    "identity_token",
    "identitytoken",
    "token",
    "registrytoken",
    "registry_token",
    "bearer",
];

/// The text with a `*` for every byte of a secret: all places in it stay where they are. Passwords in URLs are covered
/// even where the file is no YAML; so is what stands behind `password:` and its like.
#[must_use]
pub fn redacted(text: &str, reading: &Reading) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut cover = |range: std::ops::Range<usize>| {
        if let Some(part) = bytes.get_mut(range) {
            part.iter_mut()
                .filter(|byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\''))
                .for_each(|byte| *byte = b'*');
        }
    };
    match reading
        .document
        .as_ref()
        .and_then(|document| document.root.as_ref())
    {
        Some(root) => fields(root, 6, &mut |span| cover(span.range())),
        None => lines(text, &mut cover),
    }
    url_passwords(text).into_iter().for_each(&mut cover);
    // Stars for whole characters: still UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where passwords stand in URLs (`https://user:password@host`).
#[must_use]
pub fn url_passwords(text: &str) -> Vec<std::ops::Range<usize>> {
    let password = |(at, _): (usize, &str)| {
        let rest = &text[at + 3..];
        let end = rest
            .find(|c: char| c.is_whitespace() || "/?#\"',".contains(c))
            .unwrap_or(rest.len());
        let user = rest[..end].rfind('@')?;
        let colon = rest[..user].find(':')?;
        Some(at + 3 + colon + 1..at + 3 + user)
    };
    text.match_indices("://").filter_map(password).collect()
}

fn fields(node: &Node, depth: usize, cover: &mut dyn FnMut(Span)) {
    match &node.kind {
        // What an alias stands for is covered where it is written out.
        _ if node.alias.is_some() => {}
        Kind::Mapping(pairs) if depth > 0 => {
            for (key, value) in pairs.iter() {
                let secret = key.text().is_some_and(|key| FIELDS.contains(&key));
                match &value.kind {
                    Kind::Scalar { .. } | Kind::Sequence(_) if secret => cover(value.span),
                    Kind::Mapping(entries) if key.text() == Some("auths") => {
                        for (_, entry) in entries.iter() {
                            match &entry.kind {
                                // Written here where a section belongs.
                                Kind::Scalar { .. } => cover(entry.span),
                                _ => fields(entry, depth - 1, cover),
                            }
                        }
                    }
                    _ => fields(value, depth - 1, cover),
                }
            }
        }
        Kind::Sequence(items) if depth > 0 => items.iter().for_each(|item| fields(item, depth - 1, cover)),
        _ => {}
    }
}

/// Behind `password:` on the same line, for texts that are no YAML.
fn lines(text: &str, cover: &mut dyn FnMut(std::ops::Range<usize>)) {
    for field in FIELDS {
        for (at, _) in text.match_indices(field) {
            let from = at + field.len();
            let rest = &text[from..];
            let skipped = rest.len() - rest.trim_start_matches(['"', '\'', ' ', '\t']).len();
            if !rest[skipped..].starts_with(':') {
                continue;
            }
            let from = from + skipped + 1;
            let end = text[from..].find('\n').map_or(text.len(), |end| from + end);
            cover(from..end);
        }
    }
}
