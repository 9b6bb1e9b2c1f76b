//! Images by the shape of fields, where nothing is known of the whole: custom resources, and the values of charts.
//!
//! The shapes: `image: a/b:1` (and `fooImage`, `FOO_IMAGE`); `image: a/b` beside `tag: 1`; a mapping of `repository`
//! and `tag` (perhaps `registry`, `namespace`, `digest`); a mapping of `name` under an `image` key whose registry and
//! namespace stand further up; `fooImageRepository` beside `fooImageTag`; lists and mappings of images; containers,
//! arguments and environment as pods have them.

use std::collections::BTreeMap;

use super::name::{Name, Promise, is_templated, name, promise};
use super::parts::Parts;
use super::tree::{Tree, Value};
use super::walk::Walk;

/// The tag for an image at a path, and where that tag is from.
pub(crate) type TagAt<'a> = dyn Fn(&str) -> Option<(String, String)> + 'a;
/// Whether the value at a path goes on in templates.
pub(crate) type GoesOn<'a> = dyn Fn(&str) -> bool + 'a;
/// What a templated text comes to.
pub(crate) type Expand<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What fields that are not written come from.
#[derive(Clone, Default)]
pub(crate) struct Defaults<'a> {
    /// Put before every name without a host, and instead of an image's own registry (`global.imageRegistry`).
    pub(crate) override_registry: Option<String>,
    /// Put before names that have no registry of their own (`imageRegistry` further up).
    pub(crate) registry: Option<String>,
    /// Put between registry and name (`imageNamespace` further up).
    pub(crate) namespace: Option<String>,
    /// Istio's `hub`: put before bare words under `image`.
    pub(crate) hub: Option<String>,
    /// Istio's `tag` beside its `hub`.
    pub(crate) hub_tag: Option<String>,
    /// The tag where none is written, for an image at this path: the tag, and where it is from.
    pub(crate) tag: Option<&'a TagAt<'a>>,
    /// Whether templates put something behind the value at this path, so that it is not the whole name.
    pub(crate) goes_on: Option<&'a GoesOn<'a>>,
    /// What a templated text comes to.
    pub(crate) expand: Option<&'a Expand<'a>>,
    /// The switch that turns off what is walked through.
    pub(crate) off: Option<String>,
}

/// Keys whose content is about something else.
const SKIPPED: &[&str] = &[
    "imagePullSecrets",
    "imagePullPolicy",
    "pullPolicy",
    "managedFields",
    "status",
];

impl<'a> Walk<'_> {
    /// Everything below a value.
    pub(crate) fn fields(&mut self, tree: &Tree, defaults: &Defaults<'a>) {
        match &tree.value {
            Value::Map(map) => self.mapping(tree, map, defaults),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.at_item(index, |walk| walk.fields(item, defaults));
                }
            }
            _ => {}
        }
    }

    fn mapping(&mut self, tree: &Tree, map: &BTreeMap<String, Tree>, defaults: &Defaults<'a>) {
        let defaults = &self.nearer(tree, defaults);
        if let Some(parts) = Parts::of_mapping(self.last_key(), tree, defaults.registry.is_some()) {
            self.parts(&parts, defaults);
        }
        for (key, value) in map {
            if SKIPPED.contains(&key.as_str()) {
                continue;
            }
            match &value.value {
                Value::Text(text) => self.text_field(tree, key, value, text, defaults),
                Value::List(_) if is_arguments(key) => self.arguments(key, value),
                Value::List(_) | Value::Map(_) if is_environment(key) => self.environment(key, value),
                Value::List(items) if promise(key) == Promise::Image => self.images(key, items, defaults),
                Value::Map(inner) if key == "images" || key.ends_with("Images") => {
                    self.named_images(key, value, inner, defaults);
                }
                _ => self.within(key, |walk| walk.fields(value, defaults)),
            }
        }
    }

    /// The defaults as they are below this mapping.
    fn nearer(&self, tree: &Tree, defaults: &Defaults<'a>) -> Defaults<'a> {
        let mut nearer = defaults.clone();
        let set = |slot: &mut Option<String>, keys: &[&str]| {
            let found = keys.iter().find_map(|key| tree.text_at(key));
            if let Some(text) = found.filter(|text| !is_templated(text)) {
                *slot = Some(text.trim_end_matches('/').to_owned());
            }
        };
        set(&mut nearer.registry, &["imageRegistry"]);
        set(&mut nearer.namespace, &["imageNamespace"]);
        if let (Some(hub), Some(tag)) = (tree.text_at("hub"), tree.get("tag").and_then(Tree::printed)) {
            (nearer.hub, nearer.hub_tag) = (Some(hub.to_owned()), Some(tag));
        }
        if tree
            .get("enabled")
            .is_some_and(|enabled| enabled.value == Value::Bool(false))
        {
            let path = self.path();
            nearer.off = Some(match path.is_empty() {
                true => "enabled".to_owned(),
                false => format!("{path}.enabled"),
            });
        }
        nearer
    }

    fn last_key(&self) -> &str {
        let path = self.path();
        path.rsplit('.').next().unwrap_or(path)
    }

    /// A text under a key, whose tag or repository may stand beside it.
    fn text_field(&mut self, beside: &Tree, key: &str, value: &Tree, text: &str, defaults: &Defaults<'a>) {
        if text.trim().is_empty() {
            return;
        }
        if let Some(parts) = Parts::of_siblings(key, beside) {
            return self.within(key, |walk| walk.parts(&parts, defaults));
        }
        if promise(key) == Promise::Nothing || Parts::is_taken(key, beside) {
            return;
        }
        let expanded = match is_templated(text) {
            true => defaults.expand.and_then(|expand| expand(text)),
            false => None,
        };
        let text = expanded.as_deref().unwrap_or(text);
        self.within(key, |walk| match name(text) {
            // Istio: a word under `image`, the rest in `hub` and `tag`.
            Name::Word(_) if defaults.hub.is_some() => {
                let (hub, tag) = (defaults.hub.as_deref(), defaults.hub_tag.as_deref());
                let parts = Parts {
                    registry: None,
                    repository: format!("{}/{text}", hub.unwrap_or_default()),
                    tag: tag.map(ToOwned::to_owned),
                    at: value.at,
                    guess: true,
                    ..Parts::default()
                };
                walk.parts(
                    &parts,
                    &Defaults {
                        override_registry: None,
                        ..defaults.clone()
                    },
                );
            }
            Name::Word(_) => {
                let spot = walk.spot(value.at, true);
                let message = format!(
                    "is `{}`: perhaps an image, but nothing there says so; it is not listed",
                    text.trim()
                );
                walk.found.remark(&spot, &message);
            }
            Name::Full(reference) | Name::Likely(reference)
                if reference.tag().is_none()
                    && reference.digest().is_none()
                    && defaults.goes_on.is_some_and(|goes_on| goes_on(walk.path())) =>
            {
                let parts = Parts {
                    repository: text.trim().to_owned(),
                    at: value.at,
                    ..Parts::default()
                };
                walk.parts(&parts, defaults);
            }
            _ => walk.switched(defaults, |walk| walk.keyed(key, text, value.at)),
        });
    }

    fn images(&mut self, key: &str, items: &[Tree], defaults: &Defaults<'a>) {
        self.within(key, |walk| {
            for (index, item) in items.iter().enumerate() {
                walk.at_item(index, |walk| match &item.value {
                    Value::Text(text) => walk.switched(defaults, |walk| walk.keyed("image", text, item.at)),
                    _ => walk.fields(item, defaults),
                });
            }
        });
    }

    /// `images: {proxy: a/b:1, tags: {…}}`: every text that can be an image is one.
    fn named_images(
        &mut self,
        key: &str,
        tree: &Tree,
        map: &BTreeMap<String, Tree>,
        defaults: &Defaults<'a>,
    ) {
        self.within(key, |walk| {
            if Parts::of_mapping("images", tree, defaults.registry.is_some()).is_some() {
                return walk.mapping(tree, map, defaults);
            }
            for (name_of_it, value) in map {
                match &value.value {
                    Value::Text(text) => walk.within(name_of_it, |walk| match name(text) {
                        Name::Full(_) | Name::Likely(_) if promise(name_of_it) != Promise::Base => {
                            walk.switched(defaults, |walk| walk.keyed("image", text, value.at));
                        }
                        _ => {}
                    }),
                    Value::Map(inner) if name_of_it == "tags" => {
                        walk.named_images(name_of_it, value, inner, defaults);
                    }
                    Value::Map(_) => walk.within(name_of_it, |walk| walk.image_named(value, defaults)),
                    _ => walk.within(name_of_it, |walk| walk.fields(value, defaults)),
                }
            }
        });
    }

    /// A mapping below `images`: an image without the word.
    fn image_named(&mut self, tree: &Tree, defaults: &Defaults<'a>) {
        let own = Parts::of_mapping(self.last_key(), tree, false).is_some();
        match Parts::of_mapping("image", tree, defaults.registry.is_some()) {
            Some(parts) if !own => {
                let defaults = self.nearer(tree, defaults);
                self.parts(&parts, &defaults);
            }
            _ => self.fields(tree, defaults),
        }
    }

    /// Puts an image together and lists it.
    fn parts(&mut self, parts: &Parts, defaults: &Defaults<'a>) {
        let (text, notes, guess) = parts.join(self.path(), defaults);
        let mut spot = self.spot(parts.at, guess || parts.guess);
        for note in notes.iter().chain(&off(defaults)) {
            spot.part.push_str(&format!(" ({note})"));
        }
        match name(&text) {
            Name::Templated => self.found.templated(&text, &spot),
            Name::Full(reference) | Name::Likely(reference) | Name::Word(reference) => {
                if reference.tag().is_none() && reference.digest().is_none() {
                    spot.part.push_str(" (no tag is written)");
                    spot.guess = true;
                }
                self.found.add(&text, reference, &spot);
            }
            Name::Not(_) if parts.number => {
                let message = format!(
                    "is `{text}`, because its tag is a number to YAML; quotes keep it as it is written"
                );
                self.found.remark(&spot, &message);
            }
            Name::Not(_) => {}
        }
    }

    /// Does something with the switch that turns it off in the name of the part.
    fn switched(&mut self, defaults: &Defaults<'a>, work: impl FnOnce(&mut Self)) {
        match off(defaults) {
            None => work(self),
            Some(off) => {
                let object = self.object.clone();
                self.object = format!("{object}({off}) ");
                work(self);
                self.object = object;
            }
        }
    }
}

fn off(defaults: &Defaults<'_>) -> Option<String> {
    defaults
        .off
        .as_ref()
        .map(|switch| format!("off: {switch} is false"))
}

fn is_arguments(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "command" || key.ends_with("args") || key.ends_with("arguments")
}

fn is_environment(key: &str) -> bool {
    matches!(key, "env" | "envs" | "envVars" | "environment")
        || key.ends_with("Env")
        || key.ends_with("EnvVars")
}
