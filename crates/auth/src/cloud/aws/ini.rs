//! The files `~/.aws/config` and `~/.aws/credentials`: sections of `key = value`. Pure, and total.

use std::collections::BTreeMap;

/// Sections by name, each with its settings. Later lines win; a section that comes twice is one.
pub(super) type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Reads such a file. Lines that are neither section nor setting are nobody's: AWS's own clients skip them, too.
pub(super) fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut current = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        // What is indented belongs to the setting above (`s3 =`): none of that matters to us.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default();
            let name = name
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace('"', "");
            sections.entry(name.clone()).or_default();
            current = Some(name);
            continue;
        }
        let section = current.as_ref().and_then(|name| sections.get_mut(name));
        if let (Some(section), Some((key, value)), false) = (section, line.split_once('='), is_nested) {
            section.insert(key.trim().to_ascii_lowercase(), without_comment(value).to_owned());
        }
    }
    sections
}

/// A comment begins with a sign after white space; secrets may hold the sign itself.
fn without_comment(value: &str) -> &str {
    let ends = [" #", " ;", "\t#", "\t;"]
        .into_iter()
        .filter_map(|sign| value.find(sign));
    let end = ends.min().unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_settings_comments() {
        let text = "\u{feff}# x\r\nlost = 1\n[default]\naws_access_key_id=A\nAWS_SECRET_ACCESS_KEY = a/b+c==#d ; note\n\
                    s3 =\n  region = nested\nnonsense\n[ profile  \"a b\" ] # c\nregion = eu-west-1\n[default]\nregion=x\n[broken\nk=v";
        let sections = parse(text);
        let of = |section: &str, key: &str| sections[section].get(key).map(String::as_str);
        assert_eq!(of("default", "aws_access_key_id"), Some("A"));
        assert_eq!(of("default", "aws_secret_access_key"), Some("a/b+c==#d"));
        assert_eq!(of("default", "region"), Some("x"));
        assert_eq!(of("profile a b", "region"), Some("eu-west-1"));
        assert_eq!(of("broken", "k"), Some("v"));
        assert_eq!(sections.len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]a-z=#; \\t\\r\\n\"\u{e9}]{0,200}") {
            let _ = parse(&text);
        }
    }
}
