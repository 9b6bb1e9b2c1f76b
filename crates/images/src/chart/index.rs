//! The index of a chart repository: which file is a chart's version, and which version is the newest.

use std::cmp::Ordering;

use super::load::parse;
use crate::manifests::tree::Tree;

/// Where a chart's archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The version.
    pub version: String,
    /// As the index writes it: a URL, or a path beside the index.
    pub url: String,
    /// SHA-256 of the archive in hexadecimal digits, where the index has it.
    pub digest: Option<String>,
}

/// Why the index does not say where a chart is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("{place}: {message}")]
    Broken {
        /// Line and column.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// No chart of that name.
    #[error("there is no chart `{name}` in it")]
    NoChart {
        /// The name.
        name: String,
    },
    /// No such version.
    #[error("the chart `{name}` has no version {version}; the newest are {newest}")]
    NoVersion {
        /// The name.
        name: String,
        /// What was asked for.
        version: String,
        /// The newest, newest first.
        newest: String,
    },
}

/// Looks a chart up: that version, or the newest that is no pre-release.
///
/// # Errors
/// [`IndexError`].
pub fn find(text: &str, name: &str, version: Option<&str>) -> Result<Packed, IndexError> {
    let entry = entries(text, name)?;
    let mut all: Vec<_> = entry.iter().filter_map(packed).collect();
    all.sort_by(|one, other| newer_first(&one.version, &other.version));
    if all.is_empty() {
        return Err(IndexError::NoChart {
            name: name.to_owned(),
        });
    }
    let texts: Vec<_> = all.iter().map(|packed| packed.version.as_str()).collect();
    let chosen =
        choose(&texts, version).and_then(|chosen| all.iter().find(|packed| packed.version == chosen));
    chosen.cloned().ok_or_else(|| IndexError::NoVersion {
        name: name.to_owned(),
        version: version.unwrap_or("that is no pre-release").to_owned(),
        newest: texts[..texts.len().min(5)].join(", "),
    })
}

/// Of these versions the one that is asked for (with or without its `v`), or the newest that is no pre-release.
#[must_use]
pub fn choose<'v>(versions: &[&'v str], wanted: Option<&str>) -> Option<&'v str> {
    let bare = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
    if let Some(wanted) = wanted {
        let exact = versions.iter().find(|version| **version == wanted);
        return exact
            .or_else(|| versions.iter().find(|version| bare(version) == bare(wanted)))
            .copied();
    }
    let stable = versions
        .iter()
        .filter(|version| parts(version).is_some_and(|(_, pre)| pre.is_empty()));
    stable.min_by(|one, other| newer_first(one, other)).copied()
}

fn entries(text: &str, name: &str) -> Result<Vec<Tree>, IndexError> {
    let broken = |(place, message)| IndexError::Broken { place, message };
    // An index may have tens of thousands of versions of other charts.
    if let Some(block) = block(text, name)
        && let Ok(tree) = parse("index.yaml", &block)
        && let Some(entry) = tree.get(name)
    {
        return Ok(entry.list().to_vec());
    }
    let tree = parse("index.yaml", text).map_err(broken)?;
    let entry = tree.path(["entries", name]).map(|entry| entry.list().to_vec());
    entry.ok_or_else(|| IndexError::NoChart {
        name: name.to_owned(),
    })
}

/// The lines of one chart, where the index is written as Helm writes it.
fn block(text: &str, name: &str) -> Option<String> {
    let entries = text
        .find("\nentries:\n")
        .map(|at| at + 1)
        .or_else(|| text.starts_with("entries:\n").then_some(0))?;
    let head = format!("\n  {name}:\n");
    let start = entries + text[entries..].find(&head)? + 1;
    let mut end = start + head.len() - 1;
    for line in text[end..].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if !line.trim().is_empty() && (indent < 2 || indent == 2 && !line.trim_start().starts_with('-')) {
            break;
        }
        end += line.len();
    }
    Some(text[start..end].to_owned())
}

fn packed(entry: &Tree) -> Option<Packed> {
    Some(Packed {
        version: entry.get("version").and_then(Tree::printed)?,
        url: entry.get("urls")?.list().first()?.text()?.to_owned(),
        digest: entry
            .text_at("digest")
            .map(|digest| digest.trim_start_matches("sha256:").to_ascii_lowercase()),
    })
}

/// Numbers, and what makes it a pre-release; `None` for what is no version.
fn parts(version: &str) -> Option<(Vec<u64>, &str)> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let version = version.split('+').next().unwrap_or_default();
    let (numbers, pre) = version.split_once('-').unwrap_or((version, ""));
    let numbers = numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<Vec<_>>>()?;
    Some((numbers, pre))
}

/// By semantic versioning; what is no version comes last.
fn newer_first(one: &str, other: &str) -> Ordering {
    let (one, other) = match (parts(one), parts(other)) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return other.is_some().cmp(&one.is_some()),
    };
    other
        .0
        .cmp(&one.0)
        .then_with(|| match (one.1.is_empty(), other.1.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => pre_release(other.1, one.1),
        })
}

fn pre_release(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        return match (ones.next(), others.next()) {
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                _ if one == other => continue,
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                _ => one.cmp(other),
            },
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  a:\n  - version: 0.1.0\n    urls: [https://x/a-0.1.0.tgz]\n  cert-manager:\n  - {version: v1.9.0, urls: [charts/cm-v1.9.0.tgz], digest: AB}\n  - {version: v1.15.3, urls: [charts/cm-v1.15.3.tgz]}\n\n  - {version: v1.16.0-beta.0, urls: [x]}\n  z:\n    - version: 1.0.0\n      urls:\n        - https://x/z.tgz\ngenerated: now\n";

    #[test]
    fn charts_and_versions() {
        let version = |name, wanted| find(INDEX, name, wanted).map(|packed| packed.version);
        assert_eq!(version("cert-manager", None).unwrap(), "v1.15.3");
        assert_eq!(version("cert-manager", Some("1.9.0")).unwrap(), "v1.9.0");
        assert_eq!(
            version("cert-manager", Some("v1.16.0-beta.0")).unwrap(),
            "v1.16.0-beta.0"
        );
        assert_eq!(
            find(INDEX, "cert-manager", Some("1.9.0"))
                .unwrap()
                .digest
                .as_deref(),
            Some("ab")
        );
        assert_eq!(find(INDEX, "z", None).unwrap().url, "https://x/z.tgz");
        let error = version("cert-manager", Some("v2")).unwrap_err().to_string();
        assert!(error.contains("v1.16.0-beta.0, v1.15.3, v1.9.0"), "{error}");
        assert!(matches!(version("b", None), Err(IndexError::NoChart { .. })));
        // As JSON, which has no lines to go by.
        let json = r#"{"entries":{"a":[{"version":"1.0.0","urls":["u"]}]}}"#;
        assert_eq!(find(json, "a", None).unwrap().url, "u");
        assert!(matches!(
            find("a: b: c", "a", None),
            Err(IndexError::Broken { .. })
        ));
    }

    #[test]
    fn order() {
        let sorted = [
            "2.0.0",
            "v1.10.0",
            "1.9.0",
            "1.9.0-rc.2",
            "1.9.0-rc.1",
            "1.9.0-alpha",
            "1.9.0-1",
            "x",
        ];
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by(|one, other| newer_first(one, other));
        assert_eq!(shuffled, sorted);
        assert_eq!(choose(&["1.0.0-rc.1", "x"], None), None);
    }
}
