//! One configuration of a node, whatever it was written in: explained by the program that reads it, or taken as an
//! intent.

use std::collections::BTreeMap;
use std::path::Path;

use landfall_diag::yaml::YamlError;
use landfall_diag::{Diagnostic, Severity, Source, Sources, Span};
use landfall_oci::Reference;
use landfall_registries::containerd::{
    self, Behaviour, ConfigToml, Containerd, Explanation, Flavour, Release, Setup,
};
use landfall_registries::hosts::{CertsD, HostDir, HostsFile};
use landfall_registries::intent::{Intent, from_registries_yaml};
use landfall_registries::registries_yaml::{self, Reading, RegistriesYaml};
use landfall_registries::runtimes::{self, Import, OutFile};
use landfall_registries::{Loss, k3s, wharfie};

use super::gather::Gathered;
use crate::args::{Format, NodeArgs, Program};
use crate::exit::Exit;
use crate::failure::Failure;

/// A configuration that can say what is tried for an image.
pub(super) enum Configuration {
    /// registries.yaml, as K3s or RKE2 render it and wharfie reads it.
    Rancher {
        file: Box<RegistriesYaml>,
        node: Box<k3s::Node>,
    },
    /// containerd's own files.
    Containerd(Box<Containerd>),
}

/// A configuration and the texts that its places are in.
pub(super) struct Configured {
    pub(super) sources: Sources,
    pub(super) configuration: Configuration,
}

impl Configured {
    /// Reads what a node of K3s, RKE2 or containerd reads.
    pub(super) fn read(
        paths: &[std::path::PathBuf],
        format: Option<Format>,
        node: &NodeArgs,
    ) -> Result<Self, Failure> {
        let gathered = Gathered::read(paths, format)?;
        let configuration = match gathered.format {
            Format::RegistriesYaml => {
                let (sources, reading) = rancher(&gathered)?;
                let file = registries(&reading, &sources)?;
                return Ok(Self {
                    configuration: Configuration::Rancher {
                        node: Box::new(k3s::Node::new(&file, k3s_options(node)?)),
                        file: Box::new(file),
                    },
                    sources,
                });
            }
            Format::HostsToml => {
                let mut setup = Setup::new(flavour(node));
                setup.behaviour = behaviour(node)?;
                setup.windows = node.windows;
                setup.roots.push(certs_d(&gathered));
                Configuration::Containerd(Box::new(Containerd::new(setup)))
            }
            Format::ContainerdConfig => return config_toml(gathered, node),
            other => {
                return Err(Failure::usage(format!(
                    "{other:?}: attempts are told for K3s, RKE2 and containerd; render it for one of them first \
                     (`registries render FILE --for containerd`)"
                )));
            }
        };
        Ok(Self {
            sources: gathered.sources,
            configuration,
        })
    }

    /// Every host that is asked for an image, in order.
    pub(super) fn explain(&self, image: &Reference) -> Explanation {
        match &self.configuration {
            Configuration::Rancher { node, .. } => node.explain(image),
            Configuration::Containerd(containerd) => containerd.explain(image),
        }
    }

    /// The other program that reads this configuration.
    pub(super) fn wharfie(&self) -> Option<wharfie::Wharfie<'_>> {
        match &self.configuration {
            Configuration::Rancher { file, .. } => Some(wharfie::Wharfie::new(file)),
            Configuration::Containerd(_) => None,
        }
    }

    /// The containerd that pulls in the end.
    pub(super) fn containerd(&self) -> &Containerd {
        match &self.configuration {
            Configuration::Rancher { node, .. } => node.containerd(),
            Configuration::Containerd(containerd) => containerd,
        }
    }

    /// `file:line:column` in what the user wrote.
    pub(super) fn shown(&self, span: Span) -> Option<String> {
        let span = match &self.configuration {
            Configuration::Rancher { node, .. } => node.place(span)?,
            Configuration::Containerd(_) => span,
        };
        Some(self.sources.shown(span)).filter(|shown| !shown.is_empty())
    }
}

/// What a configuration wants, whatever it was written in.
pub(crate) struct Wanted {
    pub(crate) sources: Sources,
    pub(crate) intent: Intent,
    pub(crate) losses: Vec<Loss>,
    /// Certificates that stood inline.
    pub(crate) extracted: Vec<OutFile>,
}

/// Reads a configuration as an intent; ends where its own program would not take it.
pub(super) fn wanted(gathered: Gathered, node: &NodeArgs, deny_upstream: bool) -> Result<Wanted, Failure> {
    let (sources, import) = import(gathered, node, deny_upstream)?;
    let errors: Vec<Diagnostic> = import
        .diagnostics
        .into_iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    if !errors.is_empty() {
        let style = landfall_diag::render::Style::default();
        return Err(Failure::usage(landfall_diag::render::render_text(
            &sources, &errors, style,
        )));
    }
    Ok(Wanted {
        sources,
        intent: import.intent,
        losses: import.losses,
        extracted: import.extracted,
    })
}

pub(super) fn import(
    gathered: Gathered,
    node: &NodeArgs,
    deny_upstream: bool,
) -> Result<(Sources, Import), Failure> {
    let deny = deny_upstream || node.disable_default_registry_endpoint;
    let import = match gathered.format {
        Format::RegistriesYaml => {
            let (sources, reading) = rancher(&gathered)?;
            let (intent, losses) = from_registries_yaml(&registries(&reading, &sources)?, deny);
            let import = Import {
                intent,
                losses,
                ..Import::default()
            };
            return Ok((sources, import));
        }
        Format::HostsToml => {
            let dialect = behaviour(node)?.dialect(flavour(node) == Flavour::K3s);
            runtimes::containerd::read(&certs_d(&gathered), dialect)
        }
        Format::ContainerdConfig => {
            return Err(Failure::usage(
                "a config.toml leads to a certs.d: name that folder, and the credentials are read by `explain`",
            ));
        }
        Format::RegistriesConf => runtimes::podman::read(&gathered.in_files()),
        Format::DaemonJson => runtimes::docker::read(&gathered.in_files()),
        Format::Talos => {
            gathered.only()?;
            runtimes::talos::read(&gathered.in_files()[0])
        }
        Format::ClusterYml => {
            gathered.only()?;
            runtimes::rke::read(&gathered.in_files()[0])
        }
    };
    Ok((gathered.sources, import))
}

/// Reads registries.yaml: the text that its places are in is the one that the reader made of the bytes.
pub(super) fn rancher(gathered: &Gathered) -> Result<(Sources, Reading), Failure> {
    let found = gathered.only()?;
    let mut sources = Sources::default();
    let (text, reading) = registries_yaml::read_bytes(found.source, &found.bytes);
    sources.add(Source::new(found.path.clone(), text));
    Ok((sources, reading))
}

/// What the node decodes; or its words of refusal, with their place.
pub(super) fn registries(reading: &Reading, sources: &Sources) -> Result<RegistriesYaml, Failure> {
    reading.registries.clone().map_err(|error: YamlError| {
        let place = sources.shown(error.span);
        Failure::new(
            Exit::Partial,
            format!(
                "{place}: {}\nwith this file no node starts; `landfall registries check` says more",
                error.message
            ),
        )
    })
}

/// A certs.d folder, or the one that a single hosts.toml lies in.
fn certs_d(gathered: &Gathered) -> CertsD {
    let is_single =
        matches!(gathered.files.as_slice(), [only] if Path::new(&only.path).parent() == Some(&gathered.root));
    let root = match is_single {
        true => gathered.root.parent().map(Path::to_owned).unwrap_or_default(),
        false => gathered.root.clone(),
    };
    let mut tree = CertsD::new(root.display().to_string());
    for found in &gathered.files {
        let path = Path::new(&found.path);
        let below = path.strip_prefix(&root).unwrap_or(path);
        let (Some(dir), Some(name)) = (below.parent(), below.file_name()) else {
            continue;
        };
        let dir = tree.dirs.entry(dir.display().to_string()).or_default();
        put(dir, &name.to_string_lossy(), found);
    }
    tree
}

fn put(dir: &mut HostDir, name: &str, found: &super::gather::Found) {
    if name == "hosts.toml" {
        dir.hosts_toml = Some(HostsFile {
            source: found.source,
            text: found.text.clone(),
        });
    } else {
        dir.files.push(name.to_owned());
    }
}

/// containerd's config.toml and the folders that it names.
fn config_toml(gathered: Gathered, node: &NodeArgs) -> Result<Configured, Failure> {
    let found = gathered.only()?;
    let config = ConfigToml::parse(found.source, &found.text)
        .map_err(|error| Failure::new(Exit::Partial, format!("{}: {error}", found.path)))?;
    let release = release(node)?;
    let mut setup = Setup::new(flavour(node));
    config.apply(&mut setup, release.behaviour());
    let mut sources = gathered.sources;
    for root in config.roots(release) {
        let path = Path::new(&root);
        let tree = match path.is_dir() {
            true => {
                let mut inner = Gathered::read(&[path.to_owned()], Some(Format::HostsToml))?;
                for found in &mut inner.files {
                    found.source = sources.add(Source::new(found.path.clone(), found.text.clone()));
                }
                certs_d(&inner)
            }
            false => CertsD::new(root),
        };
        setup.roots.push(tree);
    }
    Ok(Configured {
        sources,
        configuration: Configuration::Containerd(Box::new(Containerd::new(setup))),
    })
}

fn flavour(node: &NodeArgs) -> Flavour {
    match node.program {
        Program::Containerd => Flavour::Upstream,
        // Without a version a folder of hosts.toml is read as containerd's own project reads it.
        Program::K3s | Program::Rke2 if node.k3s_version.is_none() && node.program == Program::K3s => {
            Flavour::Upstream
        }
        Program::K3s | Program::Rke2 => Flavour::K3s,
    }
}

fn behaviour(node: &NodeArgs) -> Result<Behaviour, Failure> {
    Ok(release(node)?.behaviour())
}

/// The release of containerd: as typed, or the one that the version of K3s brings.
pub(super) fn release(node: &NodeArgs) -> Result<Release, Failure> {
    if let Some(text) = &node.containerd_version {
        return text
            .parse()
            .map_err(|error: containerd::ReleaseError| Failure::usage(error.to_string()));
    }
    Ok(k3s_options(node)?.behaviours.containerd)
}

/// Which containerd a certs.d is written for.
pub(super) fn rendered_release(node: &NodeArgs) -> Result<runtimes::containerd::Release, Failure> {
    Ok(runtimes::containerd::Release {
        two: release(node)? >= Release::V2_0,
        fork: flavour(node) == Flavour::K3s,
    })
}

/// With what K3s or RKE2 is started.
pub(super) fn k3s_options(node: &NodeArgs) -> Result<k3s::Options, Failure> {
    let mut options = k3s::Options::new(match node.program {
        Program::Rke2 => k3s::Program::Rke2,
        _ => k3s::Program::K3s,
    });
    if let Some(text) = &node.k3s_version {
        let version: k3s::Version = text
            .parse()
            .map_err(|error: k3s::VersionError| Failure::usage(error.to_string()))?;
        options.behaviours = k3s::Behaviours::of(version);
    }
    options.disable_default_endpoint = node.disable_default_registry_endpoint;
    options.embedded_registry = node.embedded_registry.clone();
    options.windows = node.windows;
    Ok(options)
}

/// Contents of certificates and keys that an intent names, for formats that hold them inline. What cannot be read is
/// left out: the writer says so.
pub(super) fn contents(intent: &Intent) -> BTreeMap<String, String> {
    let mut paths: Vec<&str> = Vec::new();
    for trust in &intent.trust {
        paths.extend(trust.tls.ca.iter().map(|path| path.value.as_str()));
        for (certificate, key) in &trust.tls.client {
            paths.extend([certificate.value.as_str(), key.value.as_str()]);
        }
    }
    let read = |path: &str| Some((path.to_owned(), std::fs::read_to_string(path).ok()?));
    paths.into_iter().filter_map(read).collect()
}
