//! `pull --registries`: a pull by the routes of a node, and who gave what in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use landfall_oci::{Algorithm, Digest, Reference, Target};
use landfall_registries::Attempt;
use landfall_transfer::{Asked, Class, Report, Route, Routes, Sought, Way};
use serde_json::{Value, json};

use super::configuration::Configured;
use super::reasons;
use super::way::{Clients, label};
use super::words;
use crate::args::{Format, NodeArgs, RegistryArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

/// One image and the hosts that a node asks for it.
pub(in crate::commands) struct Routed {
    configured: Configured,
    image: Reference,
    candidates: Vec<Candidate>,
    routes: Arc<Routes>,
}

/// A host that the node asks for the name, or only for the content.
struct Candidate {
    attempt: Attempt,
    label: Arc<str>,
    /// Why it cannot be asked at all.
    unusable: Option<String>,
}

impl Routed {
    /// Reads the configuration and sets every host's client up. Blocks.
    pub(in crate::commands) fn new(
        file: PathBuf,
        format: Option<Format>,
        node: &NodeArgs,
        registry: &RegistryArgs,
        image: &Reference,
    ) -> Result<Self, Failure> {
        let configured = Configured::read(&[file], format, node)?;
        let told = configured.explain(image);
        if let Some(error) = &told.pull_error {
            let place = error.span.and_then(|span| configured.shown(span));
            let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
            return Err(Failure::new(
                Exit::Unreachable,
                format!(
                    "{place}with this configuration the node asks nobody for {image}: {}",
                    error.text
                ),
            ));
        }
        let mut routed = Self {
            candidates: Vec::new(),
            routes: Arc::default(),
            image: image.clone(),
            configured,
        };
        let by_name = first_round(told.attempts, image);
        let by_digest = routed.by_digest();
        let mut clients = Clients::new(registry, by_name.len().max(by_digest.len()));
        let route = Route {
            names: routed.ways(by_name, &mut clients)?,
            content: routed.ways(by_digest, &mut clients)?,
        };
        let mut routes = Routes::default();
        routes.insert(image.registry().clone(), image.repository().clone(), route);
        routed.routes = Arc::new(routes);
        Ok(routed)
    }

    /// For the engine.
    pub(in crate::commands) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes)
    }

    /// Manifests and layers are asked for by digest: of other hosts where some may not resolve tags.
    fn by_digest(&self) -> Vec<Attempt> {
        let (registry, repository) = (self.image.registry().clone(), self.image.repository().clone());
        let any = landfall_hash::digest(Algorithm::Sha256, b"");
        let image = Reference::new(registry, repository, Target::Digest(any));
        first_round(self.configured.explain(&image).attempts, &image)
    }

    fn ways(&mut self, attempts: Vec<Attempt>, clients: &mut Clients) -> Result<Vec<Way>, Failure> {
        let mut ways = Vec::new();
        for attempt in attempts {
            let label: Arc<str> = label(&attempt).into();
            let provenance = attempt
                .because
                .credential
                .and_then(|span| self.configured.shown(span));
            let way = clients.way(&attempt, &label, self.image.registry(), provenance)?;
            if self.candidates.iter().all(|known| known.label != label) {
                self.candidates.push(Candidate {
                    attempt,
                    unusable: way.as_ref().err().cloned(),
                    label,
                });
            }
            ways.extend(way);
        }
        Ok(ways)
    }

    /// Says who gave what, and who did not and why.
    pub(in crate::commands) fn tell(&self, output: Output, report: &Report) {
        let story = self.story(report);
        match output {
            Output::Text => out::result(&self.text(&story)),
            Output::Json if report.dry_run => {}
            Output::Json => out::result(&format!("{}\n", self.json(&story))),
        }
    }

    fn story(&self, report: &Report) -> Story {
        let asked = self.routes.asked();
        let mut story = Story::default();
        for Asked { way, sought, refusal } in &asked {
            match (refusal, sought) {
                (None, Sought::Name) => story.name = Some(Arc::clone(way)),
                (None, Sought::Manifest(digest)) => {
                    story
                        .manifests
                        .entry(Arc::clone(way))
                        .or_default()
                        .insert(*digest);
                    // The root comes before its members.
                    story.root.get_or_insert_with(|| Arc::clone(way));
                }
                (None, Sought::Blob(digest)) => {
                    story.blobs.entry(Arc::clone(way)).or_default().insert(*digest);
                }
                (Some(refusal), sought) => {
                    let reason = (kind(*sought), refusal.class, refusal.reason.clone());
                    let tried = story.tried.entry(Arc::clone(way)).or_default();
                    match tried.iter_mut().find(|known| known.is_like(&reason)) {
                        Some(known) => known.times += 1,
                        None => tried.push(Tried::new(reason)),
                    }
                }
            }
        }
        let failed = !report.failed.is_empty() && story.root.is_none();
        story.node =
            failed.then(|| words::of(self.configured.containerd(), &self.image, &asked, &self.places()));
        story
    }

    /// Each host's label, to find its answers.
    fn places(&self) -> Vec<(Arc<str>, &Attempt)> {
        let all = self.candidates.iter();
        all.map(|candidate| (Arc::clone(&candidate.label), &candidate.attempt))
            .collect()
    }

    fn reasons(&self, label: &str) -> Vec<(&'static str, String)> {
        let candidate = self.candidates.iter().find(|known| &*known.label == label);
        let reasons = candidate.map(|known| reasons::of(&known.attempt, &self.configured));
        reasons.unwrap_or_default()
    }

    fn because(&self, label: &str) -> BTreeMap<&'static str, String> {
        self.reasons(label).into_iter().collect()
    }

    fn lines(&self, label: &str) -> String {
        let because = self.reasons(label);
        let places: Vec<String> = because
            .iter()
            .map(|(what, place)| format!("{what} {place}"))
            .collect();
        match places.is_empty() {
            true => "the registry's own endpoint; no line asks for it".to_owned(),
            false => places.join(", "),
        }
    }

    fn text(&self, story: &Story) -> String {
        let mut text = String::new();
        for candidate in &self.candidates {
            let label = &candidate.label;
            let tried = story.tried.get(label).map_or(&[][..], Vec::as_slice);
            if tried.is_empty() && candidate.unusable.is_none() {
                continue;
            }
            text += &format!("tried {label} ({})\n", self.lines(label));
            if let Some(reason) = &candidate.unusable {
                text += &format!("      not asked: {reason}\n");
            }
            for tried in tried {
                let times = match tried.times {
                    1 => String::new(),
                    times => format!(" ({times} times)"),
                };
                text += &format!("      {}{times}: {}\n", tried.sought, tried.reason);
            }
        }
        if let Some(name) = story
            .name
            .as_ref()
            .filter(|name| Some(*name) != story.root.as_ref())
        {
            text += &format!("name resolved by {name} ({})\n", self.lines(name));
        }
        if let Some(root) = &story.root {
            text += &format!("manifest from {root} ({})\n", self.lines(root));
        }
        for (label, blobs) in &story.blobs {
            text += &format!("{} from {label}\n", human::count(blobs.len(), "blob"));
        }
        if let Some(words) = &story.node {
            text += &format!("a node would show: {words}\n");
        }
        text
    }

    fn json(&self, story: &Story) -> Value {
        let tried = self.candidates.iter().filter_map(|candidate| {
            let label = &candidate.label;
            let tried = story.tried.get(label).map_or(&[][..], Vec::as_slice);
            let failures = tried.iter().map(|tried| {
                json!({
                    "sought": tried.sought, "times": tried.times, "class": tried.class, "reason": tried.reason,
                })
            });
            (candidate.unusable.is_some() || !tried.is_empty()).then(|| {
                json!({
                    "url": &**label, "because": self.because(label), "not_asked": candidate.unusable,
                    "failures": failures.collect::<Vec<_>>(),
                })
            })
        });
        let given = |given: &BTreeMap<Arc<str>, BTreeSet<Digest>>| {
            let all = given
                .iter()
                .map(|(label, digests)| json!({ "url": &**label, "count": digests.len() }));
            all.collect::<Vec<_>>()
        };
        json!({
            "event": "sources",
            "image": self.image.to_string(),
            "name": story.name.as_deref(),
            "manifest": story.root.as_ref().map(|root| json!({ "url": &**root, "because": self.because(root) })),
            "manifests": given(&story.manifests),
            "blobs": given(&story.blobs),
            "tried": tried.collect::<Vec<_>>(),
            "node": story.node,
        })
    }
}

/// Content known by its digest is asked for twice, as a manifest and as a blob, of the same hosts.
fn first_round(mut attempts: Vec<Attempt>, image: &Reference) -> Vec<Attempt> {
    if matches!(image.target(), Target::Digest(_)) {
        attempts.truncate(attempts.len() / 2);
    }
    attempts
}

fn kind(sought: Sought) -> &'static str {
    match sought {
        Sought::Name => "name",
        Sought::Manifest(_) => "manifest",
        Sought::Blob(_) => "blob",
    }
}

/// What happened, put in order.
#[derive(Default)]
struct Story {
    name: Option<Arc<str>>,
    root: Option<Arc<str>>,
    manifests: BTreeMap<Arc<str>, BTreeSet<Digest>>,
    blobs: BTreeMap<Arc<str>, BTreeSet<Digest>>,
    tried: BTreeMap<Arc<str>, Vec<Tried>>,
    /// What a node says of it, where nobody had the manifest.
    node: Option<String>,
}

/// One way in which a host failed.
struct Tried {
    sought: &'static str,
    class: Class,
    reason: String,
    times: usize,
}

impl Tried {
    fn new((sought, class, reason): (&'static str, Class, String)) -> Self {
        Self {
            sought,
            class,
            reason,
            times: 1,
        }
    }

    /// Of many blobs the first speaks for all that failed alike.
    fn is_like(&self, (sought, class, reason): &(&'static str, Class, String)) -> bool {
        self.sought == *sought && self.class == *class && (self.reason == *reason || *sought == "blob")
    }
}
