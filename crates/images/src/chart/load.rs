//! A chart from its files: `Chart.yaml`, values, templates, and the charts in `charts/`.

use std::collections::BTreeMap;

use crate::manifests::complaint;
use crate::manifests::stream::Piece;
use crate::manifests::tree::{self, Tree, Value};

/// Charts within charts, no deeper than this.
const MAX_NESTING: usize = 8;

/// Why files are no chart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// The file that makes a folder a chart is not there.
    #[error("{place}: no Chart.yaml in it, so it is no Helm chart")]
    NoChart {
        /// The folder or archive.
        place: String,
    },
    /// A file of it cannot be read.
    #[error("{place}: {message}")]
    Broken {
        /// File, line and column.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A setting of `--set` makes no sense.
    #[error("--set {text}: {reason}")]
    Setting {
        /// The setting.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A chart that another one brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// The chart's name.
    pub name: String,
    /// The name under which the parent's values speak of it, if another.
    pub alias: Option<String>,
    /// Values that switch it: the first of them that is set decides.
    pub condition: Vec<String>,
    /// Tags that switch it, where no condition does.
    pub tags: Vec<String>,
}

impl Dependency {
    /// The key of its values in the parent's.
    #[must_use]
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// A chart, read but not rendered.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What `Chart.yaml` calls it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs; empty when it does not say.
    pub app_version: String,
    /// Whether it only lends templates to others.
    pub is_library: bool,
    /// What it brings along.
    pub dependencies: Vec<Dependency>,
    /// The path of its files within the outermost chart: empty, or `charts/x/`.
    pub(crate) folder: String,
    pub(crate) annotations: BTreeMap<String, Tree>,
    pub(crate) values: Tree,
    pub(crate) values_problem: Option<(String, String)>,
    /// The texts that may hold images, by their paths in this chart.
    pub(crate) texts: BTreeMap<String, String>,
    /// Charts in `charts/`.
    pub(crate) charts: Vec<Chart>,
}

impl Chart {
    /// Puts a chart together from its files, by their paths in it. A packed chart within (`charts/x-1.0.tgz`) is expected
    /// as a folder of that name. `place` is what messages call the chart.
    ///
    /// # Errors
    /// [`ChartError`]: `Chart.yaml` is not there or makes no sense.
    pub fn from_files(place: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, ChartError> {
        let all: Vec<_> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
            .collect();
        Self::read(place, String::new(), &all, 0)
    }

    fn read(
        place: &str,
        folder: String,
        files: &[(&str, &[u8])],
        nesting: usize,
    ) -> Result<Self, ChartError> {
        let text = |name: &str| {
            let found = files.binary_search_by_key(&name, |(path, _)| path).ok();
            found.map(|index| String::from_utf8_lossy(files[index].1).into_owned())
        };
        let Some(about) = text("Chart.yaml") else {
            return Err(ChartError::NoChart {
                place: place.to_owned(),
            });
        };
        let about = parse(&format!("{folder}Chart.yaml"), &about)
            .map_err(|(place, message)| ChartError::Broken { place, message })?;
        let printed = |key: &str| about.get(key).and_then(Tree::printed).unwrap_or_default();
        let (values, values_problem) =
            match text("values.yaml").map(|text| parse(&format!("{folder}values.yaml"), &text)) {
                Some(Ok(values)) => (values, None),
                Some(Err(problem)) => (Tree::empty_map(), Some(problem)),
                None => (Tree::empty_map(), None),
            };
        // Helm 2 kept them in a file of their own.
        let older = text("requirements.yaml").and_then(|text| parse("requirements.yaml", &text).ok());
        let texts = files
            .iter()
            .filter(|(path, _)| !path.starts_with("charts/") && has_images(path));
        Ok(Self {
            name: printed("name"),
            version: printed("version"),
            app_version: printed("appVersion"),
            is_library: about.text_at("type") == Some("library"),
            dependencies: dependencies(&about, older.as_ref()),
            annotations: about
                .get("annotations")
                .and_then(Tree::map)
                .cloned()
                .unwrap_or_default(),
            values,
            values_problem,
            texts: texts
                .map(|(path, bytes)| ((*path).to_owned(), String::from_utf8_lossy(bytes).into_owned()))
                .collect(),
            charts: within(place, &folder, files, nesting)?,
            folder,
        })
    }

    /// `chart cert-manager v1.15.3`: what reasons call it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("chart {} {}", self.name, self.version)
            .trim_end()
            .to_owned()
    }
}

fn within(
    place: &str,
    folder: &str,
    files: &[(&str, &[u8])],
    nesting: usize,
) -> Result<Vec<Chart>, ChartError> {
    let mut folders: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
    for (path, bytes) in files {
        if let Some((name, rest)) = path.strip_prefix("charts/").and_then(|path| path.split_once('/')) {
            folders.entry(name).or_default().push((rest, bytes));
        }
    }
    // Helm leaves out what begins with a dot or an underscore.
    folders.retain(|name, files| {
        !name.starts_with(['.', '_']) && files.iter().any(|(path, _)| *path == "Chart.yaml")
    });
    if nesting == MAX_NESTING && !folders.is_empty() {
        let message = "charts within charts within charts: nested too deeply".to_owned();
        return Err(ChartError::Broken {
            place: format!("{place}: {folder}charts"),
            message,
        });
    }
    let read = |(name, mut files): (&str, Vec<(&str, &[u8])>)| {
        files.sort_unstable_by_key(|(path, _)| *path);
        Chart::read(place, format!("{folder}charts/{name}/"), &files, nesting + 1)
    };
    folders.into_iter().map(read).collect()
}

fn has_images(path: &str) -> bool {
    let ends = [".yaml", ".yml", ".tpl", ".json", ".txt", ".tmpl"];
    ends.iter().any(|end| path.ends_with(end)) && !path.ends_with("NOTES.txt") && path != "Chart.yaml"
}

fn dependencies(about: &Tree, older: Option<&Tree>) -> Vec<Dependency> {
    let list = about
        .get("dependencies")
        .or(older.and_then(|older| older.get("dependencies")));
    let items = list.map_or(&[][..], Tree::list);
    let one = |item: &Tree| {
        let split = |text: &str| {
            text.split(',')
                .map(|one| one.trim().to_owned())
                .filter(|one| !one.is_empty())
                .collect()
        };
        Some(Dependency {
            name: item.text_at("name")?.to_owned(),
            alias: item.text_at("alias").map(ToOwned::to_owned),
            condition: item.text_at("condition").map(split).unwrap_or_default(),
            tags: item
                .get("tags")
                .map_or(&[][..], Tree::list)
                .iter()
                .filter_map(Tree::printed)
                .collect(),
        })
    };
    items.iter().filter_map(one).collect()
}

/// One document; the place and the message where it is none.
pub(crate) fn parse(name: &str, text: &str) -> Result<Tree, (String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let piece = Piece { text, line: 0 };
    match tree::read(text, 0, 0) {
        Ok(None) => Ok(Tree::empty_map()),
        Ok(Some(tree)) if matches!(tree.value, Value::Null) => Ok(Tree::empty_map()),
        Ok(Some(tree)) if tree.map().is_some() => Ok(tree),
        Ok(Some(tree)) => Err((
            format!("{name}:{}", tree.at.line),
            "this is no mapping of keys to values".to_owned(),
        )),
        Err(error) => {
            let (place, message) = complaint(name, piece, &error);
            let message = message.split("; this ").next().unwrap_or_default().to_owned();
            Err((place, message))
        }
    }
}
