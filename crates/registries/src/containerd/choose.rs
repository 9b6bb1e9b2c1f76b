//! Which directory containerd reads for a registry: the first that exists, and never a second one.

use landfall_diag::SourceId;

use crate::go::path;
use crate::hosts::CertsD;

/// How the hosts of a registry were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The registry of the image.
    pub registry: String,
    /// The directories in the order in which containerd looks for them.
    pub candidates: Vec<Candidate>,
    /// What the hosts were read from.
    pub source: Source,
}

/// A directory that containerd looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The root it is in.
    pub root: String,
    /// Its name below the root.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// It exists only because this directory is below it.
    pub implied_by: Option<String>,
}

/// What came of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is none.
    Absent,
    /// The first that exists.
    Taken,
    /// It exists, and is not read, because another came first.
    Shadowed,
}

/// What the hosts of a registry come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A hosts.toml.
    HostsToml(SourceId),
    /// A hosts.toml of no bytes: certificates in the directory, and the registry itself.
    EmptyHostsToml(SourceId),
    /// A hosts.toml that cannot be decoded: certificates in the directory, and the registry itself.
    BrokenHostsToml(SourceId),
    /// A directory without hosts.toml: certificates in it, and the registry itself.
    NoHostsToml,
    /// No directory: the registry itself.
    NoDirectory,
    /// `registry.mirrors` of config.toml, by the registry's name.
    Mirror,
    /// `registry.mirrors` of config.toml, by `*`.
    WildcardMirror,
    /// No entry of `registry.mirrors`: the registry itself.
    NoMirror,
}

/// Looks for a registry's directory. Returns the index of the root and the name below it.
pub(super) fn choose(
    roots: &[CertsD],
    registry: &str,
    windows: bool,
) -> (Vec<Candidate>, Option<(usize, String)>) {
    let mut candidates = Vec::new();
    let mut taken = None;
    for (index, root) in roots.iter().enumerate() {
        for name in names(registry, windows) {
            let implied_by = match root.dirs.contains_key(&name) {
                true => None,
                false => root.implied(&name).map(str::to_owned),
            };
            let exists = implied_by.is_some() || root.dirs.contains_key(&name);
            let outcome = match (exists, &taken) {
                (false, _) => Outcome::Absent,
                (true, Some(_)) => Outcome::Shadowed,
                (true, None) => {
                    taken = Some((index, name.clone()));
                    Outcome::Taken
                }
            };
            candidates.push(Candidate {
                root: root.path.clone(),
                name,
                outcome,
                implied_by,
            });
        }
    }
    (candidates, taken)
}

/// `host_port_`, `host:port`, `_default`; Windows has no colons in names.
pub(super) fn names(registry: &str, windows: bool) -> Vec<String> {
    let without = |name: String| if windows { name.replace(':', "") } else { name };
    let mut names = Vec::with_capacity(3);
    if let Some((host, port)) = registry.rsplit_once(':').filter(|(host, _)| !host.is_empty()) {
        names.push(without(format!("{host}_{port}_")));
    }
    names.push(without(registry.to_owned()));
    names.push("_default".to_owned());
    names
}

/// The path of a directory below a root.
pub(super) fn path_of(root: &CertsD, name: &str) -> String {
    path::join(&[&root.path, name])
}
