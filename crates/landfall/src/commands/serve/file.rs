//! The settings file: TOML whose keys are the flags' names, with errors that know their place in it.

use std::collections::BTreeMap;
use std::path::Path;

use landfall_store::RetentionRule;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::Settings;
use crate::failure::Failure;

/// Keys whose values are paths: in a file they are meant from that file's folder.
const PATHS: [&str; 13] = [
    "bundles",
    "root",
    "tls-cert",
    "tls-key",
    "tls-self-signed",
    "htpasswd",
    "rules",
    "token-key",
    "client-ca",
    "access-log",
    "audit-log",
    "upstreams",
    "cache",
];

/// The rules of a file alone, for their places in it.
#[derive(Deserialize)]
struct Rules {
    #[serde(default, rename = "retention")]
    _retention: Vec<RetentionRule>,
}

/// The retention rules of a settings file, as it writes them.
///
/// # Errors
/// [`Failure`] with file, line and column.
pub(crate) fn retention_of(path: &Path) -> Result<serde_json::Value, Failure> {
    let settings = read(path)?;
    serde_json::to_value(settings.retention).map_err(|error| Failure::usage(error.to_string()))
}

/// What is set, by its key.
pub(super) fn table(settings: &Settings) -> Table {
    Table::try_from(settings).unwrap_or_default()
}

/// The same with its paths from the root, as they are meant here.
pub(super) fn absolute(mut table: Table) -> Table {
    if let Ok(folder) = std::env::current_dir() {
        PATHS.iter().for_each(|key| rebase(table.get_mut(*key), &folder));
    }
    table
}

/// Where a file says a key.
pub(super) fn place_of(path: &Path, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let keys: BTreeMap<Spanned<String>, Value> = toml::from_str(&text).ok()?;
    let found = keys.keys().find(|known| known.get_ref() == key)?;
    Some(format!("{}{}", path.display(), place(&text, found.span().start)))
}

/// Reads a file.
///
/// # Errors
/// [`Failure`] with line and column.
pub(super) fn read(path: &Path) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::local("read", path, &error))?;
    let parse = || -> Result<Settings, toml::de::Error> {
        // First for its errors, which know their place in the text; then with the paths put right.
        let _: Settings = toml::from_str(&text)?;
        let _: Rules = toml::from_str(&text)?;
        let mut table: Table = toml::from_str(&text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        PATHS.iter().for_each(|key| rebase(table.get_mut(*key), folder));
        table.try_into()
    };
    parse().map_err(|error| {
        let at = error
            .span()
            .map(|span| place(&text, span.start))
            .unwrap_or_default();
        Failure::usage(format!("{}{at}: {}", path.display(), error.message()))
    })
}

/// `:line:column` of a byte.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!(":{line}:{column}")
}

fn rebase(value: Option<&mut Value>, folder: &Path) {
    match value {
        // Standard error.
        Some(Value::String(text)) if text == "-" => {}
        Some(Value::String(text)) => *text = folder.join(&*text).to_string_lossy().into_owned(),
        Some(Value::Array(items)) => items.iter_mut().for_each(|item| rebase(Some(item), folder)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landfall.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_typed_wins_over_the_file_and_the_file_over_the_default() {
        let (folder, path) = file("root = \"store\"\nlisten = \"0.0.0.0:443\"\nplain-http = true\n");
        let typed = Settings {
            listen: Some("[::1]:5001".parse().unwrap()),
            ..Settings::default()
        };
        let both = typed.over_file(Some(&path)).unwrap();
        assert_eq!(both.root, Some(folder.path().join("store")));
        assert_eq!(both.listen(), "[::1]:5001".parse().unwrap());
        assert_eq!(both.plain_http, Some(true));
        let (_folder, alone) = file("root = \"/srv\"\n");
        let default = Settings::default().over_file(Some(&alone)).unwrap();
        assert_eq!(default.listen(), "127.0.0.1:5000".parse().unwrap());
        assert_eq!(default.root, Some("/srv".into()));
    }

    #[test]
    fn what_is_printed_is_a_file_that_says_the_same() {
        let (_folder, path) =
            file("root = \"/srv\"\nbundles = [\"/a.tar\", \"/b.tar\"]\nlisten = \"[::]:5000\"\n");
        let settings = Settings::default().over_file(Some(&path)).unwrap();
        let (_folder, printed) = file(&settings.to_toml());
        let again = Settings::default().over_file(Some(&printed)).unwrap();
        assert_eq!(again.to_toml(), settings.to_toml());
        assert_eq!(again.bundles, settings.bundles);
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        for (text, expected) in [
            (
                "root = \"/srv\"\nlissten = \"x\"\n",
                ":2:1: unknown field `lissten`",
            ),
            ("root = \"/srv\"\nlisten = \"nowhere\"\n", ":2:10: "),
            ("root = [", ":1:9: "),
            ("", "nothing to serve"),
            ("root = \"/srv\"\n\n[[retention]]\ntags = \"*\"\n", ":3:1: "),
            ("root = \"/srv\"\nimmutable = [\"prod\"]\n", ":2:"),
            ("root = \"/srv\"\ngc-every = \"soon\"\n", ":2:12: "),
            ("root = \"/srv\"\ntls-cert = \"x\"\n", "--tls-key"),
            (
                "root = \"/srv\"\ntls-self-signed = \"t\"\nclient-ca = \"x\"\n",
                "--client-cert-required",
            ),
        ] {
            let (_folder, path) = file(text);
            let failure = Settings::default().over_file(Some(&path)).unwrap_err();
            assert!(failure.to_string().contains(expected), "{text:?}: {failure}");
        }
    }

    #[test]
    fn every_path_is_known_to_be_one() {
        let paths = Settings {
            bundles: vec!["p".into()],
            root: Some("p".into()),
            tls_cert: Some("p".into()),
            tls_key: Some("p".into()),
            tls_self_signed: Some("p".into()),
            htpasswd: Some("p".into()),
            rules: Some("p".into()),
            token_key: Some("p".into()),
            client_ca: Some("p".into()),
            access_log: Some("p".into()),
            audit_log: Some("p".into()),
            upstreams: Some("p".into()),
            cache: Some("p".into()),
            ..Settings::default()
        };
        let mut keys: Vec<String> = table(&paths).keys().cloned().collect();
        keys.sort();
        let mut known = PATHS.map(str::to_owned);
        known.sort();
        assert_eq!(keys, known);
    }
}
