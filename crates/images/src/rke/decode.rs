//! Fills a tree of values from cluster.yml as yaml.v2 fills RKE's structs: unknown keys are dropped (and remembered
//! here), values of a wrong type are left out and complained of, what comes twice is set twice.

use std::collections::BTreeMap;

use landfall_diag::yaml::{Decoded, Decoder, Node, YamlError};
use landfall_diag::{Diagnostic, Severity, Span, Spanned, nearest};
use landfall_registries::runtimes::rke::{PrivateRegistry, private_registries};

use super::component::COMPONENTS;
use super::schema::{CLUSTER, Struct, Type, image_key};

/// A value that was read.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Spanned<String>),
    Bool(Spanned<bool>),
    Int(i64),
    Texts(Vec<Spanned<String>>),
    Map(BTreeMap<String, Spanned<String>>),
    Struct(Fields),
    List(Vec<Fields>),
    Registries(Vec<PrivateRegistry>),
}

/// The fields of a struct, by key. A field that is not there has Go's empty value.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) all: BTreeMap<&'static str, Value>,
    pub(super) span: Option<Span>,
}

impl Fields {
    /// A text; empty where there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.spanned(key).map_or("", |text| text.value.as_str())
    }

    /// A text that is not empty, with its place.
    pub(super) fn spanned(&self, key: &str) -> Option<&Spanned<String>> {
        match self.all.get(key) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        match self.all.get(key) {
            Some(Value::Bool(truth)) => Some(truth.value),
            _ => None,
        }
    }

    pub(super) fn int(&self, key: &str) -> i64 {
        match self.all.get(key) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    pub(super) fn texts(&self, key: &str) -> &[Spanned<String>] {
        match self.all.get(key) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    pub(super) fn map(&self, key: &str) -> Option<&BTreeMap<String, Spanned<String>>> {
        match self.all.get(key) {
            Some(Value::Map(map)) => Some(map),
            _ => None,
        }
    }

    pub(super) fn fields(&self, key: &str) -> Option<&Self> {
        match self.all.get(key) {
            Some(Value::Struct(fields)) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> &[Self] {
        match self.all.get(key) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    pub(super) fn registries(&self) -> &[PrivateRegistry] {
        match self.all.get("private_registries") {
            Some(Value::Registries(list)) => list,
            _ => &[],
        }
    }
}

/// What was read besides values.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Unknown keys and the like.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The first place that says that there are Windows nodes. RKE reads none of them: it asks each node.
    pub(super) windows: Option<Span>,
}

/// Reads a whole file's tree.
pub(super) fn cluster(root: &Node, decoder: &mut Decoder, notes: &mut Notes) -> Result<Fields, YamlError> {
    let mut fields = Fields::default();
    structure(&CLUSTER, root, decoder, &mut fields, notes)?;
    Ok(fields)
}

/// Says whether the value was one.
fn structure(
    known: &'static Struct,
    node: &Node,
    decoder: &mut Decoder,
    fields: &mut Fields,
    notes: &mut Notes,
) -> Result<Decoded<()>, YamlError> {
    fields.span = Some(node.span);
    decoder.mapping(node, known.go, &mut |decoder, key, value| {
        let Some((name, kind)) = known.field(&key.value) else {
            if says_windows(&key.value, value) {
                notes.windows.get_or_insert(key.span);
            }
            if known.is_whole {
                notes.diagnostics.push(unknown(&key, known));
            }
            return Ok(());
        };
        let before = fields.all.remove(name);
        let read = self::value(kind, before, value, decoder, notes)?;
        if name == "labels" && has_windows_label(read.as_ref()) {
            notes.windows.get_or_insert(key.span);
        }
        fields.all.extend(read.map(|read| (name, read)));
        Ok(())
    })
}

fn value(
    kind: Type,
    before: Option<Value>,
    node: &Node,
    decoder: &mut Decoder,
    notes: &mut Notes,
) -> Result<Option<Value>, YamlError> {
    Ok(match kind {
        Type::Any => None,
        Type::Text => kept(before, decoder.string(node)?, |text| {
            Value::Text(Spanned::new(text, node.span))
        }),
        Type::Bool => kept(before, decoder.boolean(node)?, |truth| {
            Value::Bool(Spanned::new(truth, node.span))
        }),
        Type::Int => kept(before, decoder.integer(node)?, Value::Int),
        Type::Texts => kept(before, decoder.strings(node)?, Value::Texts),
        Type::Map => map(before, node, decoder)?,
        Type::Images => images(before, node, decoder, notes)?,
        Type::Registries => {
            let read = private_registries(decoder, node, &mut notes.diagnostics)?;
            kept(before, read, Value::Registries)
        }
        Type::List(known) => {
            let read = decoder.sequence(node, &format!("[]{}", known.go), |decoder, item| {
                let mut fields = Fields::default();
                let read = structure(known, item, decoder, &mut fields, notes)?;
                Ok((read != Decoded::Refused).then_some(fields))
            })?;
            kept(before, read, Value::List)
        }
        Type::Struct(known) | Type::Pointer(known) => {
            let mut fields = match before {
                Some(Value::Struct(fields)) => fields,
                _ => Fields::default(),
            };
            match structure(known, node, decoder, &mut fields, notes)? {
                // A pointer to nothing is none; a struct stays what it was.
                Decoded::Null if matches!(kind, Type::Pointer(_)) => None,
                _ => Some(Value::Struct(fields)),
            }
        }
    })
}

/// What a field holds after a value was read into it.
fn kept<T>(before: Option<Value>, read: Decoded<T>, make: impl FnOnce(T) -> Value) -> Option<Value> {
    match read {
        Decoded::Value(value) => Some(make(value)),
        Decoded::Null => None,
        Decoded::Refused => before,
    }
}

fn map(before: Option<Value>, node: &Node, decoder: &mut Decoder) -> Result<Option<Value>, YamlError> {
    let mut map = match before {
        Some(Value::Map(map)) => map,
        _ => BTreeMap::new(),
    };
    let read = decoder.mapping(node, "map[string]string", &mut |decoder, key, value| {
        if let Decoded::Value(text) = decoder.string(value)? {
            map.insert(key.value, Spanned::new(text, value.span));
        }
        Ok(())
    })?;
    Ok((read != Decoded::Null).then_some(Value::Map(map)))
}

fn images(
    before: Option<Value>,
    node: &Node,
    decoder: &mut Decoder,
    notes: &mut Notes,
) -> Result<Option<Value>, YamlError> {
    let mut images = match before {
        Some(Value::Struct(fields)) => fields,
        _ => Fields::default(),
    };
    decoder.mapping(node, "types.RKESystemImages", &mut |decoder, key, value| {
        let Some(name) = image_key(&key.value) else {
            notes.diagnostics.push(unknown_image(&key));
            return Ok(());
        };
        let before = images.all.remove(name);
        let read = kept(before, decoder.string(value)?, |text| {
            Value::Text(Spanned::new(text, value.span))
        });
        images.all.extend(read.map(|read| (name, read)));
        Ok(())
    })?;
    Ok(Some(Value::Struct(images)))
}

fn unknown(key: &Spanned<String>, owner: &Struct) -> Diagnostic {
    let owner_name = owner
        .go
        .trim_start_matches("*types.")
        .trim_start_matches("types.");
    dropped(key, owner_name, owner.fields.iter().map(|(name, _)| *name))
}

fn unknown_image(key: &Spanned<String>) -> Diagnostic {
    dropped(
        key,
        "system_images",
        COMPONENTS.iter().map(|component| component.yaml),
    )
}

fn dropped<'a>(key: &Spanned<String>, owner: &str, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
    let message = format!("rke does not know `{}` here ({owner}), and drops it", key.value);
    let diagnostic = Diagnostic::at("R02", Severity::Warning, key.span, message);
    match nearest(&key.value, known) {
        Some(near) => diagnostic.help(format!("`{near}` is meant?")),
        None => diagnostic,
    }
}

/// Keys by which Rancher, or a person, says that there are Windows nodes.
fn says_windows(key: &str, value: &Node) -> bool {
    let text = value.text().unwrap_or_default();
    match key {
        "windows_prefered_cluster" | "windows_preferred_cluster" | "windowsPreferedCluster" => {
            text.eq_ignore_ascii_case("true")
        }
        "os" | "operating_system" => text.eq_ignore_ascii_case("windows"),
        _ => false,
    }
}

fn has_windows_label(labels: Option<&Value>) -> bool {
    let Some(Value::Map(labels)) = labels else {
        return false;
    };
    ["kubernetes.io/os", "beta.kubernetes.io/os"]
        .iter()
        .any(|label| labels.get(*label).is_some_and(|os| os.value == "windows"))
}
