//! The configuration as it lies on a node, and the same read once.

use std::collections::BTreeMap;

use super::choose::{self, Choice, Source};
use super::credentials::Credential;
use super::endpoint::{Endpoint, Fault, Load};
use super::files::FileState;
use super::legacy::{self, Compiled, Legacy};
use super::log::LogLine;
use super::place::Place;
use super::release::{Behaviour, Release};
use super::rewrite::Patterns;
use crate::hosts::CertsD;

/// Whose containerd it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Plain containerd.
    #[default]
    Upstream,
    /// K3s' and RKE2's fork: rewrites, and no upstream in a file that has hosts and no `server`.
    K3s,
}

/// All that decides where containerd's CRI pulls from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whose containerd.
    pub flavour: Flavour,
    /// Which release of it.
    pub behaviour: Behaviour,
    /// The roots of `config_path`. With none, [`Self::legacy`] holds, even when there is nothing in it.
    pub roots: Vec<CertsD>,
    /// `registry.mirrors` and `registry.configs.*.tls`.
    pub legacy: Legacy,
    /// `registry.configs.*.auth`.
    pub credentials: Vec<Credential>,
    /// A credential of `docker.io` counts for registry-1.docker.io (K3s v1.31.11, v1.32.7, v1.33.3 and later).
    pub docker_io_alias: bool,
    /// What is known of files.
    pub files: BTreeMap<String, FileState>,
    /// Directory names have no colons.
    pub windows: bool,
    /// The token's scope has the repository before it is rewritten (K3s before v1.30.7).
    pub original_scope: bool,
}

impl Setup {
    /// An empty configuration of the newest release.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            behaviour: Release::V2_4.behaviour(),
            roots: Vec::new(),
            legacy: Legacy::default(),
            credentials: Vec::new(),
            docker_io_alias: false,
            files: BTreeMap::new(),
            windows: false,
            original_scope: false,
        }
    }
}

/// A configuration, read.
#[derive(Debug)]
pub struct Containerd {
    pub(super) setup: Setup,
    /// By root and name of directory.
    places: BTreeMap<(usize, String), Place>,
    nowhere: Place,
    implied: Place,
    legacy: Compiled,
    refusal: Option<Fault>,
}

/// The hosts of one registry.
pub(super) struct Hosts {
    pub(super) choice: Choice,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) log: Vec<LogLine>,
    pub(super) fault: Option<Fault>,
}

impl Containerd {
    /// Reads a configuration once: files are decoded and patterns compiled here.
    #[must_use]
    pub fn new(mut setup: Setup) -> Self {
        let mut places = BTreeMap::new();
        for root in &setup.roots {
            setup
                .files
                .entry(root.path.clone())
                .or_insert(FileState::Directory);
            for name in root.dirs.keys() {
                let path = choose::path_of(root, name);
                setup.files.entry(path).or_insert(FileState::Directory);
            }
        }
        let mut load = Load {
            flavour: setup.flavour,
            behaviour: setup.behaviour,
            files: &setup.files,
            patterns: Patterns::default(),
        };
        for (index, root) in setup.roots.iter().enumerate() {
            for (name, dir) in &root.dirs {
                let base = choose::path_of(root, name);
                let place = Place::load(dir, &base, &mut load);
                places.insert((index, name.clone()), place);
            }
        }
        Self {
            legacy: Compiled::new(&setup),
            refusal: legacy::refusal(&setup),
            setup,
            places,
            nowhere: Place::bare(Source::NoDirectory),
            implied: Place::bare(Source::NoHostsToml),
        }
    }

    /// What it was read from.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Why the CRI plugin does not load with this configuration, so that the node pulls and runs nothing.
    #[must_use]
    pub fn refusal(&self) -> Option<LogLine> {
        let fault = self.refusal.as_ref()?;
        Some(LogLine::new(fault.text.clone(), fault.span))
    }

    /// The hosts of a registry, in order.
    pub(super) fn hosts(&self, registry: &str) -> Hosts {
        let mut hosts = match self.setup.roots.is_empty() {
            true => legacy::hosts(&self.setup, &self.legacy, registry),
            false => self.hosts_of_directory(registry),
        };
        hosts.fault = self.refusal.clone().or(hosts.fault);
        hosts
    }

    fn hosts_of_directory(&self, registry: &str) -> Hosts {
        let (candidates, taken) = choose::choose(&self.setup.roots, registry, self.setup.windows);
        let place = match taken {
            None => &self.nowhere,
            Some(key) => self.places.get(&key).unwrap_or(&self.implied),
        };
        let behaviour = self.setup.behaviour;
        let mut endpoints = place.endpoints.clone();
        if let Some(last) = endpoints.last_mut() {
            last.for_registry(registry, behaviour);
        }
        let fault = endpoints.iter().find_map(|endpoint| endpoint.fault.clone());
        let mut log = place.log.clone();
        if fault.is_none() {
            log.extend(
                endpoints
                    .iter_mut()
                    .filter_map(|endpoint| endpoint.settle_scheme(behaviour)),
            );
        }
        Hosts {
            choice: Choice {
                registry: registry.to_owned(),
                candidates,
                source: place.source,
            },
            endpoints,
            log,
            fault,
        }
    }
}
