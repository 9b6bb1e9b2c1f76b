//! The oldest docker-archives (before Docker 1.10): a `repositories` file and a folder for each layer, no config.
//!
//! The config is put together from the layers' own documents as Docker's importer does, its fields in alphabetical order
//! so that the same archive gives the same digest.

use std::collections::BTreeMap;

use landfall_oci::Descriptor;
use serde_json::{Map, Value, json};

use super::docker::{Fault, Made, parse};
use super::intake::Intake;
use super::pieces::two_images;
use crate::{Bundle, BundleError};

/// Longer chains than any storage driver could mount.
const MAX_LAYERS: usize = 1000;
/// Fields that belong to one layer's document and not to an image's config.
const LAYER_FIELDS: [&str; 7] = [
    "id",
    "parent",
    "Size",
    "parent_id",
    "layer_id",
    "throwaway",
    "layerid",
];

/// A layer's name and its document.
type Layer = (String, Map<String, Value>);
type Repositories = BTreeMap<String, BTreeMap<String, String>>;

/// Makes a bundle of what `repositories` names.
pub(super) fn bundle(mut intake: Intake<'_>) -> Result<Bundle, BundleError> {
    let bytes = match intake.find("repositories") {
        Some(held) => intake.bytes(held)?,
        None => None,
    };
    let bytes =
        bytes.ok_or_else(|| crate::reader::not_a_bundle(intake.path, "its repositories file is no JSON"))?;
    let repositories: Repositories = parse(intake.path, "repositories", &bytes)?;
    let mut made = Made::default();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (repository, tags) in &repositories {
        for (tag, id) in tags {
            let name = format!("{repository}:{tag}");
            let full = super::docker::reference(&name)
                .map_or_else(|| name.clone(), |reference| reference.to_string());
            if let Some(other) = seen.insert(full.clone(), id.clone())
                && other != *id
            {
                return Err(two_images(intake.path, full, &other, id));
            }
            let root = image(&mut made, &mut intake, id);
            made.add(&[name], id, root)?;
        }
    }
    made.finish(intake)
}

fn image(made: &mut Made, intake: &mut Intake<'_>, top: &str) -> Result<Descriptor, Fault> {
    let chain = chain(intake, top)?;
    let (mut layers, mut diff_ids, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for (id, document) in chain.iter().rev() {
        let (layer, diff_id) = made.layer(intake, &format!("{id}/layer.tar"))?;
        layers.push(layer);
        diff_ids.push(Value::from(diff_id.to_string()));
        history.push(history_of(document));
    }
    let mut config = chain
        .into_iter()
        .next()
        .map(|(_, document)| document)
        .unwrap_or_default();
    config.retain(|field, _| !LAYER_FIELDS.contains(&field.as_str()));
    config.insert(
        "rootfs".to_owned(),
        json!({"type": "layers", "diff_ids": diff_ids}),
    );
    config.insert("history".to_owned(), Value::Array(history));
    let bytes = serde_json::to_vec(&config).map_err(|error| Fault::Image(error.to_string()))?;
    let stored = intake.spool.put(&bytes)?;
    made.keep(&stored);
    Ok(made.manifest(intake, (stored.digest, stored.span.len), layers)?)
}

/// The documents of a layer and all below it, the top first.
fn chain(intake: &Intake<'_>, top: &str) -> Result<Vec<Layer>, Fault> {
    let mut chain = Vec::new();
    let mut next = Some(top.to_owned());
    while let Some(id) = next {
        let name = format!("{id}/json");
        let held = intake.find(&name).copied();
        let held = held.ok_or_else(|| Fault::Image(format!("`{name}` is not in the archive")))?;
        let bytes = intake.bytes(&held)?.unwrap_or_default();
        let document: Map<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::Image(format!("`{name}` cannot be read: {error}")))?;
        next = document
            .get("parent")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        chain.push((id, document));
        if chain.len() > MAX_LAYERS {
            return Err(Fault::Image(format!("it has more than {MAX_LAYERS} layers")));
        }
    }
    Ok(chain)
}

fn history_of(document: &Map<String, Value>) -> Value {
    let mut history = Map::new();
    for field in ["author", "comment", "created"] {
        if let Some(value) = document.get(field) {
            history.insert(field.to_owned(), value.clone());
        }
    }
    let command = document
        .get("container_config")
        .and_then(|config| config.get("Cmd"))
        .and_then(Value::as_array);
    if let Some(command) = command {
        let words: Vec<_> = command.iter().filter_map(Value::as_str).collect();
        history.insert("created_by".to_owned(), Value::from(words.join(" ")));
    }
    Value::Object(history)
}
