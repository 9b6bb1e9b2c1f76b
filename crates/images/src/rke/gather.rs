//! Images of RKE as [`Gathered`]: each with the components that want it, and what the person should know beside the list.

use landfall_diag::{Source, Span};
use landfall_oci::Reference;

use super::cluster::Cluster;
use super::error::RkeError;
use super::resolve::Resolved;
use super::table::{Choice, Found, Images, Release};
use crate::gathered::{Gathered, Why};
use crate::manifests::{Manifests, Origin, Problem};

/// How much of a version is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every image that the version has.
    All,
    /// What a cluster runs, with what its backups need.
    Needed,
}

/// The images of a version that a release knows.
///
/// # Errors
/// A version that the release does not know.
pub fn gather_version(release: &Release<'_>, version: &str, extent: Extent) -> Result<Gathered, RkeError> {
    let found = release.find(version).ok_or_else(|| release.unknown(version))?;
    if extent == Extent::Needed {
        let cluster = Cluster::of_version(version);
        let resolved = Resolved::new(&cluster, release);
        let mut gathered = Gathered::default();
        needed(&resolved, &mut gathered, &|_| None);
        note_choice(release, &found, &mut gathered);
        gathered.remark(
            &source(version),
            None,
            "the choices of a cluster that makes none: canal, coredns, nginx, metrics-server; --cluster FILE goes by its own",
        );
        return Ok(gathered);
    }
    let mut gathered = Gathered::default();
    all(version, found.images, &mut gathered);
    note_choice(release, &found, &mut gathered);
    let backup = Resolved::new(&Cluster::of_version(version), release).backup_image();
    let listed = |image: &String| {
        Reference::parse(image).is_ok_and(|image| gathered.get(&image.with_default_tag()).is_some())
    };
    if let Some(backup) = backup.filter(|image| !listed(image)) {
        let message = format!(
            "RKE {} takes etcd snapshots with {backup}, whatever version the cluster has: it is on no version's list; --needed and --cluster add it",
            release.name
        );
        gathered.remark(&source(version), None, message);
    }
    Ok(gathered)
}

/// The images of all versions that a release offers.
///
/// # Errors
/// A table that lacks one of them.
pub fn gather_current(release: &Release<'_>, extent: Extent) -> Result<Gathered, RkeError> {
    let mut gathered = Gathered::default();
    for version in &release.current {
        gathered.merge(gather_version(release, version, extent)?);
    }
    Ok(gathered)
}

/// The images of a cluster: all that its version has or what it needs, its own ones, its addons', and what backups need.
/// `file` is the text that it was read from.
#[must_use]
pub fn gather_cluster(
    cluster: &Cluster,
    resolved: &Resolved<'_>,
    extent: Extent,
    file: &Source,
) -> (Gathered, Vec<Problem>) {
    let line = |span: Span| format!("{}:{}", file.name(), file.place(span.start as usize).line);
    let version = cluster.version().map(|version| line(version.span));
    let place = |component: &str| match cluster.system_image(component) {
        Some(image) => Some(line(image.span)),
        None if component == "pod_infra_container" => {
            let infra = cluster.infra_image().map(|image| line(image.span));
            infra.or_else(|| version.clone())
        }
        None => version.clone(),
    };
    let mut gathered = Gathered::default();
    needed(resolved, &mut gathered, &place);
    let source = source(&resolved.version);
    if extent == Extent::All {
        for (component, image) in resolved.raw() {
            add(&mut gathered, &source, component, image, place(component));
        }
    }
    for invalid in resolved.invalid() {
        gathered.remark(
            &source,
            None,
            format!(
                "RKE makes `{}` of what is no image ({}): left out",
                invalid.image,
                invalid.components.join(", ")
            ),
        );
    }
    if let Some(found) = &resolved.found {
        note_choice(&resolved.release, found, &mut gathered);
    }
    let problems = addons(cluster, file, &mut gathered);
    (gathered, problems)
}

fn addons(cluster: &Cluster, file: &Source, gathered: &mut Gathered) -> Vec<Problem> {
    let Some(addons) = cluster.addons() else {
        return Vec::new();
    };
    // As many empty lines before it as there are lines before it in the file: places come out right.
    let above = file.place(addons.span.start as usize).line;
    let text = format!("{}{}", "\n".repeat(above), addons.value);
    let mut manifests = Manifests::new("rke addons");
    manifests.read(file.name(), text.as_bytes(), Origin::File);
    let (found, problems) = manifests.finish();
    gathered.merge(found);
    problems
}

fn needed(resolved: &Resolved<'_>, gathered: &mut Gathered, place: &dyn Fn(&str) -> Option<String>) {
    let source = source(&resolved.version);
    for (component, image) in resolved.needed() {
        add(gathered, &source, component, image, place(component));
    }
    let release = &resolved.release.name;
    match resolved.backup_image() {
        Some(image) => {
            let part = format!("etcd backup of RKE {release}");
            add(gathered, &source, &part, &image, None);
        }
        None => gathered.remark(
            &source,
            place("alpine"),
            format!(
                "`{}` has no tag that RKE could replace: etcd snapshots will fail",
                resolved.image("alpine")
            ),
        ),
    }
    if let Some(image) = resolved.restore_image() {
        let part = format!("etcd restore of RKE {release}");
        add(gathered, &source, &part, &image, None);
    }
}

fn all(version: &str, images: Images<'_>, gathered: &mut Gathered) {
    let source = source(version);
    for (component, image) in images.iter() {
        add(gathered, &source, component, image, None);
    }
}

fn add(gathered: &mut Gathered, source: &str, part: &str, image: &str, place: Option<String>) {
    let why = Why {
        source: source.to_owned(),
        part: part.to_owned(),
        place,
        guess: false,
    };
    // What is no image is remarked on where the cluster is.
    let _ = gathered.add_text(image, why);
}

/// Says which images these are, where releases disagree.
fn note_choice(release: &Release<'_>, found: &Found<'_>, gathered: &mut Gathered) {
    let (name, version) = (&release.name, found.version);
    let range = |(first, last): &(String, String)| match first == last {
        true => first.clone(),
        false => format!("{first} to {last}"),
    };
    let message = match &found.choice {
        Choice::Only => None,
        Choice::Newest { others } => {
            let others: Vec<_> = others.iter().map(range).collect();
            Some(format!(
                "these are the images of RKE {name}; RKE {} has others for this version (--rke)",
                others.join(" and ")
            ))
        }
        Choice::Older { first, last } => Some(format!(
            "these are the images of RKE {}, to which {name} belongs; later releases have others for this version (--rke)",
            range(&(first.clone(), last.clone()))
        )),
    };
    if let Some(message) = message {
        gathered.remark(&source(version), None, message);
    }
    if let Some(instead) = release.instead {
        let message = format!("RKE {name} is not in the table; it is taken to be like {instead}");
        gathered.remark(&source(version), None, message);
    }
}

fn source(version: &str) -> String {
    format!("rke {version}")
}
