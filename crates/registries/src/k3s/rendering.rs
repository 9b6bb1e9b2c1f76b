//! All that K3s writes for containerd about registries.

use super::config_toml;
use super::early;
use super::hosts::{HostConfigs, Warning, host_configs, with_embedded};
use super::options::Options;
use super::render::hosts_toml;
use super::text::Rendered;
use super::version::Generation;
use crate::go::{net, path};
use crate::registries_yaml::RegistriesYaml;

/// One hosts.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsFile {
    /// Its path on the node.
    pub path: String,
    /// The directory below certs.d; `None` for a key that leads out of it or to itself, where containerd never looks.
    pub directory: Option<String>,
    /// What is in it.
    pub rendered: Rendered,
}

/// What is written.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The hosts.toml files, by path.
    pub hosts: Vec<HostsFile>,
    /// The registry sections of config.toml.
    pub config_toml: Rendered,
    /// What K3s logs while doing so.
    pub warnings: Vec<Warning>,
    /// Why it does not come to an end: the agent does not start.
    pub error: Option<String>,
}

impl Rendering {
    /// Renders a file.
    #[must_use]
    pub fn new(file: &RegistriesYaml, options: &Options) -> Self {
        // The oldest generation knows no embedded registry.
        match options.behaviours.generation {
            Generation::ConfigToml => Self::of(file, options),
            _ => Self::of(&with_embedded(file, options), options),
        }
    }

    fn of(file: &RegistriesYaml, options: &Options) -> Self {
        let mut rendering = Self {
            hosts: Vec::new(),
            config_toml: Rendered::default(),
            warnings: Vec::new(),
            error: None,
        };
        let log = &mut rendering.warnings;
        let configs = match options.behaviours.generation {
            Generation::ConfigToml => HostConfigs::new(),
            Generation::FirstHosts => early::host_configs(file, options, log),
            Generation::NoHostTable | Generation::Hosts => host_configs(file, options, log),
        };
        let root = options.certs_d();
        for (name, config) in &configs {
            match hosts_toml(config, options.program, options.behaviours.generation) {
                Ok(rendered) => rendering.put(hosts_file(&root, name, options.windows, rendered)),
                Err(error) => rendering.error = Some(error),
            }
        }
        match config_toml::render(file, options) {
            Ok(rendered) => rendering.config_toml = rendered,
            Err(error) => rendering.error = Some(error),
        }
        rendering
    }

    /// Of two keys that lead to one directory one wins, by chance.
    fn put(&mut self, file: HostsFile) {
        self.hosts.retain(|other| other.path != file.path);
        self.hosts.push(file);
    }
}

fn hosts_file(root: &str, name: &str, windows: bool, rendered: Rendered) -> HostsFile {
    let name = match net::split_host_port(name) {
        Some((host, port)) if windows && !port.is_empty() => format!("{host}_{port}_"),
        _ => name.to_owned(),
    };
    let directory = path::join(&[root, &name]);
    HostsFile {
        path: path::join(&[&directory, "hosts.toml"]),
        directory: directory
            .strip_prefix(root)
            .and_then(|below| below.strip_prefix('/'))
            .map(str::to_owned),
        rendered,
    }
}
