//! `registries exits`: which hosts a node can still contact for any image whatsoever; or the proof that none can.
//!
//! Exhaustive over names: each registry that has a directory of its own, and any other. What hosts that may be
//! contacted do with the node (token servers, redirects) is theirs, and said as such.

use std::collections::{BTreeMap, BTreeSet};

use landfall_registries::containerd::{Beyond, Name, Reach, To, Why, exits};
use landfall_registries::k3s;
use serde_json::{Value, json};

use super::configuration::{Configuration, Configured};
use crate::args::Exits;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

pub(super) fn run(args: &Exits) -> Result<Exit, Failure> {
    let configured = Configured::read(&args.files, args.format.format, &args.node)?;
    let allowed = match args.allow.is_empty() {
        true => mirrors(&configured),
        false => args.allow.iter().cloned().collect(),
    };
    let proof = Proof::new(&configured, allowed);
    match args.output.output {
        Output::Text => out::result(&proof.text()),
        Output::Json => out::result(&format!("{:#}\n", proof.json())),
    }
    Ok(match proof.ways_out.is_empty() {
        true => Exit::Complete,
        false => Exit::Partial,
    })
}

/// The hosts that the configuration names as endpoints.
fn mirrors(configured: &Configured) -> BTreeSet<String> {
    let named = |reach: Reach| {
        let listed = |exit: &landfall_registries::containerd::Exit| {
            matches!(exit.why, Why::Listed | Why::MirrorEndpoint)
        };
        reach
            .exits
            .into_iter()
            .filter(listed)
            .filter_map(|exit| match exit.to {
                To::Host(host) => Some(host),
                To::AnyNamed => None,
            })
    };
    exits(configured.containerd())
        .into_iter()
        .flat_map(named)
        .collect()
}

/// A host that can be contacted, for which names, and why.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// The host, or what the image's name begins with.
    to: Option<String>,
    why: String,
    place: Option<String>,
    plain_http: bool,
}

struct Proof {
    /// Ways beyond what is allowed, with the registries that they are open for.
    ways_out: BTreeMap<Way, Vec<String>>,
    /// Hosts that are contacted and may be.
    allowed: BTreeMap<String, Vec<String>>,
    /// Registries of which nothing can be pulled at all.
    blocked: Vec<(String, String)>,
    /// Everything stands still.
    refusal: Option<String>,
    /// What other programs of the node do.
    others: Vec<String>,
}

impl Proof {
    fn new(configured: &Configured, allow: BTreeSet<String>) -> Self {
        let mut proof = Self {
            ways_out: BTreeMap::new(),
            allowed: BTreeMap::new(),
            blocked: Vec::new(),
            refusal: refusal(configured),
            others: Vec::new(),
        };
        for reach in exits(configured.containerd()) {
            proof.take(&reach, configured, &allow);
        }
        if let Configuration::Rancher { node, .. } = &configured.configuration {
            proof.others = by_wharfie(node.options());
        }
        proof
    }

    fn take(&mut self, reach: &Reach, configured: &Configured, allow: &BTreeSet<String>) {
        let name = match &reach.name {
            Name::Registry(registry) => registry.clone(),
            Name::Other => "any other registry".to_owned(),
        };
        if let Some(reason) = &reach.blocked {
            self.blocked.push((name, reason.clone()));
            return;
        }
        for exit in &reach.exits {
            let host = match &exit.to {
                To::Host(host) => Some(host.clone()),
                To::AnyNamed => None,
            };
            match host {
                Some(host) if allow.contains(&host) => {
                    self.allowed.entry(host).or_default().push(name.clone())
                }
                to => {
                    let way = Way {
                        to,
                        why: why(exit.why, &reach.name, configured),
                        place: exit.span.and_then(|span| configured.shown(span)),
                        plain_http: exit.plain_http,
                    };
                    self.ways_out.entry(way).or_default().push(name.clone());
                }
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(refusal) = &self.refusal {
            text += &format!("nothing is pulled at all: {refusal}\n");
        }
        for (way, names) in &self.ways_out {
            let to = way
                .to
                .as_deref()
                .unwrap_or("THE HOST THAT THE IMAGE'S NAME BEGINS WITH, whichever it is");
            let place = way
                .place
                .as_ref()
                .map_or_else(String::new, |place| format!(" ({place})"));
            let plain = if way.plain_http { ", also without TLS" } else { "" };
            text += &format!(
                "WAY OUT  {to}{plain}\n         for {}\n         because {}{place}\n",
                names.join(", "),
                way.why
            );
        }
        for (host, names) in &self.allowed {
            text += &format!("allowed  {host}, for {}\n", names.join(", "));
        }
        for (name, reason) in &self.blocked {
            text += &format!("blocked  {name}: every pull fails before any request: {reason}\n");
        }
        for other in &self.others {
            text += &format!("besides  {other}\n");
        }
        for beyond in Beyond::ALL {
            text += &format!("beyond   {}\n", beyond.as_str());
        }
        text + &match self.ways_out.len() {
            0 => "proven: containerd contacts no host but those allowed, whatever image is asked for; what these hosts \
                  send it on to is theirs to keep shut\n"
                .to_owned(),
            count => format!("{} out: this is no air gap\n", human::count(count, "way")),
        }
    }

    fn json(&self) -> Value {
        let ways = self.ways_out.iter().map(|(way, names)| {
            json!({
                "host": way.to, "any_host": way.to.is_none(), "for": names, "why": way.why, "place": way.place,
                "plain_http": way.plain_http,
            })
        });
        let blocked = self
            .blocked
            .iter()
            .map(|(name, reason)| json!({"for": name, "why": reason}));
        json!({
            "proven": self.ways_out.is_empty(),
            "ways_out": ways.collect::<Vec<_>>(),
            "allowed": self.allowed,
            "blocked": blocked.collect::<Vec<_>>(),
            "nothing_is_pulled": self.refusal,
            "other_programs": self.others,
            "beyond_the_configuration": Beyond::ALL.map(Beyond::as_str),
        })
    }
}

fn refusal(configured: &Configured) -> Option<String> {
    match &configured.configuration {
        Configuration::Rancher { node, .. } => node.refusal().map(|line| line.text.clone()),
        Configuration::Containerd(containerd) => containerd.refusal().map(|line| line.text),
    }
}

/// The reason in words; where a flag was meant to close this way, why it does not.
fn why(why: Why, name: &Name, configured: &Configured) -> String {
    let reason = match why {
        Why::Listed => "its hosts.toml lists it",
        Why::Server => "it is the `server` of its hosts.toml, which is asked last",
        Why::NoServer => "its hosts.toml has no `server`, and then the registry itself is asked last",
        Why::Nameless => "the last endpoint has no host in its URL, so the registry itself takes its place",
        Why::BrokenFile => "its hosts.toml cannot be decoded, so the registry itself is asked",
        Why::NoFile => "its directory has no hosts.toml, so the registry itself is asked, and no wildcard",
        Why::NoDirectory => "nothing in certs.d is about it, so the registry itself is asked",
        Why::MirrorEndpoint => "it is an endpoint of registry.mirrors",
        Why::MirrorDefault => "registry.mirrors always ends with the registry itself",
    };
    match leak(why, name, configured) {
        Some(leak) => format!("{reason}; {leak}"),
        None => reason.to_owned(),
    }
}

/// Why `--disable-default-registry-endpoint` does not hold for a name.
fn leak(why: Why, name: &Name, configured: &Configured) -> Option<String> {
    let Configuration::Rancher { file, node } = &configured.configuration else {
        return None;
    };
    if !node.options().disable_default_endpoint {
        return None;
    }
    let key = match name {
        Name::Registry(registry) => registry.as_str(),
        Name::Other => "*",
    };
    let mirror = file.mirrors.iter().find(|mirror| mirror.key.value == key);
    let config = file.configs.iter().find(|config| config.key.value == key);
    let place = |span| configured.sources.shown(span);
    Some(match (why, mirror, config) {
        (Why::Server, Some(_), Some(config)) => format!(
            "the `configs` entry at {} cancels --disable-default-registry-endpoint for it",
            place(config.key.span)
        ),
        (Why::Server, None, Some(config)) => format!(
            "the `configs` entry at {} makes a file of its own, which hides the wildcard mirror; \
             --disable-default-registry-endpoint does not reach it",
            place(config.key.span)
        ),
        (Why::NoDirectory, Some(mirror), _) => format!(
            "its mirror at {} has no endpoint, so nothing is written for it",
            place(mirror.key.span)
        ),
        (Why::NoDirectory, None, _) => {
            "--disable-default-registry-endpoint holds only for registries that `mirrors` \
                                        names; a mirror for \"*\" would take the rest"
                .to_owned()
        }
        _ => return None,
    })
}

/// wharfie knows no flag, and always ends with the registry itself.
fn by_wharfie(options: &k3s::Options) -> Vec<String> {
    let images = match options.program {
        k3s::Program::Rke2 => "RKE2's runtime image at a start, Rancher's installer images",
        k3s::Program::K3s => "Rancher's installer images, where Rancher manages the node",
    };
    vec![format!(
        "wharfie, which pulls {images}, asks the registry itself after all mirrors: no flag changes that, only images \
         that are on the node before, or a mirror that has them"
    )]
}
