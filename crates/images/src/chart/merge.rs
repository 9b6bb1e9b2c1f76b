//! Values laid over one another as Helm does it: mappings key by key, everything else as a whole, null takes away.

use std::collections::BTreeMap;

use super::load::{Chart, ChartError, Dependency, parse};
use super::set;
use crate::manifests::tree::{Tree, Value};

/// What the person gives besides the chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Values files, by name: the later wins.
    pub files: Vec<(String, String)>,
    /// `--set`, after the files.
    pub set: Vec<String>,
}

/// Values with the names of the files that they are from.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) tree: Tree,
    pub(super) files: Vec<String>,
}

impl Values {
    /// The chart's own values with what is given laid over them.
    pub(super) fn of(chart: &Chart, given: &Given) -> Result<Self, ChartError> {
        let mut values = Self {
            tree: chart.values.clone(),
            files: vec![format!("{}values.yaml", chart.folder)],
        };
        for (name, text) in &given.files {
            let mut over =
                parse(name, text).map_err(|(place, message)| ChartError::Broken { place, message })?;
            let file = values.file(name);
            number(&mut over, file);
            lay(&mut values.tree, over);
        }
        let file = values.file("--set");
        for text in &given.set {
            for mut over in set::parse(text)? {
                number(&mut over, file);
                lay(&mut values.tree, over);
            }
        }
        Ok(values)
    }

    /// The values of a chart within, under this key.
    pub(super) fn below(&self, chart: &Chart, dependency: &Dependency) -> Self {
        let mut below = Self {
            tree: chart.values.clone(),
            files: self.files.clone(),
        };
        let file = below.file(&format!("{}values.yaml", chart.folder));
        number(&mut below.tree, file);
        if let Some(over) = self
            .tree
            .get(dependency.key())
            .filter(|over| over.map().is_some())
        {
            lay(&mut below.tree, over.clone());
        }
        if let Some(global) = self.tree.get("global") {
            let mut over = Tree::empty_map();
            if let Value::Map(map) = &mut over.value {
                map.insert("global".to_owned(), global.clone());
            }
            lay(&mut below.tree, over);
        }
        below
    }

    fn file(&mut self, name: &str) -> u16 {
        self.files.push(name.to_owned());
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }
}

fn number(tree: &mut Tree, file: u16) {
    tree.at.file = file;
    match &mut tree.value {
        Value::List(items) => items.iter_mut().for_each(|item| number(item, file)),
        Value::Map(map) => map.values_mut().for_each(|value| number(value, file)),
        _ => {}
    }
}

/// Lays one over the other.
pub(super) fn lay(below: &mut Tree, over: Tree) {
    match (&mut below.value, over.value) {
        (Value::Map(below), Value::Map(over)) => lay_map(below, over),
        (slot, value) => {
            *slot = value;
            below.at = over.at;
        }
    }
}

fn lay_map(below: &mut BTreeMap<String, Tree>, over: BTreeMap<String, Tree>) {
    for (key, value) in over {
        match below.get_mut(&key) {
            _ if value.value == Value::Null => {
                below.remove(&key);
            }
            Some(slot) => lay(slot, value),
            None => {
                below.insert(key, value);
            }
        }
    }
}
