//! What can be set about a server: one struct that is the flags, the environment and the file at once.
//!
//! A flag wins over its environment variable (`LANDFALL_SERVE_…`), that over the file, that over the default. The file
//! is TOML with the flags' own names as keys, so there is nothing to learn twice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use landfall_store::{Age, RetentionRule, TagPattern};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::failure::Failure;

/// Where a server listens when nobody says.
const LISTEN: &str = "127.0.0.1:5000";

/// Keys whose values are paths: in a file they are meant from that file's folder.
const PATHS: [&str; 6] = [
    "bundles",
    "root",
    "tls-cert",
    "tls-key",
    "tls-self-signed",
    "htpasswd",
];

/// Everything that can be set. What is `None` or empty was not said.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Bundles and layouts to serve in place.
    #[arg(value_name = "BUNDLE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bundles: Vec<PathBuf>,
    /// Directory of a registry that takes pushes.
    #[arg(long, value_name = "DIR", env = "LANDFALL_SERVE_ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// Refuse every change.
    #[arg(long, env = "LANDFALL_SERVE_READ_ONLY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) read_only: Option<bool>,
    /// Take manifests whose layers or members are not here, for a mirror that is filled in part on purpose.
    #[arg(long, env = "LANDFALL_SERVE_ALLOW_SPARSE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_sparse: Option<bool>,

    /// Address to listen on [default: 127.0.0.1:5000].
    #[arg(
        long,
        value_name = "ADDR",
        env = "LANDFALL_SERVE_LISTEN",
        help_heading = "Listening"
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// Certificate chain (PEM); read again when it changes.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_TLS_CERT",
        help_heading = "Listening"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_TLS_KEY",
        help_heading = "Listening"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Make a certificate on the first run and keep it here, with the ca.crt that clients should trust.
    #[arg(
        long,
        value_name = "DIR",
        env = "LANDFALL_SERVE_TLS_SELF_SIGNED",
        help_heading = "Listening"
    )]
    pub(crate) tls_self_signed: Option<PathBuf>,
    /// Further host names or addresses for the self-signed certificate.
    #[arg(
        long,
        value_name = "NAME",
        env = "LANDFALL_SERVE_TLS_NAME",
        value_delimiter = ',',
        help_heading = "Listening"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tls_name: Vec<String>,
    /// Serve without TLS although the address is not loopback.
    #[arg(long, env = "LANDFALL_SERVE_PLAIN_HTTP", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        help_heading = "Listening")]
    pub(crate) plain_http: Option<bool>,

    /// Users and bcrypt or argon2id hashes (`htpasswd -B`); without it everybody may read and write.
    #[arg(
        long,
        value_name = "FILE",
        env = "LANDFALL_SERVE_HTPASSWD",
        help_heading = "Access"
    )]
    pub(crate) htpasswd: Option<PathBuf>,

    /// Tags that can be made but not moved or deleted: REPOSITORY:TAG with * and ? (may be given several times).
    #[arg(
        long,
        value_name = "PATTERN",
        env = "LANDFALL_SERVE_IMMUTABLE",
        value_delimiter = ',',
        help_heading = "Upkeep"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) immutable: Vec<TagPattern>,
    /// Collect garbage so often, and end tags by the file's [[retention]] rules; `0` never does [default: 24h].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_EVERY",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_every: Option<Age>,
    /// What was pushed or asked for less than so long ago is not collected [default: 1h].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_GRACE",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_grace: Option<Age>,
    /// Collect manifests that had no tag, index or subject for so long [default: they stay].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_UNTAGGED_AFTER",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_untagged_after: Option<Age>,
    /// What was collected can be brought back for so long [default: 7d].
    #[arg(
        long,
        value_name = "TIME",
        env = "LANDFALL_SERVE_GC_KEEP_TRASH",
        help_heading = "Upkeep"
    )]
    pub(crate) gc_keep_trash: Option<Age>,
    /// Rules that end tags; in the file only: `[[retention]]` with repositories, tags, keep_last, keep_newer_than, protect.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) retention: Vec<Table>,
}

impl Settings {
    /// What was typed (and the environment, which the arguments have taken in already), over what a file says.
    ///
    /// # Errors
    /// [`Failure`] (usage) with file, line and column when the file is not what it should be.
    pub(crate) fn over_file(self, file: Option<&Path>) -> Result<Self, Failure> {
        let settings = match file {
            Some(path) => self.over(read(path)?),
            None => self,
        };
        settings.check()?;
        Ok(settings)
    }

    fn over(self, file: Self) -> Self {
        let mut merged = table(&file);
        merged.extend(table(&self));
        // Both came from this type, so their union is of it; if not, what was typed is what counts.
        merged.try_into().unwrap_or(self)
    }

    /// The address in force.
    pub(crate) fn listen(&self) -> SocketAddr {
        let default = || LISTEN.parse().unwrap_or_else(|_| ([127, 0, 0, 1], 5000).into());
        self.listen.unwrap_or_else(default)
    }

    /// The rules that end tags. Read with the file, so that a mistake is shown where it is.
    pub(crate) fn retention(&self) -> Result<Vec<RetentionRule>, Failure> {
        let rule = |table: &Table| table.clone().try_into();
        let rules: Result<_, toml::de::Error> = self.retention.iter().map(rule).collect();
        rules.map_err(|error| Failure::usage(format!("[[retention]]: {}", error.message())))
    }

    /// As a file that says the same, defaults included.
    pub(crate) fn to_toml(&self) -> String {
        let mut shown = self.clone();
        shown.listen = Some(self.listen());
        shown.read_only = Some(self.read_only.unwrap_or_default());
        shown.plain_http = Some(self.plain_http.unwrap_or_default());
        toml::to_string(&table(&shown)).unwrap_or_default()
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |text: &str| Err(Failure::usage(text));
        if self.bundles.is_empty() && self.root.is_none() {
            return wrong("there is nothing to serve: name a bundle, or a directory with --root DIR");
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return wrong("a certificate needs its key: give both --tls-cert and --tls-key");
        }
        let protections = [
            self.tls_cert.is_some(),
            self.tls_self_signed.is_some(),
            self.plain_http == Some(true),
        ];
        if protections.into_iter().filter(|on| *on).count() > 1 {
            return wrong("only one of --tls-cert, --tls-self-signed and --plain-http can be had");
        }
        self.retention()?;
        if !self.tls_name.is_empty() && self.tls_self_signed.is_none() {
            return wrong("--tls-name is for a certificate made by --tls-self-signed");
        }
        Ok(())
    }
}

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

fn table(settings: &Settings) -> Table {
    Table::try_from(settings).unwrap_or_default()
}

fn read(path: &Path) -> Result<Settings, Failure> {
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
        Some(Value::String(text)) => *text = folder.join(&*text).to_string_lossy().into_owned(),
        Some(Value::Array(items)) => items.iter_mut().for_each(|item| rebase(Some(item), folder)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(default.listen(), LISTEN.parse().unwrap());
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
            ("root = \"/srv\"\ntls-cert = \"x\"\n", "--tls-key"),
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
            ..Settings::default()
        };
        let mut keys: Vec<String> = table(&paths).keys().cloned().collect();
        keys.sort();
        let mut known = PATHS.map(str::to_owned);
        known.sort();
        assert_eq!(keys, known);
    }
}
