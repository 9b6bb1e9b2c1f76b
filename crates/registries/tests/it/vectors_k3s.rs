//! The vectors that begin at registries.yaml: what K3s writes of it, and what containerd then does.

use std::collections::{BTreeMap, BTreeSet};

use ::toml as toml_of_tests;
use landfall_diag::SourceId;
use landfall_oci::Reference;
use landfall_registries::containerd::{Explanation, FileState};
use landfall_registries::hosts::toml;
use landfall_registries::k3s::{Behaviours, Node, Options, Program, Surroundings};
use landfall_registries::{Presented, image_refusal, registries_yaml};

use crate::vectors::{ExpectedAttempt, Vector, each};
use crate::vectors_containerd::{as_expected, same};

fn options(vector: &Vector) -> Result<Options, String> {
    let given = &vector.options;
    let mut options = Options::new(match given.program.as_deref() {
        None | Some("k3s") => Program::K3s,
        Some("rke2") => Program::Rke2,
        Some(other) => return Err(format!("program {other}")),
    });
    options.behaviours = match given.k3s_generation.as_deref() {
        None => Behaviours::newest(),
        Some("config_toml") => Behaviours::of("v1.28.5".parse().expect("a version")),
        Some(other) => return Err(format!("generation {other}")),
    };
    if let Some(alias) = given.docker_io_alias {
        options.behaviours.docker_io_alias = alias;
    }
    options.windows = match given.platform.as_deref() {
        None | Some("linux") => false,
        Some("windows") => true,
        Some(other) => return Err(format!("platform {other}")),
    };
    options.disable_default_endpoint = given.disable_default_registry_endpoint;
    options.embedded_registry = given.embedded_registry.clone();
    Ok(options)
}

/// Whether a vector begins at registries.yaml and is about containerd.
fn is_about_k3s(vector: &Vector) -> bool {
    vector.input_hosts_toml.is_none() && vector.options.consumer.is_none()
}

fn compared(vector: &Vector) -> Result<(), String> {
    let expected = &vector.expected;
    let read = registries_yaml::read(SourceId(0), &vector.registries_yaml);
    let fatal = read.registries.as_ref().err().map(|error| error.message.clone());
    same("fatal", &fatal, &expected.fatal)?;
    let Ok(file) = read.registries else {
        return Ok(());
    };
    let files = vector
        .options
        .missing_files
        .iter()
        .map(|path| (path.clone(), FileState::Missing));
    let surroundings = Surroundings {
        files: files.collect(),
        directories: BTreeMap::new(),
    };
    let node = Node::within(&file, options(vector)?, surroundings);
    same("refusal", &node.refusal(), &None)?;
    rendered(vector, &node)?;
    let warnings: Vec<String> = node
        .rendering()
        .warnings
        .iter()
        .map(|line| line.text.clone())
        .collect();
    same(
        "warnings",
        &warnings,
        &expected.k3s_warnings.clone().unwrap_or_default(),
    )?;
    match (Reference::parse(&vector.image), &expected.image_error) {
        (Err(error), Some(expected)) => refused(&image_refusal(&vector.image, &error), expected),
        (Ok(image), None) => explained(vector, &node, &node.explain(&image)),
        (parsed, error) => Err(format!("image {parsed:?}, expected {error:?}")),
    }
}

/// containerd's words may stand behind those of whoever asked it.
pub(crate) fn refused(words: &str, expected: &str) -> Result<(), String> {
    match expected.ends_with(words) {
        true => Ok(()),
        false => Err(format!("image refused with {words:?}, expected {expected:?}")),
    }
}

fn rendered(vector: &Vector, node: &Node) -> Result<(), String> {
    let files = &node.rendering().hosts;
    let found: BTreeMap<String, String> = files
        .iter()
        .map(|file| (file.path.clone(), file.rendered.text.clone()))
        .collect();
    if vector.options.k3s_generation.is_none() {
        let expected = vector.expected.hosts_toml.clone().unwrap_or_default();
        let expected = expected
            .into_iter()
            .map(|(path, text)| (path.replace('\\', "/"), text))
            .collect();
        same("hosts.toml", &found, &expected)?;
    }
    let mut credentials = BTreeMap::new();
    for credential in node.credentials() {
        let mut fields = BTreeMap::new();
        let auth = &credential.auth;
        if let Some(username) = &auth.username {
            fields.insert("username".to_owned(), username.value.clone());
        }
        for (name, secret) in [
            ("password", &auth.password),
            ("auth", &auth.auth),
            ("identitytoken", &auth.identity_token),
        ] {
            if let Some(secret) = secret {
                fields.insert(name.to_owned(), secret.value.expose().to_owned());
            }
        }
        fields.retain(|_, text| !text.is_empty());
        credentials.insert(credential.key.value.clone(), fields);
    }
    let legacy = vector.options.k3s_generation.is_some() && vector.expected.config_toml_auth.is_none();
    if !legacy {
        same(
            "auth",
            &credentials,
            &vector.expected.config_toml_auth.clone().unwrap_or_default(),
        )?;
    }
    for (section, expected) in vector.expected.config_toml.iter().flatten() {
        let found = section_of(&node.rendering().config_toml.text, section)?;
        same(section, &found, expected)?;
    }
    // The credentials of the text are those that are explained.
    for (key, fields) in &credentials {
        let found = section_of(
            &node.rendering().config_toml.text,
            &format!("registry.configs.{key:?}.auth"),
        )?;
        let fields: serde_json::Value = serde_json::to_value(fields).map_err(|error| error.to_string())?;
        same(key, &found, &fields)?;
    }
    Ok(())
}

/// A section of config.toml, read by a TOML reader that is not ours; `registry.…` is taken below the plugin.
fn section_of(text: &str, section: &str) -> Result<serde_json::Value, String> {
    let all: toml_of_tests::Table = toml_of_tests::from_str(text).map_err(|error| error.to_string())?;
    let plugin = all["plugins"]
        .as_table()
        .and_then(|plugins| plugins.values().next())
        .ok_or("no plugin")?;
    let path: toml_of_tests::Table =
        toml_of_tests::from_str(&format!("[{section}]")).map_err(|error| error.to_string())?;
    let (mut place, mut path) = (plugin.clone(), toml_of_tests::Value::Table(path));
    while let Some((key, rest)) = path.clone().as_table().and_then(|table| table.iter().next()) {
        place = place.get(key).ok_or(format!("no {key} in {text}"))?.clone();
        path = rest.clone();
    }
    serde_json::to_value(place).map_err(|error| error.to_string())
}

fn explained(vector: &Vector, node: &Node, told: &Explanation) -> Result<(), String> {
    let expected = &vector.expected;
    if let Some(normal) = &expected.normalized_image {
        same("image", &told.image, normal)?;
    }
    let root = node.options().certs_d();
    let error = told
        .pull_error
        .as_ref()
        .map(|line| line.text.replace(&root, "<certs.d>"));
    same("pull error", &error, &expected.pull_error)?;
    let log: Vec<String> = told
        .log
        .iter()
        .map(|line| line.text.replace(&root, "certs.d"))
        .collect();
    same("log", &log, &expected.containerd_log.clone().unwrap_or_default())?;
    same(
        "attempts or any of them",
        &expected.attempts_any_of.is_some(),
        &expected.attempts.is_none(),
    )
    .or_else(|error| {
        if expected.pull_error.is_some() {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    if let Some(attempts) = &expected.attempts {
        same("alternatives", &told.alternatives.len(), &0)?;
        same(
            "attempts",
            &told.attempts.iter().map(as_expected).collect(),
            attempts,
        )?;
    }
    if let (Some(error), true) = (&expected.resolve_error, vector.options.responses.is_empty()) {
        let broken = told.attempts.iter().find_map(|attempt| match &attempt.presented {
            Presented::Broken(words) => Some(words),
            _ => None,
        });
        same("broken credential", &broken, &Some(error))?;
    }
    if let Some(any_of) = &expected.attempts_any_of {
        let found = sequences(told);
        let wanted: BTreeSet<String> = any_of.iter().map(|one| format!("{one:#?}")).collect();
        same("any of", &found, &wanted)?;
    }
    Ok(())
}

/// All sequences of attempts that may come, when one rule wins on every host.
pub(crate) fn sequences(told: &Explanation) -> BTreeSet<String> {
    let first: Vec<ExpectedAttempt> = told.attempts.iter().map(as_expected).collect();
    let mut all = vec![first];
    for other in &told.alternatives {
        let more = all.clone().into_iter().map(|mut sequence| {
            sequence[other.instead_of] = as_expected(&other.attempt);
            sequence
        });
        all.extend(more.collect::<Vec<_>>());
    }
    all.iter().map(|one| format!("{one:#?}")).collect()
}

#[test]
fn vectors_of_registries_yaml_are_rendered_and_explained() {
    each(|vector| {
        if is_about_k3s(vector) {
            compared(vector)
        } else {
            Ok(())
        }
    });
}

#[test]
fn vectors_lead_back_to_lines_of_the_file() {
    each(|vector| {
        let read = registries_yaml::read(SourceId(0), &vector.registries_yaml);
        let (true, Ok(file)) = (is_about_k3s(vector), read.registries) else {
            return Ok(());
        };
        let node = Node::new(&file, options(vector)?);
        for hosts in &node.rendering().hosts {
            for (range, span) in &hosts.rendered.origins {
                let part = &hosts.rendered.text[range.clone()];
                let place = vector.registries_yaml.get(span.range());
                if node.place(*span).is_some() && place.is_none_or(str::is_empty) {
                    return Err(format!("{part} has no place"));
                }
            }
        }
        let Ok(image) = Reference::parse(&vector.image) else {
            return Ok(());
        };
        for attempt in &node.explain(&image).attempts {
            let because = &attempt.because;
            for span in [because.endpoint, because.rewrite, because.credential, because.tls]
                .iter()
                .flatten()
            {
                let text = vector.registries_yaml.get(span.range()).unwrap_or_default();
                same("source", &span.source, &SourceId(0))?;
                if text.is_empty() {
                    return Err(format!("{because:?} leads nowhere"));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn vectors_render_what_our_reader_of_toml_reads_or_refuses_like_another() {
    each(|vector| {
        let read = registries_yaml::read(SourceId(0), &vector.registries_yaml);
        let (true, Ok(file)) = (is_about_k3s(vector), read.registries) else {
            return Ok(());
        };
        for hosts in &Node::new(&file, options(vector)?).rendering().hosts {
            let text = &hosts.rendered.text;
            let ours = toml::parse(SourceId(0), text).error.is_none();
            let other = toml_of_tests::from_str::<toml_of_tests::Table>(text).is_ok();
            same(&hosts.path, &ours, &other)?;
        }
        Ok(())
    });
}
