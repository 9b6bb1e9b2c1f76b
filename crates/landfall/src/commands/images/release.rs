//! `images k3s`, `images rke2`: what a release needs, from its own lists.

use std::path::Path;

use landfall_images::gathered::{Gathered, Why};
use landfall_images::release::{
    DefaultRegistry, Distribution, Part, Selection, Version, parts, place, without_own_list,
};
use landfall_net::client::TransportOptions;
use landfall_oci::Reference;

use super::{blocking, tell};
use crate::args::{K3s, ReleaseArgs, Rke2};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{connect, fetch, lists};

/// A list is a few kilobytes.
const MAX_BYTES: usize = 16 << 20;

pub(super) async fn k3s(args: K3s) -> Result<Exit, Failure> {
    run(Distribution::K3s, &Selection::default(), args.release).await
}

pub(super) async fn rke2(args: Rke2) -> Result<Exit, Failure> {
    let selection = Selection {
        cni: args.cni,
        with: args.with,
        windows: args.windows,
        architecture: args.arch,
    };
    if !args.release.files.is_empty() && selection != Selection::default() {
        let advice = "with files given, they are what is read; leave out --cni, --with, --windows and --arch";
        return Err(Failure::usage(advice));
    }
    run(Distribution::Rke2, &selection, args.release).await
}

async fn run(distribution: Distribution, selection: &Selection, args: ReleaseArgs) -> Result<Exit, Failure> {
    if args.files.is_empty() && args.versions.is_empty() {
        return Err(Failure::usage(
            "name the release with --version, or give its files",
        ));
    }
    let transport = connect::transport(&args.registry);
    let versions = args.versions.iter().map(|text| version(text, distribution));
    let versions: Vec<_> = versions.collect::<Result<_, _>>()?;
    let companions = !args.no_companions;
    let mut gathered = Gathered::default();
    if args.files.is_empty() {
        for version in versions {
            let release = Release {
                distribution,
                version,
                base: args.release_url.as_deref(),
                transport: &transport,
                companions,
            };
            gathered.merge(release.gather(selection).await?);
        }
    } else {
        if versions.len() > 1 {
            return Err(Failure::usage("files are of one release: give one --version"));
        }
        let version = versions.into_iter().next();
        gathered = from_files(distribution, version, &args.files, companions, &transport).await?;
    }
    if let Some(registry) = &args.system_default_registry {
        gathered = renamed(&gathered, registry);
    }
    let list = args.list;
    blocking(move || tell(gathered, &list)).await
}

fn version(text: &str, distribution: Distribution) -> Result<Version, Failure> {
    Version::parse(text, distribution).map_err(|error| Failure::usage(error.to_string()))
}

/// What one release needs, as `compile` asks for it.
pub(super) async fn gather(
    distribution: Distribution,
    text: &str,
    base: Option<&str>,
    transport: &TransportOptions,
) -> Result<Gathered, Failure> {
    let release = Release {
        distribution,
        version: version(text, distribution)?,
        base,
        transport,
        companions: true,
    };
    release.gather(&Selection::default()).await
}

/// A release, and where its files lie.
struct Release<'a> {
    distribution: Distribution,
    version: Version,
    base: Option<&'a str>,
    transport: &'a TransportOptions,
    companions: bool,
}

impl Release<'_> {
    async fn gather(&self, selection: &Selection) -> Result<Gathered, Failure> {
        let mut gathered = Gathered::default();
        let source = self.source();
        match self.distribution {
            Distribution::K3s => {
                let Some(bytes) = self.file("k3s-images.txt").await? else {
                    return Err(self.absent("k3s-images.txt"));
                };
                add(&mut gathered, &bytes, &source, "", "k3s-images.txt")?;
            }
            Distribution::Rke2 => {
                for part in parts(selection) {
                    self.part(&part, &mut gathered).await?;
                }
                windows_plugin(selection, &source, &mut gathered);
            }
        }
        if self.companions {
            companions(self.distribution, &self.version, &mut gathered);
        }
        Ok(gathered)
    }

    fn source(&self) -> String {
        format!("{} {}", self.distribution, self.version)
    }

    fn place(&self, file: &str) -> String {
        place(
            self.base,
            self.distribution.project(),
            self.version.as_str(),
            file,
        )
    }

    async fn file(&self, file: &str) -> Result<Option<Vec<u8>>, Failure> {
        fetch::bytes_if_there(&self.place(file), MAX_BYTES, self.transport).await
    }

    fn absent(&self, file: &str) -> Failure {
        let message = format!(
            "{} is not there: is {} a release of {}? (--release-url names another place of its files)",
            self.place(file),
            self.version,
            self.distribution
        );
        Failure::usage(message)
    }

    /// Reads one part of a release, from its own file or from one that holds it, too; which one is said.
    async fn part(&self, part: &Part, gathered: &mut Gathered) -> Result<(), Failure> {
        let source = self.source();
        if let Some(bytes) = self.file(&part.file).await? {
            return add(gathered, &bytes, &source, &part.name, &part.file);
        }
        if without_own_list(&part.name, gathered.iter().map(|(name, _)| name)) {
            let message = format!(
                "{} has no list of its own in this release: it is among what was read",
                part.name
            );
            gathered.remark(&source, None, message);
            return Ok(());
        }
        for other in &part.others {
            if let Some(bytes) = self.file(other).await? {
                let message = format!(
                    "{} is not among this release's files; {other} was read, which holds {} and more",
                    part.file, part.name
                );
                gathered.remark(&source, None, message);
                return add(gathered, &bytes, &source, &part.name, other);
            }
        }
        Err(self.absent(&part.file))
    }
}

/// Windows nodes of RKE2 work with two network plugins.
fn windows_plugin(selection: &Selection, source: &str, gathered: &mut Gathered) {
    let works = |cni: &String| matches!(cni.as_str(), "calico" | "flannel" | "none" | "multus");
    if selection.windows
        && let Some(cni) = selection.cni.iter().find(|cni| !works(cni))
    {
        let message =
            format!("Windows nodes of RKE2 need calico or flannel; with {cni} they do not join the network");
        gathered.remark(source, None, message);
    }
}

async fn from_files(
    distribution: Distribution,
    version: Option<Version>,
    files: &[String],
    with_companions: bool,
    transport: &TransportOptions,
) -> Result<Gathered, Failure> {
    let mut read = Vec::new();
    for file in files {
        read.push((file, fetch::bytes(file, MAX_BYTES, transport).await?));
    }
    // The lists of RKE2 name their release themselves.
    let version = version.or_else(|| read.iter().find_map(|(_, bytes)| version_of(distribution, bytes)));
    let source = match &version {
        Some(version) => format!("{distribution} {version}"),
        None => distribution.to_string(),
    };
    let mut gathered = Gathered::default();
    for (file, bytes) in &read {
        add(&mut gathered, bytes, &source, "", file)?;
    }
    match version {
        Some(version) if with_companions => companions(distribution, &version, &mut gathered),
        None if with_companions => {
            let message = "which release is this? With --version, the images that Rancher needs besides are added; --no-companions says that they are not wanted";
            gathered.remark(&source, None, message);
        }
        _ => {}
    }
    Ok(gathered)
}

fn version_of(distribution: Distribution, bytes: &[u8]) -> Option<Version> {
    let list = landfall_images::List::parse_bytes(bytes).ok()?;
    let runtime = list
        .entries
        .iter()
        .find(|entry| entry.reference.repository().as_str().ends_with("/rke2-runtime"))?;
    let tag = runtime.reference.tag()?.as_str();
    let tag = tag.strip_suffix("-windows-amd64").unwrap_or(tag);
    Version::parse(tag, distribution).ok()
}

/// Adds a list; a line that is no image, or no image at all, is an error.
pub(super) fn add(
    gathered: &mut Gathered,
    bytes: &[u8],
    source: &str,
    part: &str,
    place: &str,
) -> Result<(), Failure> {
    let list = lists::parse(bytes, Path::new(place))?;
    lists::refuse_errors(&list, Path::new(place))?;
    if list.entries.is_empty() {
        return Err(Failure::usage(format!("{place}: no image in it")));
    }
    gathered.add_list(&list, source, part, place);
    Ok(())
}

/// Adds the images that Rancher needs for this release, written as the others are: with `docker.io/` or without.
fn companions(distribution: Distribution, version: &Version, gathered: &mut Gathered) {
    let host = match gathered.iter().all(|(name, _)| name.starts_with("docker.io/")) {
        true => "docker.io/",
        false => "",
    };
    for (name, why) in distribution.companions(version) {
        let why = Why {
            source: format!("{distribution} {version}"),
            part: format!("for Rancher: {why}"),
            place: None,
            guess: false,
        };
        // The version was looked at, so the name is one.
        let _ = gathered.add_text(&format!("{host}{name}"), why);
    }
}

/// The same images under the names that nodes with this setting ask for.
fn renamed(gathered: &Gathered, registry: &DefaultRegistry) -> Gathered {
    let mut renamed = Gathered::default();
    renamed.remarks.clone_from(&gathered.remarks);
    for (_, wanted) in gathered.iter() {
        let name = registry.apply(&wanted.reference);
        let Ok(reference) = Reference::parse(&name) else {
            continue;
        };
        for why in &wanted.why {
            renamed.add(&name, reference.clone(), why.clone());
        }
    }
    if registry.is_ambiguous() {
        let message = format!(
            "`{registry}` has neither dot nor port before its path: RKE2 takes it for a host, everything else that reads these names takes it for a path of Docker Hub"
        );
        renamed.remark("system-default-registry", None, message);
    }
    renamed
}
