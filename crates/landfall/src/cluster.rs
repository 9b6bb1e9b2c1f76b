//! `--cluster FILE`: a cluster.yml of RKE as the source of credentials and of the target, and what is wrong with it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use landfall_auth::{EcrKeys, Keyring};
use landfall_diag::render::{Style, render_text};
use landfall_diag::{Diagnostic, Severity, Source, SourceId, Sources};
use landfall_images::Destination;
use landfall_images::rke::{Cluster, Resolved, Table};
use landfall_oci::Registry;

use crate::args::RegistryArgs;
use crate::failure::Failure;
use crate::out;

/// More than this is no cluster.yml.
const MAX_CLUSTER: u64 = 16 * 1024 * 1024;

/// A cluster.yml that was read.
#[derive(Debug)]
pub(crate) struct ClusterFile {
    pub(crate) cluster: Cluster,
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl ClusterFile {
    /// Reads one. Blocking; ends where RKE would not take the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_CLUSTER).read_to_end(&mut bytes));
        read.map_err(|error| Failure::local("read", path, &error))?;
        if bytes.len() as u64 == MAX_CLUSTER {
            return Err(Failure::usage(format!(
                "{} is too large for a cluster.yml",
                path.display()
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Failure::usage(format!(
                "{}:{line}: not text; cluster.yml is YAML in UTF-8",
                path.display()
            ))
        })?;
        let reading = Cluster::read(SourceId(0), &text);
        let mut sources = Sources::default();
        sources.add(Source::new(path.display().to_string(), text));
        match reading.cluster {
            Some(cluster) => Ok(Self {
                cluster,
                sources,
                diagnostics: reading.diagnostics,
            }),
            None => {
                let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
                let errors: Vec<_> = reading.diagnostics.iter().filter(is_error).cloned().collect();
                let shown = render_text(&sources, &errors, Style::default());
                Err(Failure::usage(format!("rke refuses {}\n{shown}", path.display())))
            }
        }
    }

    /// The file that `--cluster` names, if it does, with everything odd about its registries told.
    pub(crate) fn given(args: &RegistryArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.cluster else {
            return Ok(None);
        };
        let mut file = Self::read(path)?;
        let version = file.cluster.version().map(|version| version.value.clone());
        if let Ok(release) = Table::embedded().release_for(version.as_deref()) {
            let lint = file.cluster.lint(&Resolved::anyway(&file.cluster, &release));
            file.diagnostics.extend(lint);
        }
        file.tell();
        Ok(Some(file))
    }

    /// The diagnostics, on standard error.
    pub(crate) fn tell(&self) {
        if !self.diagnostics.is_empty() {
            let shown = render_text(&self.sources, &self.diagnostics, Style::default());
            out::progress(shown.trim_end());
        }
    }

    /// The text and its name.
    pub(crate) fn source(&self) -> Option<&Source> {
        self.sources.get(SourceId(0))
    }

    /// A keyring that knows this cluster's registries: before the files of this machine, behind what was typed.
    pub(crate) fn unlock(&self, keyring: Keyring) -> Result<Keyring, Failure> {
        let name = self.source().map_or("cluster.yml", Source::name);
        let mut keyring = match self.cluster.docker_config() {
            Some(config) => keyring
                .with_docker_config(name, config.expose().as_bytes())
                .map_err(|error| Failure::usage(error.to_string()))?,
            None => keyring,
        };
        for keys in self.cluster.ecr_keys() {
            let Ok(registry) = keys.host().parse::<Registry>() else {
                continue;
            };
            let given = keys.access_key.map(|(id, secret)| EcrKeys {
                id,
                secret,
                session: keys.session_token,
            });
            keyring = keyring.with_ecr(registry, given);
        }
        Ok(keyring)
    }

    /// Its default registry, where images are pushed to when nothing else is said.
    pub(crate) fn target(&self) -> Result<Destination, Failure> {
        let name = self.source().map_or("cluster.yml", Source::name);
        let Some(prefix) = self.cluster.prefix() else {
            return Err(Failure::usage(format!(
                "{name} has no private registry with `is_default: true` and a url; say with -r where the images go"
            )));
        };
        prefix
            .parse()
            .map_err(|error| Failure::usage(format!("{name}: the default registry `{prefix}`: {error}")))
    }
}
