//! `--set`: `a.b=c,d[0]=e,f={g,h}`, with `\` before what is meant as it stands.

use std::collections::BTreeMap;

use super::load::ChartError;
use crate::manifests::tree::{At, Tree, Value};

const MAX_INDEX: usize = 65_536;
const MAX_DEPTH: usize = 30;

/// One tree for each setting, to be laid over the values in turn. A list replaces a list: only its named items are in it.
pub(super) fn parse(text: &str) -> Result<Vec<Tree>, ChartError> {
    let fail = |reason: &str| ChartError::Setting {
        text: text.split('=').next().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    };
    let mut all = Vec::new();
    for setting in split(text, ',') {
        if setting.trim().is_empty() {
            continue;
        }
        let Some((path, value)) = split_once(&setting) else {
            return Err(fail("needs `=` between a key and its value"));
        };
        let keys = split(path, '.');
        if keys.len() > MAX_DEPTH {
            return Err(fail("has more levels than Helm allows"));
        }
        let mut tree = read_value(value);
        for key in keys.iter().rev() {
            tree = under(key, tree).ok_or_else(|| fail("has a key that cannot be read"))?;
        }
        all.push(tree);
    }
    Ok(all)
}

/// The first `=` that no `\` stands before.
fn split_once(setting: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in setting.char_indices() {
        match c {
            '=' if !escaped => return Some((&setting[..at], &setting[at + 1..])),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// Cuts at a character, not within braces, not where it is escaped. Escapes stay.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut escaped, mut braces) = (vec![String::new()], false, 0_usize);
    for c in text.chars() {
        let plain = !escaped;
        match c {
            '{' if plain => braces += 1,
            '}' if plain => braces = braces.saturating_sub(1),
            _ => {}
        }
        if c == at && plain && braces == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && plain;
    }
    parts
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(c);
    }
    out
}

fn read_value(text: &str) -> Tree {
    if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let items = split(inner, ',')
            .iter()
            .filter(|item| !item.is_empty())
            .map(|item| scalar(item))
            .collect();
        return tree(Value::List(items));
    }
    scalar(text)
}

fn scalar(text: &str) -> Tree {
    tree(match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.parse::<i64>().is_ok() && (text == "0" || !text.starts_with('0')) => {
            Value::Number(text.to_owned())
        }
        _ => Value::Text(unescaped(text)),
    })
}

/// A value under a key, which may end in indexes.
fn under(key: &str, value: Tree) -> Option<Tree> {
    let (name, mut indexes) = match key.find('[') {
        Some(at) => (&key[..at], &key[at..]),
        None => (key, ""),
    };
    let mut order = Vec::new();
    while !indexes.is_empty() {
        let (index, rest) = indexes.strip_prefix('[')?.split_once(']')?;
        order.push(index.parse::<usize>().ok().filter(|index| *index <= MAX_INDEX)?);
        indexes = rest;
    }
    let value = order
        .into_iter()
        .rev()
        .fold(value, |value, _| tree(Value::List(vec![value])));
    Some(tree(Value::Map(BTreeMap::from([(unescaped(name), value)]))))
}

fn tree(value: Value) -> Tree {
    Tree {
        value,
        at: At::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::merge::lay;
    use super::*;

    fn set(text: &str) -> Tree {
        let mut all = Tree::empty_map();
        for over in parse(text).unwrap() {
            lay(&mut all, over);
        }
        all
    }

    #[test]
    fn settings() {
        let all = set(r"a.b=c,a.d=1,e={x,y},f\.g=h\,i,j=null,k[0].l=m,n=,o=007");
        let text = |path: &[&str]| all.path(path.iter().copied()).and_then(Tree::printed);
        assert_eq!(text(&["a", "b"]).as_deref(), Some("c"));
        assert_eq!(text(&["a", "d"]).as_deref(), Some("1"));
        assert_eq!(all.get("e").unwrap().list().len(), 2);
        assert_eq!(text(&["f.g"]).as_deref(), Some("h,i"));
        assert_eq!(all.get("k").unwrap().list()[0].text_at("l"), Some("m"));
        assert_eq!(text(&["n"]).as_deref(), Some(""));
        assert_eq!(text(&["o"]).as_deref(), Some("007"));
        for bad in ["a", "a[b]=c", "a[99999999]=c"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
