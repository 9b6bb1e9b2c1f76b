//! What Helm keeps of `Chart.yaml` beside a chart that it pushes to a registry: the artifact's config, and annotations.
//!
//! The config is written as Helm writes it, field by field in its order, so that it has the same digest. Its time of
//! pushing is left out: the same chart is the same artifact.

use std::collections::BTreeMap;

use serde::Serialize;

use super::load::{ChartError, parse};
use crate::manifests::tree::{Tree, Value};

/// A chart as a registry is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What `Chart.yaml` calls it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The bytes of the config.
    pub config: Vec<u8>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Annotations that a chart cannot set itself.
const ITS_OWN: [&str; 2] = [
    "org.opencontainers.image.title",
    "org.opencontainers.image.version",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    home: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    maintainers: Vec<Maintainer>,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    condition: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    tags: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    app_version: String,
    #[serde(skip_serializing_if = "is_off")]
    deprecated: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    kube_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
}

#[derive(Serialize)]
struct Maintainer {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Dependency {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    repository: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    condition: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "is_off")]
    enabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    import_values: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    alias: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_off(value: &bool) -> bool {
    !value
}

impl Pushed {
    /// Reads a chart's files; `place` is what messages call it.
    ///
    /// # Errors
    /// [`ChartError`]: `Chart.yaml` is not there or makes no sense.
    pub fn from_files(place: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, ChartError> {
        let read = |name: &str| {
            let text = String::from_utf8_lossy(files.get(name)?).into_owned();
            let broken = |(at, message)| ChartError::Broken {
                place: format!("{place}: {at}"),
                message,
            };
            Some(parse(name, &text).map_err(broken))
        };
        let about = read("Chart.yaml").ok_or_else(|| ChartError::NoChart {
            place: place.to_owned(),
        })??;
        // Helm 2 kept the dependencies in a file of their own.
        let older = read("requirements.yaml").transpose()?;
        let metadata = Metadata::of(&about, older.as_ref());
        let config = serde_json::to_string(&metadata).map_err(|error| ChartError::Broken {
            place: format!("{place}: Chart.yaml"),
            message: error.to_string(),
        })?;
        Ok(Self {
            annotations: metadata.of_manifest(),
            name: metadata.name,
            version: metadata.version,
            config: as_go_writes(&config).into_bytes(),
        })
    }
}

impl Metadata {
    fn of(about: &Tree, older: Option<&Tree>) -> Self {
        let told = |key: &str| printed(about, key);
        let annotations = about.get("annotations").and_then(Tree::map);
        let dependencies = about
            .get("dependencies")
            .or_else(|| older.and_then(|older| older.get("dependencies")));
        Self {
            name: told("name"),
            home: told("home"),
            sources: texts(about, "sources"),
            version: told("version"),
            description: told("description"),
            keywords: texts(about, "keywords"),
            maintainers: list(about.get("maintainers"), |one| Maintainer {
                name: printed(one, "name"),
                email: printed(one, "email"),
                url: printed(one, "url"),
            }),
            icon: told("icon"),
            api_version: told("apiVersion"),
            condition: told("condition"),
            tags: told("tags"),
            app_version: told("appVersion"),
            deprecated: is_on(about, "deprecated"),
            annotations: annotations
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), text(value).unwrap_or_default()))
                .collect(),
            kube_version: told("kubeVersion"),
            dependencies: list(dependencies, |one| Dependency {
                name: printed(one, "name"),
                version: printed(one, "version"),
                repository: printed(one, "repository"),
                condition: printed(one, "condition"),
                tags: texts(one, "tags"),
                enabled: is_on(one, "enabled"),
                import_values: list(one.get("import-values"), json),
                alias: printed(one, "alias"),
            }),
            kind: told("type"),
        }
    }

    fn of_manifest(&self) -> BTreeMap<String, String> {
        let authors: Vec<_> = self
            .maintainers
            .iter()
            .map(|one| match one.email.as_str() {
                "" => one.name.clone(),
                email => format!("{} ({email})", one.name),
            })
            .collect();
        let told = [
            ("title", self.name.clone()),
            ("version", self.version.clone()),
            ("description", self.description.clone()),
            ("url", self.home.clone()),
            ("source", self.sources.first().cloned().unwrap_or_default()),
            ("authors", authors.join(", ")),
        ];
        let told = told
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
        let mut annotations: BTreeMap<_, _> = told.collect();
        for (key, value) in &self.annotations {
            if !ITS_OWN.contains(&key.as_str()) {
                annotations.insert(key.clone(), value.clone());
            }
        }
        annotations
    }
}

fn printed(tree: &Tree, key: &str) -> String {
    tree.get(key).and_then(text).unwrap_or_default()
}

/// A scalar where a text is wanted: unlike a template, this leaves a whole number as it is.
fn text(tree: &Tree) -> Option<String> {
    match &tree.value {
        Value::Number(number) => Some(whole(number).unwrap_or_else(|| number.clone())),
        _ => tree.printed(),
    }
}

/// `2.0240110e+07` as a whole number, if it is one.
fn whole(number: &str) -> Option<String> {
    let exact: f64 = number.parse().ok()?;
    let is_whole = exact.fract() == 0.0 && exact.abs() < 9e15;
    is_whole.then(|| format!("{exact:.0}"))
}

fn is_on(tree: &Tree, key: &str) -> bool {
    matches!(tree.get(key).map(|tree| &tree.value), Some(Value::Bool(true)))
}

fn list<T>(tree: Option<&Tree>, one: impl Fn(&Tree) -> T) -> Vec<T> {
    tree.map_or(&[][..], Tree::list).iter().map(one).collect()
}

fn texts(tree: &Tree, key: &str) -> Vec<String> {
    list(tree.get(key), |one| text(one).unwrap_or_default())
}

fn json(tree: &Tree) -> serde_json::Value {
    match &tree.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => {
            let number = whole(number).unwrap_or_else(|| number.clone());
            serde_json::from_str(&number).unwrap_or_else(|_| number.into())
        }
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), json(value)))
            .collect(),
    }
}

/// Go escapes what could end a script in a page. In JSON, these stand only in strings.
fn as_go_writes(json: &str) -> String {
    let escaped = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match escaped(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_helms() {
        let about = r#"
type: application
version: 1.2.3+up4.5.6
name: x
apiVersion: v2
appVersion: 20240110
kubeVersion: ">= 1.20 < 2"
description: a & b
home: https://x.example
sources: [https://git.example/x, https://git.example/y]
maintainers: [{name: a, email: a@x.example}, {name: b, url: https://b.example}]
annotations: {catalog.cattle.io/os: linux, org.opencontainers.image.title: other}
dependencies:
- {name: dep, repository: "file://../y", import-values: [data, {child: a, parent: b}], condition: y.enabled}
unknown: 1
"#;
        let files = BTreeMap::from([("Chart.yaml".to_owned(), about.as_bytes().to_vec())]);
        let pushed = Pushed::from_files("x.tgz", &files).unwrap();
        let config = concat!(
            r#"{"name":"x","home":"https://x.example","sources":["https://git.example/x","https://git.example/y"],"#,
            r#""version":"1.2.3+up4.5.6","description":"a \u0026 b","#,
            r#""maintainers":[{"name":"a","email":"a@x.example"},{"name":"b","url":"https://b.example"}],"#,
            r#""apiVersion":"v2","appVersion":"20240110","#,
            r#""annotations":{"catalog.cattle.io/os":"linux","org.opencontainers.image.title":"other"},"#,
            r#""kubeVersion":"\u003e= 1.20 \u003c 2","#,
            r#""dependencies":[{"name":"dep","repository":"file://../y","condition":"y.enabled","#,
            r#""import-values":["data",{"child":"a","parent":"b"}]}],"type":"application"}"#,
        );
        assert_eq!(String::from_utf8(pushed.config).unwrap(), config);
        let annotations: Vec<_> = pushed
            .annotations
            .iter()
            .map(|(key, value)| {
                (
                    key.trim_start_matches("org.opencontainers.image."),
                    value.as_str(),
                )
            })
            .collect();
        let expected = [
            ("catalog.cattle.io/os", "linux"),
            ("authors", "a (a@x.example), b"),
            ("description", "a & b"),
            ("source", "https://git.example/x"),
            ("title", "x"),
            ("url", "https://x.example"),
            ("version", "1.2.3+up4.5.6"),
        ];
        assert_eq!(annotations, expected);
    }

    #[test]
    fn what_is_no_chart_is_told() {
        let broken = BTreeMap::from([("Chart.yaml".to_owned(), b"a: [".to_vec())]);
        for files in [BTreeMap::new(), broken] {
            let error = Pushed::from_files("x.tgz", &files).unwrap_err();
            assert!(error.to_string().starts_with("x.tgz"), "{error}");
        }
    }
}
