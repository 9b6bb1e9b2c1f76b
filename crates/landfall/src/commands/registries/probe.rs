//! `registries probe`: every endpoint of a pull, asked for real.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use landfall_net::client::{Proxies, Timeouts};
use landfall_node::probe::{Endpoint, Next, ProbeOptions, Report, StepKind, probe};
use landfall_oci::{Reference, Target};
use landfall_registries::Attempt;
use landfall_registries::containerd::{Explanation, SkippedWhy};
use serde_json::{Value, json};

use super::configuration::Configured;
use super::{given, reasons};
use crate::args::Probe;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, out};

/// The steps that one endpoint may take, with some left over: a name, a connection, TLS, four requests, a token.
const STEPS: u32 = 12;

pub(super) async fn run(args: Probe) -> Result<Exit, Failure> {
    let (mut files, images) = given::split(&args.given, &args.image)?;
    if images.is_empty() {
        return Err(Failure::usage("name an image to ask for"));
    }
    let (format, node) = (args.format.format, args.node);
    let configured = tokio::task::spawn_blocking(move || {
        given::or_own(&mut files, node.program)?;
        Configured::read(&files, format, &node)
    })
    .await;
    let configured = configured.map_err(|error| Failure::new(Exit::Local, error.to_string()))??;
    let options = options(Duration::from_secs(args.timeout));
    let mut told = Vec::new();
    for image in images {
        told.push(Told::new(&configured, image, &options).await);
    }
    match args.output.output {
        Output::Text => told.iter().for_each(|told| out::result(&told.text(&configured))),
        Output::Json => {
            let images: Vec<Value> = told.iter().map(|told| told.json(&configured)).collect();
            let document = json!({ "images": images, "exit_code": exit(&told) as u8 });
            out::result(&format!("{document:#}\n"));
        }
    }
    Ok(exit(&told))
}

fn options(each: Duration) -> ProbeOptions {
    ProbeOptions {
        proxies: Proxies::from_lookup(|name| std::env::var(name).ok()),
        timeouts: Timeouts {
            connect: each,
            response: each,
            ..Timeouts::default()
        },
        total: each * STEPS,
        ..ProbeOptions::at(SystemTime::now())
    }
}

/// The worst is told where several images were asked for.
fn exit(told: &[Told]) -> Exit {
    let nowhere = |told: &Told| told.report.served_by.is_none();
    match told {
        all if all.iter().all(|told| told.report.served_by == Some(0)) => Exit::Complete,
        all if all.iter().all(nowhere) => Exit::Unreachable,
        _ => Exit::Partial,
    }
}

/// One image and what came of it.
struct Told {
    image: Reference,
    explanation: Explanation,
    report: Report,
}

impl Told {
    async fn new(configured: &Configured, image: Reference, options: &ProbeOptions) -> Self {
        let mut explanation = configured.explain(&image);
        if matches!(image.target(), Target::Digest(_)) {
            // Asked a second time as a blob, the hosts answer the same.
            let hosts = explanation.attempts.len() / 2;
            explanation.attempts.truncate(hosts);
        }
        let report = probe(&explanation.attempts, options).await;
        Self {
            image,
            explanation,
            report,
        }
    }

    fn asked(&self) -> impl Iterator<Item = (usize, &Attempt, &Endpoint)> {
        let both = self.explanation.attempts.iter().zip(&self.report.endpoints);
        both.enumerate()
            .map(|(position, (attempt, endpoint))| (position, attempt, endpoint))
    }

    fn text(&self, configured: &Configured) -> String {
        let endpoints = human::count(self.explanation.attempts.len(), "endpoint");
        let mut text = format!(
            "{}: {endpoints}, in the order in which the node asks them\n",
            self.image
        );
        for (position, attempt, endpoint) in self.asked() {
            let because: Vec<String> = reasons::of(attempt, configured)
                .iter()
                .map(|(what, place)| format!("{what}: {place}"))
                .collect();
            text += &format!("\n{}. {}\n", position + 1, endpoint.url);
            text += &match because.is_empty() {
                true => "   no line asks for it: the registry's own endpoint\n".to_owned(),
                false => format!("   {}\n", because.join(", ")),
            };
            for other in self.alternatives(position) {
                text +=
                    &format!("   or, by another rule that fits, {other} (which one is taken is chance)\n");
            }
            text += &block(endpoint);
            text += self.next(position, endpoint);
        }
        for skipped in &self.explanation.skipped {
            let why = match skipped.why {
                SkippedWhy::CannotPull => "it may not be pulled from",
                SkippedWhy::CannotResolve => "it may not resolve tags",
            };
            text += &format!("\nnot asked: {}: {why}\n", skipped.host);
        }
        text + &format!("\n{}\n", self.in_all())
    }

    fn alternatives(&self, position: usize) -> impl Iterator<Item = &str> {
        let all = self.explanation.alternatives.iter();
        all.filter(move |other| other.instead_of == position)
            .map(|other| other.attempt.url.as_str())
    }

    /// What the node does after one endpoint.
    fn next(&self, position: usize, endpoint: &Endpoint) -> &'static str {
        let is_last = position + 1 == self.report.endpoints.len();
        match (endpoint.next, self.report.served_by) {
            (Next::Served, Some(first)) if first == position => {
                "   next: the node takes the image from here\n"
            }
            (Next::Served, _) => "   next: it would serve the image, but the node does not come this far\n",
            (Next::PullFails, _) => "   next: the pull fails here, whatever other endpoints there are\n",
            (Next::NextEndpoint, _) if is_last => "   next: there is no other endpoint: the pull fails\n",
            (Next::NextEndpoint, _) => "   next: the node asks the next endpoint\n",
        }
    }

    /// What the node would do.
    fn in_all(&self) -> String {
        if let Some(error) = &self.explanation.pull_error {
            return format!("in all: the node asks nobody: {}", error.text);
        }
        let total = self.report.endpoints.len();
        match self.report.served_by {
            Some(0) => format!("in all: the node takes {} from the first endpoint", self.image),
            Some(position) => format!(
                "in all: the node takes {} from endpoint {} of {total}, after {} that did not serve it",
                self.image,
                position + 1,
                human::count(position, "endpoint")
            ),
            None => {
                let stopped = |endpoint: &Endpoint| endpoint.next == Next::PullFails;
                match self.report.endpoints.iter().position(stopped) {
                    Some(position) => format!(
                        "in all: the pull of {} fails at endpoint {} of {total}, and those behind it are not asked",
                        self.image,
                        position + 1
                    ),
                    None => format!("in all: the pull of {} fails: no endpoint serves it", self.image),
                }
            }
        }
    }

    fn json(&self, configured: &Configured) -> Value {
        let endpoints = self.asked().map(|(position, attempt, endpoint)| {
            let mut value = json!(endpoint);
            value["repository"] = json!(attempt.repository);
            value["because"] = json!(
                reasons::of(attempt, configured)
                    .into_iter()
                    .collect::<BTreeMap<_, _>>()
            );
            value["or_by_chance"] = json!(self.alternatives(position).collect::<Vec<_>>());
            value
        });
        json!({
            "image": self.image.to_string(),
            "endpoints": endpoints.collect::<Vec<_>>(),
            "served_by": self.report.served_by,
            "pull_error": self.explanation.pull_error.as_ref().map(|error| &error.text),
            "in_all": self.in_all(),
        })
    }
}

/// What was done at one endpoint and what came of it.
fn block(endpoint: &Endpoint) -> String {
    let mut text = String::new();
    for step in &endpoint.steps {
        text += &format!("     {step}\n");
    }
    // The server's own is enough where all is well.
    let is_trouble = endpoint
        .finding
        .as_ref()
        .is_some_and(|finding| finding.step == StepKind::Tls);
    let shown = if is_trouble { usize::MAX } else { 1 };
    for certificate in endpoint.certificates.iter().take(shown) {
        let names = match certificate.names.is_empty() {
            true => "no host".to_owned(),
            false => certificate.names.join(", "),
        };
        text += &format!(
            "     certificate `{}` for {names}, {} to {}, signed by {}\n",
            certificate.subject,
            certificate.not_before,
            certificate.not_after,
            match certificate.is_self_signed {
                true => "itself".to_owned(),
                false => format!("`{}`", certificate.issuer),
            }
        );
    }
    if let Some(manifest) = &endpoint.manifest {
        let known = [
            manifest.digest.clone(),
            manifest.media_type.clone(),
            manifest.size.map(|size| format!("{size} bytes")),
        ];
        let known: Vec<String> = known.into_iter().flatten().collect();
        text += &format!("   found: {}\n", known.join(", "));
    }
    if let Some(finding) = &endpoint.finding {
        text += &format!("   cause: {}\n", finding.message);
        for advice in &finding.advice {
            text += &format!("     - {advice}\n");
        }
    }
    for note in &endpoint.notes {
        text += &format!("   note: {note}\n");
    }
    text
}
