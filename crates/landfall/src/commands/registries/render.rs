//! `registries render`: the same intent for another program, and what it cannot say.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use landfall_registries::runtimes::{self, Body, Options, OutFile, Rendered};
use landfall_registries::{Loss, k3s, registries_yaml};
use serde_json::{Value, json};

use super::configuration::{self, Wanted};
use super::gather::Gathered;
use crate::args::{Format, Render, Target};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

pub(super) fn run(args: &Render) -> Result<Exit, Failure> {
    let gathered = Gathered::read(&args.files, args.format.format)?;
    let told = match args.as_k3s {
        true => as_k3s(args, &gathered)?,
        false => rendered(args, gathered)?,
    };
    if let Some(folder) = &args.out {
        write(&told.files, folder, args.overwrite)?;
    }
    match args.output.output {
        Output::Text => told.print(args),
        Output::Json => out::result(&format!("{:#}\n", told.json(args))),
    }
    Ok(match told.losses.is_empty() {
        true => Exit::Complete,
        false => Exit::Partial,
    })
}

struct Told {
    files: Vec<OutFile>,
    losses: Vec<(Loss, Option<String>)>,
    notes: Vec<String>,
}

/// What K3s itself writes.
fn as_k3s(args: &Render, gathered: &Gathered) -> Result<Told, Failure> {
    if gathered.format != Format::RegistriesYaml {
        return Err(Failure::usage("--as-k3s: K3s renders registries.yaml only"));
    }
    let (sources, reading) = configuration::rancher(gathered)?;
    let file = configuration::registries(&reading, &sources)?;
    let options = configuration::k3s_options(&args.node)?;
    let rendering = k3s::Rendering::new(&file, &options);
    if let Some(error) = &rendering.error {
        return Err(Failure::new(
            Exit::Partial,
            format!("the agent does not start: {error}"),
        ));
    }
    let mut files: Vec<OutFile> = rendering
        .hosts
        .iter()
        .map(|hosts| OutFile::plain(hosts.path.clone(), hosts.rendered.text.clone()))
        .collect();
    files.push(OutFile::secret(
        options.config_toml(),
        rendering.config_toml.text.clone(),
    ));
    let note =
        |warning: &k3s::Warning| format!("{}: K3s logs: {}", sources.shown(warning.span), warning.text);
    Ok(Told {
        files,
        losses: Vec::new(),
        notes: rendering.warnings.iter().map(note).collect(),
    })
}

fn rendered(args: &Render, gathered: Gathered) -> Result<Told, Failure> {
    let wanted = configuration::wanted(gathered, &args.node, args.deny_upstream)?;
    let options = Options {
        contents: configuration::contents(&wanted.intent),
        registries: args.registry.clone(),
        namespaced: args.gateway,
    };
    let mut notes = Vec::new();
    let Rendered { mut files, losses } = write_for(args, &wanted, &options, &mut notes)?;
    files.extend(wanted.extracted);
    let place = |loss: &Loss| Some(wanted.sources.shown(loss.span?)).filter(|place| !place.is_empty());
    let mut all: Vec<(Loss, Option<String>)> = Vec::new();
    for loss in wanted.losses.into_iter().chain(losses) {
        let place = place(&loss);
        if !all
            .iter()
            .any(|(known, at)| known.what == loss.what && *at == place)
        {
            all.push((loss, place));
        }
    }
    Ok(Told {
        files,
        losses: all,
        notes,
    })
}

fn write_for(
    args: &Render,
    wanted: &Wanted,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Rendered, Failure> {
    let intent = &wanted.intent;
    Ok(match args.target {
        Target::K3s | Target::Rke2 => {
            let node = configuration::k3s_options(&args.node)?;
            let mut target = registries_yaml::Target::new(match args.target {
                Target::Rke2 => k3s::Program::Rke2,
                _ => k3s::Program::K3s,
            });
            target.behaviours = node.behaviours;
            target.embedded_registry = node.embedded_registry.is_some();
            target.header = vec![concat!("Written by landfall ", env!("CARGO_PKG_VERSION")).to_owned()];
            let written = registries_yaml::write(intent, &target);
            if written.disable_default_endpoint {
                notes.push("start every server and agent with --disable-default-registry-endpoint: the file alone cannot say it".to_owned());
            }
            written.rendered
        }
        Target::Containerd => {
            runtimes::containerd::write(intent, configuration::rendered_release(&args.node)?)
        }
        Target::Crio => runtimes::podman::write(intent, runtimes::podman::Engine::Crio, options),
        Target::Podman => runtimes::podman::write(intent, runtimes::podman::Engine::Podman, options),
        Target::Docker => runtimes::docker::write(intent, options),
        Target::Nerdctl => runtimes::nerdctl::write(intent),
        Target::Talos => runtimes::talos::write(intent, runtimes::talos::Form::Machine, options),
        Target::Rke => runtimes::rke::write(intent),
    })
}

impl Told {
    fn print(&self, args: &Render) {
        match &args.out {
            Some(folder) => {
                for file in &self.files {
                    out::result(&format!("{}\n", below(folder, &file.path).display()));
                }
            }
            None => self
                .files
                .iter()
                .for_each(|file| out::result(&shown(file, args.show_secrets))),
        }
        for note in &self.notes {
            out::progress(&format!("note: {note}"));
        }
        for (loss, place) in &self.losses {
            let place = place
                .as_ref()
                .map_or_else(String::new, |place| format!("{place}: "));
            out::progress(&format!(
                "{place}not carried over: {}\n  why:     {}\n  instead: {}",
                loss.what, loss.why, loss.advice
            ));
        }
        if !self.losses.is_empty() {
            out::progress(&format!(
                "{} not carried over",
                human::count(self.losses.len(), "thing")
            ));
        }
    }

    fn json(&self, args: &Render) -> Value {
        let files = self.files.iter().map(|file| {
            let (text, link) = match &file.body {
                Body::Text(_) if file.secret && !args.show_secrets => (None, None),
                Body::Text(text) => (Some(text), None),
                Body::Link(target) => (None, Some(target)),
            };
            json!({
                "path": file.path, "mode": format!("{:04o}", file.mode), "secret": file.secret, "text": text, "link": link,
            })
        });
        let losses = self.losses.iter().map(|(loss, place)| {
            json!({"what": loss.what, "why": loss.why, "advice": loss.advice, "place": place})
        });
        json!({
            "files": files.collect::<Vec<_>>(),
            "not_carried_over": losses.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

/// A file on standard output, under its name.
fn shown(file: &OutFile, secrets: bool) -> String {
    let head = format!("# ---- {} (mode {:04o})\n", file.path, file.mode);
    match &file.body {
        Body::Link(target) => format!("# ---- {} -> {target}\n", file.path),
        Body::Text(_) if file.secret && !secrets => {
            format!("{head}# it holds credentials: write it with -o DIR, or print it with --show-secrets\n")
        }
        Body::Text(text) if text.is_empty() || text.ends_with('\n') => head + text,
        Body::Text(text) => head + text + "\n",
    }
}

/// Where a file of the node lies below a folder. Never outside of it.
fn below(folder: &Path, path: &str) -> PathBuf {
    let inner = Path::new(path)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    folder.join(inner.collect::<PathBuf>())
}

fn write(files: &[OutFile], folder: &Path, overwrite: bool) -> Result<(), Failure> {
    // Nothing is half there: what stands in the way is found before anything is written.
    for file in files {
        let path = below(folder, &file.path);
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(Failure::usage(format!(
                "{} is there already; --overwrite replaces it",
                path.display()
            )));
        }
    }
    for file in files {
        let path = below(folder, &file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Failure::local("create", parent, &error))?;
        }
        one(file, &path).map_err(|error| Failure::local("write", &path, &error))?;
    }
    Ok(())
}

/// A file appears whole, with its mode, or not at all.
fn one(file: &OutFile, path: &Path) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".landfall-new");
    let new = path.with_file_name(name);
    let _ = fs::remove_file(&new);
    match &file.body {
        Body::Link(target) => std::os::unix::fs::symlink(target, &new)?,
        Body::Text(text) => {
            let mut out = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(file.mode)
                .open(&new)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
        }
    }
    fs::rename(&new, path)
}
