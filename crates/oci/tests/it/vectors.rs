//! Reference vectors, each with the upstream test that establishes it (`source`).

use std::path::PathBuf;

use landfall_oci::{DigestError, Reference, ReferenceError, apply_default_tag};
use serde_json::Value;

/// The project's copy of the vectors, or the folder that `LANDFALL_VECTORS` names.
fn vectors(file: &str) -> Value {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors");
    let folder = std::env::var_os("LANDFALL_VECTORS").map_or(own, PathBuf::from);
    let path = folder.join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The vectors' word for an error; an empty name is a format error there, as in the library they come from.
fn class(error: &ReferenceError) -> &'static str {
    match error {
        ReferenceError::Uppercase { .. } => "uppercase",
        ReferenceError::Empty | ReferenceError::Format { .. } => "format",
        ReferenceError::TooLong { .. } => "too_long",
        ReferenceError::HexId { .. } => "hex64",
        ReferenceError::Digest {
            source: DigestError::Length { .. },
            ..
        } => "digest_length",
        ReferenceError::Digest {
            source: DigestError::Unsupported { .. },
            ..
        } => "digest_unsupported",
        ReferenceError::Digest {
            source: DigestError::Format { .. },
            ..
        } => "format",
    }
}

const CLASSES: [&str; 6] = [
    "uppercase",
    "format",
    "too_long",
    "hex64",
    "digest_length",
    "digest_unsupported",
];

/// What is wrong with our answer to one case, if anything.
fn mismatch(case: &Value) -> Option<String> {
    let input = case["input"].as_str().unwrap();
    let parsed = Reference::parse(input);
    if let Some(expected) = case["error"].as_str() {
        return match parsed {
            Ok(reference) => Some(format!(
                "{input:?}: parsed as {reference}, expected error {expected}"
            )),
            // A word that this test does not know cannot be compared; that it is an error can.
            Err(error) if CLASSES.contains(&expected) && class(&error) != expected => Some(format!(
                "{input:?}: error class {} ({error}), expected {expected}",
                class(&error)
            )),
            Err(_) => None,
        };
    }
    let reference = match parsed {
        Ok(reference) => reference,
        Err(error) => return Some(format!("{input:?}: {error}")),
    };
    let digest = reference
        .digest()
        .map(|digest| digest.to_string())
        .unwrap_or_default();
    let tag = reference.tag().map(ToString::to_string).unwrap_or_default();
    let answers = [
        ("domain", reference.registry().to_string()),
        ("path", reference.repository().to_string()),
        ("name", reference.name()),
        ("tag", tag),
        ("digest", digest),
        ("familiar", reference.familiar_name()),
        ("kubelet_pull_ref", apply_default_tag(input).unwrap()),
    ];
    let wrong = |(field, answer): (&str, String)| {
        let expected = case[field].as_str()?;
        (expected != answer).then(|| format!("{input:?}: {field} is {answer:?}, expected {expected:?}"))
    };
    answers.into_iter().find_map(wrong)
}

#[test]
fn reference_vectors() {
    let vectors = vectors("kube.json");
    let cases = vectors["reference_parse"].as_array().unwrap();
    assert!(!cases.is_empty());
    let wrong: Vec<_> = cases.iter().filter_map(mismatch).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
