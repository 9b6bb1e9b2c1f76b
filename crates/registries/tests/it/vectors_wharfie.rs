//! The vectors of the other consumer: wharfie.

use landfall_diag::SourceId;
use landfall_oci::Reference;
use landfall_registries::{image_refusal, registries_yaml, wharfie};

use crate::vectors::{Vector, each};
use crate::vectors_containerd::{as_expected, same};
use crate::vectors_k3s::refused;

fn compared(vector: &Vector) -> Result<(), String> {
    let expected = &vector.expected;
    let unknown = expected.hosts_toml.is_some()
        || expected.config_toml.is_some()
        || expected.config_toml_auth.is_some()
        || expected.containerd_log.is_some()
        || expected.k3s_warnings.is_some()
        || expected.requests.is_some()
        || expected.resolved.is_some();
    same("a field that says nothing of wharfie", &unknown, &false)?;
    let read = registries_yaml::read(SourceId(0), &vector.registries_yaml);
    let fatal = read.registries.as_ref().err().map(|error| error.message.clone());
    same("fatal", &fatal, &expected.fatal)?;
    let Ok(file) = read.registries else {
        return Ok(());
    };
    let image = match Reference::parse(&vector.image) {
        Ok(image) => image,
        Err(error) => {
            let words = expected.image_error.as_ref().ok_or(error.to_string())?;
            return refused(&image_refusal(&vector.image, &error), words);
        }
    };
    let told = wharfie::explain(&file, &image);
    if let Some(normal) = &expected.normalized_image {
        same("image", &told.image, normal)?;
    }
    same("error", &told.error, &expected.pull_error)?;
    let found: Vec<_> = told.attempts.iter().map(as_expected).collect();
    if let Some(any_of) = &expected.attempts_any_of {
        let mut all = vec![found.clone()];
        for other in &told.alternatives {
            let mut sequence = found.clone();
            sequence[other.instead_of] = as_expected(&other.attempt);
            all.push(sequence);
        }
        return match any_of.iter().all(|one| all.contains(one)) && any_of.len() == all.len() {
            true => Ok(()),
            false => same("any of", &all, any_of),
        };
    }
    same("alternatives", &told.alternatives.len(), &0)?;
    same(
        "attempts",
        &found,
        expected.attempts.as_ref().ok_or("nothing is expected")?,
    )
}

#[test]
fn vectors_of_wharfie_are_explained() {
    each(|vector| match vector.options.consumer.as_deref() {
        None => Ok(()),
        Some("wharfie") => compared(vector),
        Some(other) => Err(format!("consumer {other}")),
    });
}
