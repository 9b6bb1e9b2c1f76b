//! `registries diff`: which images would be pulled differently, and which lines make it so.

mod group;
mod report;

use landfall_oci::Reference;
use landfall_registries::k3s::{FACTS, Fact, Version, VersionError};

use self::group::{By, Groups};
use super::configuration::{Configuration, Configured};
use crate::args::{Consumer, Diff, NodeArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{lists, out};

/// Both configurations, and what comes of the change.
struct Compared {
    old: Configured,
    new: Configured,
    /// How the user calls them.
    names: (String, String),
    facts: Vec<Changed>,
    groups: Groups,
}

/// Something that one of the releases does and the other does not.
struct Changed {
    fact: &'static Fact,
    /// Whether the release to come does it.
    gained: bool,
}

pub(super) fn run(args: &Diff) -> Result<Exit, Failure> {
    let images = images(args)?;
    let new_path = args.new.as_ref().unwrap_or(&args.old);
    let old = read(args, &args.old, args.from_version.as_ref())?;
    let new = read(args, new_path, args.to_version.as_ref())?;
    let mut groups = Groups::new(images.len());
    for by in consumers(args, &old, &new)? {
        for image in &images {
            groups.put(by, image, &old, &new);
        }
    }
    let named = |path: &std::path::Path, version: Option<&String>| match version {
        Some(version) => format!("{} on {version}", path.display()),
        None => path.display().to_string(),
    };
    let compared = Compared {
        names: (
            named(&args.old, args.from_version.as_ref()),
            named(new_path, args.to_version.as_ref()),
        ),
        facts: facts(args)?,
        old,
        new,
        groups,
    };
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", report::json(&compared))),
        Output::Text => out::result(&report::text(&compared)),
    }
    Ok(match compared.groups.all.is_empty() {
        true => Exit::Complete,
        false => Exit::Partial,
    })
}

/// Those of the list, then those that were typed; each once.
fn images(args: &Diff) -> Result<Vec<Reference>, Failure> {
    let mut images = Vec::new();
    if let Some(list) = &args.list {
        let quiet = args.output.output == Output::Json;
        images.extend(lists::read(list, quiet)?.into_iter().map(|entry| entry.reference));
    }
    images.extend(args.image.iter().cloned().map(Reference::with_default_tag));
    let mut seen = std::collections::HashSet::new();
    images.retain(|image| seen.insert(image.clone()));
    Ok(images)
}

fn read(args: &Diff, path: &std::path::Path, version: Option<&String>) -> Result<Configured, Failure> {
    let mut node: NodeArgs = args.node.clone();
    node.k3s_version = version.cloned().or(node.k3s_version);
    Configured::read(&[path.to_owned()], args.format.format, &node)
}

fn consumers(args: &Diff, old: &Configured, new: &Configured) -> Result<Vec<By>, Failure> {
    let rancher = |side: &Configured| matches!(side.configuration, Configuration::Rancher { .. });
    let has_wharfie = rancher(old) && rancher(new);
    match args.consumer {
        Consumer::Wharfie if !has_wharfie => Err(Failure::usage(
            "wharfie reads registries.yaml only; leave --consumer out",
        )),
        Consumer::Both if has_wharfie => Ok(vec![By::Containerd, By::Wharfie]),
        Consumer::Wharfie => Ok(vec![By::Wharfie]),
        _ => Ok(vec![By::Containerd]),
    }
}

/// What the two releases do otherwise, whether or not it matters to this configuration.
fn facts(args: &Diff) -> Result<Vec<Changed>, Failure> {
    let (Some(from), Some(to)) = (&args.from_version, &args.to_version) else {
        return Ok(Vec::new());
    };
    let parse = |text: &String| {
        text.parse::<Version>()
            .map_err(|error: VersionError| Failure::usage(error.to_string()))
    };
    let (from, to) = (parse(from)?, parse(to)?);
    let changed = FACTS.iter().filter(|fact| fact.holds(from) != fact.holds(to));
    let changed = changed.map(|fact| Changed {
        fact,
        gained: fact.holds(to),
    });
    Ok(changed.collect())
}
