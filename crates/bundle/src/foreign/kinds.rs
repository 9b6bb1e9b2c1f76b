//! What an archive that was taken in is, by the documents in it.

use super::docker::{self, Fault};
use super::intake::Intake;
use super::{Look, Looked, docker_v1, oci};
use crate::reader::not_a_bundle;
use crate::{Bundle, BundleError};

enum Kind {
    /// An OCI layout; its index goes by this name.
    Oci(&'static str),
    Docker,
    DockerV1,
}

/// Makes a bundle of it.
pub(super) fn bundle(mut intake: Intake<'_>) -> Result<Bundle, BundleError> {
    match kind(&mut intake)? {
        Kind::Oci(index) => oci::bundle(intake, index),
        Kind::Docker => docker::bundle(intake),
        Kind::DockerV1 => docker_v1::bundle(intake),
    }
}

/// Refuses what is no archive of images, or none that we read, by its documents alone.
pub(super) fn check(mut intake: Intake<'_>) -> Result<(), BundleError> {
    match kind(&mut intake)? {
        Kind::Docker => docker::list(&intake).map(|_| ()),
        Kind::Oci(_) | Kind::DockerV1 => Ok(()),
    }
}

/// Says what is in it, from its documents alone.
pub(super) fn look(mut intake: Intake<'_>) -> Result<Look, BundleError> {
    match kind(&mut intake)? {
        Kind::Oci(index) => oci::bundle(intake, index).map(Look::Bundle),
        Kind::Docker => docker_images(&intake).map(Look::Docker),
        Kind::DockerV1 => Err(not_a_bundle(
            intake.path,
            "an archive of Docker before 1.10, which says little of itself; `landfall convert` makes a bundle of it",
        )),
    }
}

fn docker_images(intake: &Intake<'_>) -> Result<Vec<Looked>, BundleError> {
    let mut images = Vec::new();
    for saved in docker::list(intake)? {
        let (held, _, config) = match docker::config(intake, &saved.config) {
            Ok(config) => config,
            Err(Fault::Archive(error)) => return Err(error),
            Err(Fault::Image(reason)) => {
                return Err(BundleError::Unreadable {
                    path: intake.path.to_owned(),
                    entry: saved.config.into(),
                    source: std::io::Error::other(reason),
                });
            }
        };
        let layers = saved.layers.unwrap_or_default();
        let size = |name: &String| intake.find(name).map_or(0, |held| held.len);
        images.push(Looked {
            names: saved.repo_tags.unwrap_or_default(),
            config: held.digest,
            platform: config.platform,
            layers: layers.len(),
            bytes: layers.iter().map(size).fold(0, u64::saturating_add),
        });
    }
    Ok(images)
}

fn kind(intake: &mut Intake<'_>) -> Result<Kind, BundleError> {
    if intake.find("zarf.yaml").is_some() {
        intake.descend("images");
    } else if !is_described(intake)
        && let Some(folder) = only_folder(intake)
    {
        intake.descend(&folder);
    }
    if let Some(advice) = strangers(intake) {
        return Err(not_a_bundle(intake.path, advice));
    }
    let has = |name| intake.find(name).is_some();
    // What counts when there are both: see `Walked::is_docker_archive`.
    let is_made_up = has("repositories") && has("manifest.json") && !has("landfall.json");
    let is_empty = !is_made_up && has("manifest.json") && is_empty_index(intake)?;
    if has("hauler-index.json") {
        Ok(Kind::Oci("hauler-index.json"))
    } else if has("index.json") && !is_made_up && !is_empty {
        Ok(Kind::Oci("index.json"))
    } else if has("manifest.json") {
        Ok(Kind::Docker)
    } else if has("repositories") {
        Ok(Kind::DockerV1)
    } else {
        Err(not_a_bundle(
            intake.path,
            "an archive without images; expected an OCI layout (index.json) or what `docker save` writes (manifest.json)",
        ))
    }
}

fn is_described(intake: &Intake<'_>) -> bool {
    ["index.json", "manifest.json", "repositories"]
        .iter()
        .any(|name| intake.find(name).is_some())
}

/// The one folder at the top that everything is in: somebody packed the folder and not what is in it.
fn only_folder(intake: &Intake<'_>) -> Option<String> {
    let mut folders = intake
        .names()
        .map(|name| name.split_once('/').map(|(folder, _)| folder));
    let first = folders.next()??.to_owned();
    let is_only = folders.all(|folder| folder == Some(&first));
    let is_layout = intake.find(&format!("{first}/index.json")).is_some()
        || intake.find(&format!("{first}/manifest.json")).is_some();
    (is_only && is_layout).then_some(first)
}

/// Docker writes `null` for images that it was asked for by their ids.
fn is_empty_index(intake: &Intake<'_>) -> Result<bool, BundleError> {
    let bytes = match intake.find("index.json") {
        Some(held) => intake.bytes(held)?,
        None => None,
    };
    let index: Option<serde_json::Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let members = index.as_ref().and_then(|index| index.get("manifests"));
    Ok(members.is_none_or(|members| members.as_array().is_none_or(Vec::is_empty)))
}

/// Archives that we know and do not read, with what to do.
fn strangers(intake: &Intake<'_>) -> Option<&'static str> {
    let any = |is: fn(&str) -> bool| intake.names().any(is);
    if any(|name| name.starts_with("docker/registry/v2/")) {
        return Some(
            "a part of an oc-mirror set, the storage of a registry; unpack all archives of the set into one folder: \
             `landfall serve FOLDER` serves it, and others copy from there",
        );
    }
    if any(|name| name.starts_with("sha256-") && name.ends_with(".tar.gz")) {
        return Some("an archive of imgpkg; `imgpkg copy --tar FILE --to-repo …` pushes it");
    }
    if intake.find("manifest.json").is_some() && intake.find("version").is_some() {
        return Some("a folder of skopeo (`dir:`) as a tar; unpack it and give the folder");
    }
    None
}
