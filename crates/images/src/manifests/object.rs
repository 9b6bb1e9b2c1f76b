//! Kubernetes objects: which kinds hold pods and where, which hold other objects, and which are not looked into.

use super::fields::Defaults;
use super::found::Found;
use super::name::is_templated;
use super::stream::pieces;
use super::tree::{self, Tree, Value};
use super::walk::Walk;

/// How deep manifests are looked for in `ConfigMap`s in manifests.
const MAX_NESTING: usize = 4;

/// Where the pod template of a kind is: a path to what has `metadata` and `spec`.
const TEMPLATES: &[(&str, &str, &[&str])] = &[
    ("", "Pod", &[]),
    ("", "PodTemplate", &["template"]),
    ("", "ReplicationController", &["spec", "template"]),
    ("apps", "Deployment", &["spec", "template"]),
    ("apps", "ReplicaSet", &["spec", "template"]),
    ("apps", "StatefulSet", &["spec", "template"]),
    ("apps", "DaemonSet", &["spec", "template"]),
    ("extensions", "Deployment", &["spec", "template"]),
    ("extensions", "ReplicaSet", &["spec", "template"]),
    ("extensions", "DaemonSet", &["spec", "template"]),
    ("batch", "Job", &["spec", "template"]),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
    ("batch", "JobTemplate", &["template", "spec", "template"]),
    // Not Kubernetes' own, but the same by their definitions.
    ("apps.openshift.io", "DeploymentConfig", &["spec", "template"]),
    ("argoproj.io", "Rollout", &["spec", "template"]),
    ("apps.kruise.io", "CloneSet", &["spec", "template"]),
    ("apps.kruise.io", "StatefulSet", &["spec", "template"]),
    ("apps.kruise.io", "DaemonSet", &["spec", "template"]),
    ("serving.knative.dev", "Service", &["spec", "template"]),
];

/// Groups of Kubernetes itself, whose other kinds hold no images.
fn is_kubernetes(group: &str) -> bool {
    !group.contains('.') || (group.ends_with(".k8s.io") && !group.ends_with(".x-k8s.io"))
}

/// Objects of one file, or of one text within it.
pub(crate) struct Objects<'a> {
    pub(crate) found: &'a mut Found,
    pub(crate) files: &'a [String],
    pub(crate) without_lines: bool,
    /// What the objects stand in: `ConfigMap ns/name: data.x: `.
    pub(crate) within: String,
    pub(crate) nesting: usize,
}

impl Objects<'_> {
    /// One document: an object, a list of objects, or something else.
    pub(crate) fn document(&mut self, tree: &Tree) {
        match &tree.value {
            Value::List(items) => items.iter().for_each(|item| self.document(item)),
            Value::Map(_) => self.object(tree, None),
            _ => {}
        }
    }

    fn object(&mut self, tree: &Tree, listed_as: Option<(&str, &str)>) {
        let version = tree
            .text_at("apiVersion")
            .or(listed_as.map(|(version, _)| version));
        let kind = tree.text_at("kind").or(listed_as.map(|(_, kind)| kind));
        let (Some(version), Some(kind)) = (version, kind) else {
            return self.no_object(tree);
        };
        let group = version.split_once('/').map_or("", |(group, _)| group);
        if kind == "CustomResourceDefinition" {
            return;
        }
        if let (Some(one), Some(items)) = (kind.strip_suffix("List"), tree.get("items")) {
            let listed_as = (!one.is_empty()).then_some((version, one));
            return items.list().iter().for_each(|item| self.object(item, listed_as));
        }
        let mut walk = Walk::new(
            self.found,
            format!("{}{}", self.within, title(kind, tree)),
            self.files,
        );
        walk.without_lines = self.without_lines;
        let template = TEMPLATES.iter().find(|(g, k, _)| *g == group && *k == kind);
        match (group, kind) {
            _ if template.is_some() => {
                let path = template.map_or(&[][..], |(_, _, path)| path);
                if let Some(pods) = tree.path(path.iter().copied()) {
                    match path.is_empty() {
                        true => walk.pod_template(pods),
                        false => walk.within(&path.join("."), |walk| walk.pod_template(pods)),
                    }
                }
            }
            ("", "ConfigMap" | "Secret") => self.config(tree, kind),
            ("helm.cattle.io", "HelmChart" | "HelmChartConfig") => self.helm_chart(tree, kind),
            ("monitoring.coreos.com", "Prometheus" | "Alertmanager" | "ThanosRuler" | "PrometheusAgent") => {
                prometheus(&mut walk, tree);
            }
            ("helm.toolkit.fluxcd.io", "HelmRelease") | ("argoproj.io", "Application" | "ApplicationSet") => {
                let message = "has something installed whose images are not in this file";
                let spot = walk.spot(tree.at, false);
                walk.found.remark(&spot, message);
                unknown(&mut walk, tree);
            }
            ("operator.cluster.x-k8s.io" | "turtles-capi.cattle.io", _) if kind.ends_with("Provider") => {
                provider(&mut walk, tree);
            }
            ("kustomize.config.k8s.io", _) => {
                let message = "is a kustomization, which is not built here: `kubectl kustomize DIR | landfall images manifests -`";
                let spot = walk.spot(tree.at, false);
                walk.found.remark(&spot, message);
            }
            _ if is_kubernetes(group) => {}
            _ => unknown(&mut walk, tree),
        }
    }

    /// Something without `kind`: values, a kustomization, anything.
    fn no_object(&mut self, tree: &Tree) {
        let mut walk = Walk::new(self.found, self.within.clone(), self.files);
        walk.without_lines = self.without_lines;
        walk.guess = true;
        let place = walk.place(tree.at);
        let message = format!(
            "{}no Kubernetes object (kind or apiVersion is missing); images in it are guesses",
            self.within
        );
        walk.found.remark_at(place, message);
        walk.fields(tree, &Defaults::default());
    }

    /// `ConfigMap`s and `Secret`s: values that name images, and whole manifests.
    fn config(&mut self, tree: &Tree, kind: &str) {
        let title = title(kind, tree);
        for field in ["data", "stringData"] {
            let Some(map) = tree.get(field).and_then(Tree::map) else {
                continue;
            };
            for (key, value) in map {
                let Some(text) = value.text() else { continue };
                let decoded = match (kind, field) {
                    ("Secret", "data") => decoded(text),
                    _ => None,
                };
                let part = format!("{}{title}{field}.{key}: ", self.within);
                match (&decoded, kind) {
                    (Some(text), _) => self.value(key, text, value, part),
                    (None, "Secret") if field == "data" => {}
                    _ => self.value(key, text, value, part),
                }
            }
        }
    }

    fn value(&mut self, key: &str, text: &str, value: &Tree, part: String) {
        if !text.trim_end().contains('\n') && !text.trim_start().starts_with('{') {
            let mut walk = Walk::new(self.found, part.trim_end_matches(": ").to_owned(), self.files);
            walk.without_lines = self.without_lines;
            walk.guess = true;
            return walk.keyed(key, text, value.at);
        }
        if self.nesting < MAX_NESTING && has_word_image(text) {
            self.embedded(text, value, part);
        }
    }

    /// A text of documents within a document.
    fn embedded(&mut self, text: &str, value: &Tree, part: String) {
        let mut inner = Objects {
            found: self.found,
            files: self.files,
            without_lines: self.without_lines,
            within: part,
            nesting: self.nesting + 1,
        };
        for piece in pieces(text) {
            let line = if value.at.block {
                value.at.line + piece.line
            } else {
                0
            };
            let read = tree::read(piece.text, value.at.file, line);
            match read {
                Ok(Some(mut tree)) => {
                    if !value.at.block {
                        settle(&mut tree, value.at);
                    }
                    inner.inner_document(&tree);
                }
                Ok(None) => {}
                Err(_) => inner.lines(piece.text, value, line),
            }
        }
    }

    fn inner_document(&mut self, tree: &Tree) {
        if tree.get("kind").is_some() && tree.get("apiVersion").is_some()
            || matches!(tree.value, Value::List(_))
        {
            return self.document(tree);
        }
        let mut walk = Walk::new(self.found, self.within.clone(), self.files);
        walk.without_lines = self.without_lines;
        walk.guess = true;
        // A pod without its kind (K3s' helper pods, injectors' templates), or a program's own settings.
        match tree.path(["spec", "containers"]).is_some() {
            true => walk.pod_template(tree),
            false => walk.fields(tree, &Defaults::default()),
        }
    }

    /// A text that is no YAML: properties, a script, a template.
    fn lines(&mut self, text: &str, value: &Tree, before: u32) {
        let mut at = value.at;
        let mut walk = Walk::new(
            self.found,
            self.within.trim_end_matches(": ").to_owned(),
            self.files,
        );
        walk.without_lines = self.without_lines;
        walk.guess = true;
        for (index, line) in text.lines().enumerate() {
            if value.at.block {
                at.line = before + u32::try_from(index + 1).unwrap_or(u32::MAX);
            }
            let line = line.trim().trim_start_matches("- ");
            let split = line.split_once(['=', ':']);
            if let Some((key, text)) = split.filter(|(key, _)| !key.contains(char::is_whitespace)) {
                let text = text.trim().trim_matches(['"', '\'', ',']);
                let key = key.trim_matches(['"', '\'']);
                if text.contains(['/', ':']) || is_templated(text) {
                    walk.keyed(key, text, at);
                }
            }
        }
    }

    /// A chart that the cluster installs by itself: its values are here, its images are not.
    fn helm_chart(&mut self, tree: &Tree, kind: &str) {
        let part = format!("{}{}", self.within, title(kind, tree));
        let mut walk = Walk::new(self.found, part.clone(), self.files);
        walk.without_lines = self.without_lines;
        let Some(spec) = tree.get("spec") else { return };
        if let Some(job) = spec.get("jobImage")
            && let Some(text) = job.text()
        {
            walk.within("spec.jobImage", |walk| {
                let spot = walk.spot(job.at, false);
                walk.found.must_be_image(text, &spot);
            });
        }
        if let Some(chart) = spec.text_at("chart") {
            let spot = walk.spot(spec.at, false);
            let message = format!(
                "installs the chart `{chart}`, whose images are not in this file: `landfall images chart` lists them"
            );
            walk.found.remark(&spot, &message);
        }
        for field in ["valuesContent", "set"] {
            match spec.get(field) {
                Some(values) if values.map().is_some() => walk.within("spec.set", |walk| {
                    walk.guess = true;
                    walk.fields(values, &Defaults::default());
                }),
                Some(values) if self.nesting < MAX_NESTING => {
                    let text = values.text().unwrap_or_default().to_owned();
                    return self.embedded(&text, values, format!("{part}spec.{field}: "));
                }
                _ => {}
            }
        }
    }
}

/// `Deployment ns/name: `, with what Helm does with it.
fn title(kind: &str, tree: &Tree) -> String {
    let metadata = tree.get("metadata");
    let text = |key| metadata.and_then(|metadata| metadata.text_at(key));
    let name = text("name").or(text("generateName")).unwrap_or("without a name");
    let hook = metadata
        .and_then(|metadata| metadata.path(["annotations", "helm.sh/hook"]))
        .and_then(Tree::text)
        .map(|hook| match hook.starts_with("test") {
            true => " (test)".to_owned(),
            false => format!(" (hook {hook})"),
        });
    let hook = hook.unwrap_or_default();
    match text("namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}{hook}: "),
        None => format!("{kind} {name}{hook}: "),
    }
}

/// The operator's own kinds: `image`, or the older `baseImage` and `tag`; sidecars as in pods.
fn prometheus(walk: &mut Walk<'_>, tree: &Tree) {
    let Some(spec) = tree.get("spec") else { return };
    walk.within("spec", |walk| {
        match (spec.get("image"), spec.text_at("baseImage")) {
            (Some(image), _) if image.text().is_some_and(|text| !text.is_empty()) => {
                walk.within("image", |walk| {
                    let spot = walk.spot(image.at, false);
                    walk.found.must_be_image(image.text().unwrap_or_default(), &spot);
                });
            }
            (_, Some(base)) => {
                let tag = spec.get("tag").or(spec.get("version")).and_then(Tree::printed);
                let text = tag.map_or(base.to_owned(), |tag| format!("{base}:{tag}"));
                walk.within("baseImage", |walk| walk.promised(&text, spec.at));
            }
            _ => {
                let spot = walk.spot(spec.at, false);
                walk.found
                    .remark(&spot, "has no image of its own: its operator's default is used");
            }
        }
        walk.pod_spec(spec);
        if let Some(thanos) = spec.path(["thanos", "image"]) {
            walk.within("thanos.image", |walk| {
                walk.promised(thanos.text().unwrap_or_default(), thanos.at)
            });
        }
    });
}

/// A provider of Cluster API: an operator fetches its manifests, or reads them from a `ConfigMap`.
fn provider(walk: &mut Walk<'_>, tree: &Tree) {
    let version = tree.path(["spec", "version"]).and_then(Tree::text);
    let version = version.map_or(String::new(), |version| format!(" ({version})"));
    let message = format!(
        "has a provider of Cluster API{version} installed whose images are in that provider's manifests, not here"
    );
    let spot = walk.spot(tree.at, false);
    walk.found.remark(&spot, &message);
    unknown(walk, tree);
}

/// A kind that nothing is known of.
fn unknown(walk: &mut Walk<'_>, tree: &Tree) {
    walk.guess = true;
    let Some(map) = tree.map() else { return };
    for (key, value) in map {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => walk.within("metadata", |walk| walk.annotations(value)),
            _ => walk.within(key, |walk| walk.fields(value, &Defaults::default())),
        }
    }
}

fn has_word_image(text: &str) -> bool {
    text.as_bytes()
        .windows(5)
        .any(|window| window.eq_ignore_ascii_case(b"image"))
}

/// The text that a `Secret`'s value stands for, if it is a text.
fn decoded(text: &str) -> Option<String> {
    use base64::Engine as _;
    let compact: String = text.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(compact).ok()?;
    String::from_utf8(bytes).ok()
}

/// Gives everything in a tree the same place.
fn settle(tree: &mut Tree, at: tree::At) {
    tree.at = at;
    match &mut tree.value {
        Value::List(items) => items.iter_mut().for_each(|item| settle(item, at)),
        Value::Map(map) => map.values_mut().for_each(|value| settle(value, at)),
        _ => {}
    }
}
