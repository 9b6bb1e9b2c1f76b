//! One registries.yaml, with what is known of the node that reads it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use landfall_diag::{Diagnostic, Severity, Source, SourceId, Sources};
use landfall_registries::k3s::Options;
use landfall_registries::lint::{self, Files, Input, NoFiles, OnNode, Template};
use landfall_registries::registries_yaml::{self, Reading};

use super::super::configuration::k3s_options;
use super::super::gather::Found;
use super::on_disk::OnDisk;
use super::{Examined, Mended, is_stdin};
use crate::args::Check;
use crate::failure::Failure;

/// The file to look at: once as it is, and again for every change to it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    options: Options,
    on_disk: Option<OnDisk>,
    mode: Option<u32>,
    changed: Option<SystemTime>,
    started: Option<SystemTime>,
    templates: Vec<Template>,
}

/// A text of the file, and what is wrong with it.
pub(super) struct Looked {
    pub(super) text: String,
    /// Without passwords.
    pub(super) shown: String,
    pub(super) is_readable: bool,
    pub(super) findings: Vec<Diagnostic>,
}

impl Looked {
    /// Grows with what is wrong: unreadable, errors, warnings.
    pub(super) fn badness(&self) -> (bool, usize, usize) {
        let count = |severity| {
            self.findings
                .iter()
                .filter(|found| found.severity == severity)
                .count()
        };
        (
            !self.is_readable,
            count(Severity::Error),
            count(Severity::Warning),
        )
    }
}

impl Subject {
    pub(super) fn new(path: &Path, found: &Found, args: &Check) -> Result<Self, Failure> {
        let options = k3s_options(&args.node)?;
        let on_disk = (!args.no_files).then(|| OnDisk::below(args.files_root.as_deref()));
        let metadata = fs::metadata(path).ok().filter(|_| !is_stdin(path));
        let name = match is_stdin(path) {
            true => "<stdin>".to_owned(),
            false => found.path.clone(),
        };
        // It is written at every start, and only then.
        let rendered = on_disk.as_ref().map(|disk| disk.place(&options.config_toml()));
        let own = format!("/etc/rancher/{}/registries.yaml", options.program.as_str());
        let is_own = on_disk.as_ref().is_some_and(|disk| disk.place(&own) == path);
        let started = rendered
            .filter(|_| is_own)
            .and_then(|path| fs::metadata(path).ok()?.modified().ok());
        Ok(Self {
            name,
            bytes: found.bytes.clone(),
            templates: on_disk
                .as_ref()
                .map_or_else(Vec::new, |disk| templates(disk, &options)),
            mode: metadata.as_ref().map(mode),
            changed: metadata.and_then(|metadata| metadata.modified().ok()),
            started,
            options,
            on_disk,
        })
    }

    /// What is wrong with a text of this file.
    pub(super) fn look(&self, bytes: &[u8]) -> Looked {
        let source = SourceId(0);
        let (text, reading) = registries_yaml::read_bytes(source, bytes);
        let files: &dyn Files = match &self.on_disk {
            Some(disk) => disk,
            None => &NoFiles,
        };
        let node = OnNode {
            files,
            now: Some(SystemTime::now()),
            mode: self.mode,
            changed: self.changed,
            started: self.started,
            templates: self.templates.clone(),
        };
        let findings = lint::check(&Input {
            source,
            text: &text,
            reading: &reading,
            options: &self.options,
            node: &node,
        });
        Looked {
            shown: lint::redacted(&text, &reading),
            is_readable: is_readable(&reading),
            findings,
            text,
        }
    }

    pub(super) fn examined(&self, looked: Looked, mended: Option<Mended>) -> Examined {
        let mut sources = Sources::default();
        sources.add(Source::new(self.name.clone(), looked.shown));
        Examined {
            name: self.name.clone(),
            sources,
            findings: looked.findings,
            mended,
        }
    }
}

fn is_readable(reading: &Reading) -> bool {
    reading.registries.is_ok()
}

fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode()
}

/// The user's templates of config.toml.
fn templates(disk: &OnDisk, options: &Options) -> Vec<Template> {
    let rendered = options.config_toml();
    let directory = rendered.strip_suffix("config.toml").unwrap_or_default();
    let read = |name: &str| {
        let path = format!("{directory}{name}");
        let text = fs::read_to_string(disk.place(&path)).ok()?;
        Some(Template { path, text })
    };
    ["config.toml.tmpl", "config-v3.toml.tmpl"]
        .into_iter()
        .filter_map(read)
        .collect()
}
