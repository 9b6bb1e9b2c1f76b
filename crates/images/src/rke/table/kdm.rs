//! A `data.json` of kontainer-driver-metadata (KDM), from which RKE takes its versions, read by RKE's own rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::component::COMPONENTS;
use super::super::error::RkeError;
use super::super::version::{compare_releases, minor, numbers};
use super::{Entry, Interner, Need, Table};

/// What of the file matters here; the templates, which are most of it, are skipped.
#[derive(Deserialize)]
struct Data {
    #[serde(rename = "K8sVersionRKESystemImages", default)]
    images: Option<BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
    #[serde(rename = "RKEDefaultK8sVersions", default)]
    defaults: Option<BTreeMap<String, String>>,
    #[serde(rename = "K8sVersionInfo", default)]
    infos: Option<BTreeMap<String, Info>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    #[serde(rename = "minRKEVersion")]
    min: String,
    #[serde(rename = "maxRKEVersion")]
    max: String,
    #[serde(rename = "deprecateRKEVersion")]
    deprecate: String,
}

/// Which release has which version.
#[derive(Debug)]
pub(super) struct Rules {
    defaults: BTreeMap<String, String>,
    infos: BTreeMap<String, Info>,
}

impl Rules {
    /// The newest release that the file names.
    pub(super) fn newest(&self) -> &str {
        let defaults = self.defaults.keys().filter(|release| *release != "default");
        let least = self.infos.values().map(|info| &info.min);
        let named = defaults
            .chain(least)
            .filter(|release| numbers(release).len() >= 3);
        named
            .max_by(|one, other| compare_releases(one, other))
            .map_or("v1.6.3", String::as_str)
    }

    /// The default version of a release; empty when the file names none.
    pub(super) fn default(&self, rke: &str) -> &str {
        let bare = rke.strip_prefix('v').unwrap_or(rke);
        let named = self.defaults.get(bare).or_else(|| self.defaults.get("default"));
        named.map_or("", String::as_str)
    }

    /// Whether a release takes this version from the file.
    pub(super) fn has(&self, rke: &str, version: &str) -> bool {
        let Some(info) = self.infos.get(version) else {
            return true;
        };
        let is_bad = !info.deprecate.is_empty() && compare_releases(rke, &info.deprecate).is_ge();
        let is_early = !info.min.is_empty() && compare_releases(rke, &info.min).is_lt();
        !is_bad && !is_early
    }

    /// Whether a release still offers the minor version of this one.
    pub(super) fn offers(&self, rke: &str, version: &str) -> bool {
        let info = self.infos.get(minor(version));
        info.is_none_or(|info| info.max.is_empty() || compare_releases(rke, &info.max).is_le())
    }
}

pub(super) fn table(text: &[u8], like: &Table) -> Result<Table, RkeError> {
    let data: Data = serde_json::from_slice(text)?;
    let mut interner = Interner::default();
    let mut versions = Vec::new();
    for (version, images) in data.images.unwrap_or_default() {
        let mut row = [0; COMPONENTS.len()];
        for (place, component) in row.iter_mut().zip(&COMPONENTS) {
            let image = images.get(component.json).and_then(serde_json::Value::as_str);
            *place = interner
                .number(image.unwrap_or_default())
                .ok_or_else(|| RkeError::kdm("it names too many images"))?;
        }
        versions.push(Entry {
            numbers: numbers(&version),
            version: version.into(),
            row,
            variants: Vec::new(),
        });
    }
    versions.sort_by(|one, other| one.numbers.cmp(&other.numbers));
    if versions.is_empty() {
        return Err(RkeError::kdm("K8sVersionRKESystemImages is missing or empty"));
    }
    let copy = |need: &Need| Need {
        since: need.since.clone(),
        components: need.components.clone(),
        like: need.like.clone(),
    };
    let needs = like.needs.iter();
    Ok(Table {
        images: interner.images,
        versions,
        releases: Vec::new(),
        needs: needs
            .map(|(choice, steps)| (choice.clone(), steps.iter().map(copy).collect()))
            .collect(),
        gone: Vec::new(),
        rules: Some(Rules {
            defaults: data.defaults.unwrap_or_default(),
            infos: data.infos.unwrap_or_default(),
        }),
    })
}
