//! The conformance vectors: what a node does with a configuration, case by case.
//!
//! `$LANDFALL_VECTORS/registries.json` is read if set, the copy beside the tests otherwise. Every field is named here;
//! a field that is not known, an option or an expectation, fails the loading and with it every test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) meta: serde_json::Value,
    pub(crate) vectors: Vec<Vector>,
    pub(crate) rewrite_regex_cases: Vec<RegexCase>,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) registries_yaml: String,
    pub(crate) options: Options,
    pub(crate) image: String,
    pub(crate) expected: Expected,
    pub(crate) source: String,
    pub(crate) note: Option<String>,
    pub(crate) derivation: String,
    /// Path to text; `null` is a directory without the file.
    pub(crate) input_hosts_toml: Option<BTreeMap<String, Option<String>>>,
}

/// What the case is run with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(crate) program: Option<String>,
    pub(crate) disable_default_registry_endpoint: bool,
    pub(crate) embedded_registry: Option<String>,
    pub(crate) containerd: Option<String>,
    pub(crate) docker_io_alias: Option<bool>,
    pub(crate) nondeterministic: bool,
    pub(crate) missing_files: Vec<String>,
    pub(crate) responses: BTreeMap<String, Vec<Response>>,
    pub(crate) consumer: Option<String>,
    pub(crate) k3s_generation: Option<String>,
    pub(crate) platform: Option<String>,
}

/// An answer of a host: a status, or `connrefused`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Response {
    Status(u16),
    Other(String),
}

/// What must come out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expected {
    pub(crate) normalized_image: Option<String>,
    pub(crate) attempts: Option<Vec<ExpectedAttempt>>,
    pub(crate) attempts_any_of: Option<Vec<Vec<ExpectedAttempt>>>,
    pub(crate) requests: Option<Vec<String>>,
    pub(crate) resolved: Option<bool>,
    pub(crate) hosts_toml: Option<BTreeMap<String, String>>,
    pub(crate) config_toml_auth: Option<BTreeMap<String, BTreeMap<String, String>>>,
    pub(crate) config_toml: Option<BTreeMap<String, serde_json::Value>>,
    pub(crate) k3s_warnings: Option<Vec<String>>,
    pub(crate) containerd_log: Option<Vec<String>>,
    pub(crate) pull_error: Option<String>,
    pub(crate) resolve_error: Option<String>,
    pub(crate) fatal: Option<String>,
    pub(crate) image_error: Option<String>,
}

/// One step of a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExpectedAttempt {
    pub(crate) url: String,
    pub(crate) plain_http: bool,
    pub(crate) http_fallback: bool,
    pub(crate) tls: ExpectedTls,
    pub(crate) auth: Option<ExpectedAuth>,
    pub(crate) token_scope: Option<String>,
    pub(crate) error: Option<String>,
}

/// Certificates of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExpectedTls {
    pub(crate) ca: Vec<String>,
    pub(crate) client: Vec<(String, String)>,
    pub(crate) skip_verify: bool,
}

/// What is shown to the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub(crate) enum ExpectedAuth {
    Basic { username: String, password: String },
    IdentityToken { token: String },
}

/// A pattern, a replacement, a text, and what two engines make of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegexCase {
    pub(crate) pattern: String,
    pub(crate) replacement: String,
    pub(crate) input: String,
    pub(crate) go: Option<String>,
    pub(crate) rust_regex: Option<String>,
}

fn path() -> PathBuf {
    std::env::var_os("LANDFALL_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/registries.json"),
        |directory| Path::new(&directory).join("registries.json"),
    )
}

/// All vectors.
pub(crate) fn load() -> File {
    let path = path();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a check over every vector and fails with all that went wrong at once.
pub(crate) fn each(check: impl Fn(&Vector) -> Result<(), String>) {
    let failures: Vec<String> = load()
        .vectors
        .iter()
        .filter_map(|vector| {
            check(vector)
                .err()
                .map(|error| format!("## {}\n{error}", vector.name))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} vectors fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_vectors_are_understood() {
    let file = load();
    assert!(!file.vectors.is_empty());
    assert!(!file.rewrite_regex_cases.is_empty());
    let names: std::collections::BTreeSet<_> = file.vectors.iter().map(|vector| &vector.name).collect();
    assert_eq!(names.len(), file.vectors.len(), "a name is used twice");
}
