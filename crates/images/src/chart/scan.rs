//! The scan of a chart and of all charts within: annotations, values, templates, and what is known besides.

use std::collections::HashSet;

use super::expression::Scope;
use super::load::{Chart, ChartError, Dependency};
use super::merge::{Given, Values};
use super::templates::{self, Unsolved};
use super::version::DefaultTag;
use crate::gathered::Gathered;
use crate::manifests::Problem;
use crate::manifests::fields::Defaults;
use crate::manifests::found::{Found, Spot};
use crate::manifests::known;
use crate::manifests::tree::{Tree, Value};
use crate::manifests::walk::Walk;

/// Charts within, each counted as often as it is brought along.
const MAX_SCANS: usize = 1000;

/// Annotations in which authors list what their chart pulls.
const LISTED: &[&str] = &["artifacthub.io/images", "helm.sh/images", "images"];

impl Chart {
    /// All images that can be seen without Helm, and the files of the chart that cannot be read.
    ///
    /// # Errors
    /// What the person gave cannot be read.
    pub fn scan(&self, given: &Given) -> Result<(Gathered, Vec<Problem>), ChartError> {
        let values = Values::of(self, given)?;
        let mut found = Found::new(self.title());
        let mut unsolved = Unsolved::default();
        self.scan_with(&mut found, &values, "", None, &mut unsolved);
        let seen = found.gathered.clone();
        known::companions(&mut found, &seen);
        if unsolved.count > 0 {
            let message = format!(
                "{} in templates can only be worked out by helm; where values show their images, these are listed",
                match unsolved.count {
                    1 => "1 field with an image".to_owned(),
                    count => format!("{count} fields with images"),
                }
            );
            found.remark_at(unsolved.first, message);
        }
        Ok((found.gathered, found.problems))
    }

    fn scan_with(
        &self,
        found: &mut Found,
        values: &Values,
        key: &str,
        off: Option<&str>,
        unsolved: &mut Unsolved,
    ) {
        unsolved.scans += 1;
        if unsolved.scans > MAX_SCANS {
            let message = "more charts within charts than are read".to_owned();
            return found.problem(format!("{}Chart.yaml", self.folder), message);
        }
        if let Some((place, message)) = &self.values_problem {
            found.problem(place.clone(), message.clone());
        }
        self.annotations(found);
        if !self.is_library {
            self.values(found, values, key, off);
        }
        let scope = Scope::new(self, &values.tree);
        for (path, text) in self.templates() {
            templates::read(found, &scope, &format!("{}{path}", self.folder), text, unsolved);
        }
        self.brought_along(found, values, key, off, unsolved);
    }

    /// Templates, and the files that templates take in: what they name in quotes on a line with `.Files.`.
    fn templates(&self) -> impl Iterator<Item = (&String, &String)> {
        let is_template = |path: &str| path.starts_with("templates/");
        let templates = self.texts.iter().filter(|(path, _)| is_template(path));
        let lines = templates.flat_map(|(_, text)| text.lines().filter(|line| line.contains(".Files.")));
        let taken_in: HashSet<&str> = lines
            .flat_map(|line| line.split('"').skip(1).step_by(2))
            .collect();
        self.texts.iter().filter(move |(path, _)| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let matched = [
                format!("{folder}/*"),
                format!("{folder}/**"),
                format!("{folder}/*.yaml"),
            ];
            is_template(path)
                || taken_in.contains(path.as_str())
                || !folder.is_empty() && matched.iter().any(|pattern| taken_in.contains(pattern.as_str()))
        })
    }

    /// The values behind which templates put a tag or a digest: `{{ .Values.fooImage }}:{{ … }}`.
    fn repositories(&self) -> HashSet<&str> {
        let actions = self
            .templates()
            .flat_map(|(_, text)| text.split("{{").skip(1))
            .filter_map(|rest| rest.split_once("}}"));
        actions
            .filter_map(|(action, after)| {
                let action = action.trim_matches(['-', ' ']);
                let field = match action.strip_prefix("printf \"%s:%s\" ") {
                    Some(arguments) => arguments.split(' ').next()?,
                    None if after.starts_with([':', '@']) => action,
                    None => return None,
                };
                let path = field.trim_start_matches('$').strip_prefix(".Values.")?;
                let is_path = path
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
                is_path.then_some(path)
            })
            .collect()
    }

    fn values(&self, found: &mut Found, values: &Values, key: &str, off: Option<&str>) {
        let scope = Scope::new(self, &values.tree);
        let tag = DefaultTag::of(self);
        let default_tag = |path: &str| {
            tag.at(path
                .strip_prefix(key)
                .map_or(path, |path| path.trim_start_matches('.')))
        };
        let repositories = self.repositories();
        let goes_on = |path: &str| {
            let own = path
                .strip_prefix(key)
                .map_or(path, |path| path.trim_start_matches('.'));
            repositories.contains(own)
        };
        let expand = |text: &str| scope.expand(text);
        let text = |path: &[&str]| {
            let text = values.tree.path(path.iter().copied()).and_then(Tree::text);
            text.filter(|text| !text.is_empty())
                .map(|text| text.trim_end_matches('/').to_owned())
        };
        let defaults = Defaults {
            override_registry: text(&["global", "imageRegistry"])
                .or_else(|| text(&["global", "image", "registry"]))
                .or_else(|| text(&["global", "cattle", "systemDefaultRegistry"]))
                .or_else(|| text(&["global", "systemDefaultRegistry"])),
            hub: text(&["global", "hub"]),
            hub_tag: values.tree.path(["global", "tag"]).and_then(Tree::printed),
            tag: Some(&default_tag),
            goes_on: Some(&goes_on),
            expand: Some(&expand),
            off: off.map(ToOwned::to_owned),
            ..Defaults::default()
        };
        let mut walk = Walk::new(found, "values ".to_owned(), &values.files);
        match key.is_empty() {
            true => walk.fields(&self.own_values(values), &defaults),
            false => walk.within(key, |walk| walk.fields(&self.own_values(values), &defaults)),
        }
    }

    /// Without the values of the charts within, which are read with their own.
    fn own_values(&self, values: &Values) -> Tree {
        let mut own = values.tree.clone();
        if let Value::Map(map) = &mut own.value {
            let has = |name: &str| self.charts.iter().any(|chart| chart.name == name);
            for dependency in &self.dependencies {
                if has(&dependency.name) {
                    map.remove(dependency.key());
                }
            }
            for chart in &self.charts {
                if !self
                    .dependencies
                    .iter()
                    .any(|dependency| dependency.name == chart.name)
                {
                    map.remove(&chart.name);
                }
            }
        }
        own
    }

    fn brought_along(
        &self,
        found: &mut Found,
        values: &Values,
        key: &str,
        off: Option<&str>,
        unsolved: &mut Unsolved,
    ) {
        let place = format!("{}Chart.yaml", self.folder);
        for dependency in &self.dependencies {
            if !self.charts.iter().any(|chart| chart.name == dependency.name) {
                let message = format!(
                    "the chart `{}`, which it brings along, is not in charts/: `helm dependency update` fetches it; its images are not listed",
                    dependency.name
                );
                found.remark_at(Some(place.clone()), message);
            }
        }
        for chart in &self.charts {
            let mut named: Vec<_> = self
                .dependencies
                .iter()
                .filter(|one| one.name == chart.name)
                .cloned()
                .collect();
            if named.is_empty() {
                named.push(Dependency {
                    name: chart.name.clone(),
                    ..Dependency::default()
                });
            }
            for dependency in named {
                let switched = switched_off(&dependency, &values.tree);
                if let Some(switch) = &switched {
                    let message = format!(
                        "the chart `{}` is off by default ({switch}); its images are listed all the same",
                        dependency.key()
                    );
                    found.remark_at(Some(place.clone()), message);
                }
                let below = values.below(chart, &dependency);
                let path = if key.is_empty() {
                    dependency.key().to_owned()
                } else {
                    format!("{key}.{}", dependency.key())
                };
                chart.scan_with(found, &below, &path, switched.as_deref().or(off), unsolved);
            }
        }
    }

    fn annotations(&self, found: &mut Found) {
        let place = format!("{}Chart.yaml", self.folder);
        for name in LISTED {
            let Some(value) = self.annotations.get(*name) else {
                continue;
            };
            let Some(text) = value.text() else { continue };
            let Ok(list) = super::load::parse(&place, &format!("images:\n{}\n", indented(text))) else {
                found.remark_at(
                    Some(place.clone()),
                    format!("the annotation {name} is no list that can be read"),
                );
                continue;
            };
            for item in list.get("images").map_or(&[][..], Tree::list) {
                let Some(image) = item.text().or(item.text_at("image")) else {
                    continue;
                };
                let spot = Spot {
                    part: format!("annotation {name}"),
                    place: Some(place.clone()),
                    guess: false,
                };
                found.must_be_image(image, &spot);
            }
        }
        if let Some(other) = self
            .annotations
            .get("catalog.cattle.io/auto-install")
            .and_then(Tree::text)
        {
            let message =
                format!("Rancher installs the chart `{other}` together with it; its images are not listed");
            found.remark_at(Some(place), message);
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!(" {line}\n")).collect()
}

/// The switch that keeps a chart out: the first condition that is set decides, else its tags.
fn switched_off(dependency: &Dependency, values: &Tree) -> Option<String> {
    let boolean = |value: Option<&Tree>| match value.map(|value| &value.value) {
        Some(Value::Bool(value)) => Some(*value),
        _ => None,
    };
    for path in &dependency.condition {
        if let Some(on) = boolean(values.path(path.split('.'))) {
            return (!on).then(|| format!("{path} is false"));
        }
    }
    let tags: Vec<_> = dependency
        .tags
        .iter()
        .filter_map(|tag| boolean(values.path(["tags", tag])))
        .collect();
    let off = !tags.is_empty() && tags.iter().all(|on| !on);
    off.then(|| format!("tags.{} is false", dependency.tags.join(", tags.")))
}
