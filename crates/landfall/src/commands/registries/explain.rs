//! `registries explain`: every attempt that a node makes for an image, in order, with its causes.

use std::fmt::Write as _;

use landfall_oci::Reference;
use landfall_registries::containerd::{
    Answer, Choice, Consequence, Explanation, Outcome, Request, SkippedWhy, Source, Then,
};
use landfall_registries::{Attempt, Presented, wharfie};
use serde_json::{Value, json};

use super::configuration::Configured;
use super::{given, reasons};
use crate::args::{Consumer, Explain};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{lists, out};

/// Who else reads registries.yaml.
const WHARFIE: &str = "wharfie (RKE2's runtime image, Rancher's installers)";

pub(super) fn run(args: &Explain) -> Result<Exit, Failure> {
    let (mut files, mut images) = given::split(&args.given, &args.image)?;
    if let Some(list) = &args.list {
        let entries = lists::read(list, args.output.output == Output::Json)?;
        images.extend(entries.into_iter().map(|entry| entry.reference));
    }
    if images.is_empty() {
        return Err(Failure::usage("name an image, or a list of images with -l"));
    }
    given::or_own(&mut files, args.node.program)?;
    let configured = Configured::read(&files, args.format.format, &args.node)?;
    let wharfie = configured.wharfie();
    let mut is_dead = false;
    // One image after the other: a list of a thousand is not held as a tree.
    let mut texts = Vec::with_capacity(images.len());
    for image in &images {
        let told = Told::new(image, &configured, wharfie.as_ref(), args.consumer);
        is_dead |= told
            .explanation
            .as_ref()
            .is_some_and(|it| it.pull_error.is_some());
        texts.push(match args.output.output {
            Output::Text => told.text(&configured),
            Output::Json => told.json(&configured).to_string(),
        });
    }
    match args.output.output {
        Output::Text => out::result(&texts.join("\n")),
        Output::Json => out::result(&format!("{{\"images\":[\n{}\n]}}\n", texts.join(",\n"))),
    }
    Ok(match is_dead {
        true => Exit::Partial,
        false => Exit::Complete,
    })
}

/// All that is told of one image.
struct Told {
    /// What containerd does, unless only wharfie was asked about.
    explanation: Option<Explanation>,
    /// What a node shows in the end when no host has it, and when none can be reached.
    all_fail: Option<(Option<String>, Option<String>)>,
    wharfie: Option<wharfie::Explanation>,
}

impl Told {
    fn new(
        image: &Reference,
        configured: &Configured,
        other: Option<&wharfie::Wharfie<'_>>,
        who: Consumer,
    ) -> Self {
        let image = image.clone().with_default_tag();
        let containerd = (who != Consumer::Wharfie).then(|| configured.explain(&image));
        let error = |answer: fn(&Request) -> Answer| {
            let mut answers = answer;
            configured
                .containerd()
                .simulate(&image, &mut answers)
                .resolve_error
        };
        let wharfie = other
            .filter(|_| who != Consumer::Containerd)
            .map(|it| it.explain(&image));
        Self {
            all_fail: containerd
                .as_ref()
                .filter(|it| it.pull_error.is_none())
                .map(|_| (error(|_| Answer::Status(404)), error(|_| Answer::Refused))),
            explanation: containerd,
            wharfie,
        }
    }

    /// Whether both programs do the same, as far as requests show.
    fn same(&self) -> bool {
        let (Some(one), Some(other)) = (&self.explanation, &self.wharfie) else {
            return false;
        };
        let part = |attempt: &Attempt| {
            (
                attempt.url.split('?').next().unwrap_or_default().to_owned(),
                attempt.presented.clone(),
                attempt.tls.clone(),
            )
        };
        one.pull_error.is_none()
            && other.error.is_none()
            && one.attempts.iter().map(part).eq(other.attempts.iter().map(part))
    }

    fn text(&self, configured: &Configured) -> String {
        let mut text = String::new();
        if let Some(told) = &self.explanation {
            let _ = writeln!(text, "{}", told.image);
            let _ = writeln!(text, "  {}", chosen(&told.choice, configured));
            containerd(&mut text, told, configured);
            if let Some((missing, unreachable)) = &self.all_fail {
                for (when, error) in [
                    ("if none has it", missing),
                    ("if none can be reached", unreachable),
                ] {
                    let error = error.as_deref().unwrap_or("no error");
                    let _ = writeln!(text, "  {when}, the node shows: {error}");
                }
            }
        }
        match &self.wharfie {
            Some(_) if self.same() => {
                let _ = writeln!(text, "  {WHARFIE}: the same hosts in the same order");
            }
            Some(other) => {
                let _ = writeln!(text, "  {WHARFIE} does otherwise:");
                if let Some(error) = &other.error {
                    let _ = writeln!(text, "    it fails before any request: {error}");
                }
                for (number, attempt) in other.attempts.iter().enumerate() {
                    attempt_text(&mut text, number + 1, attempt, configured);
                }
                for line in &other.log {
                    let _ = writeln!(text, "    it logs: {}", line.text);
                }
            }
            None => {}
        }
        text
    }

    fn json(&self, configured: &Configured) -> Value {
        let explanation = self.explanation.as_ref().map(|told| {
            let attempts = told.attempts.iter().zip(&told.consequences).map(|(attempt, follows)| {
                let mut value = attempt_json(attempt, configured);
                value["then"] = follows.iter().map(ToString::to_string).collect();
                value
            });
            let skipped = told.skipped.iter().map(|it| {
                json!({"host": it.host, "place": it.span.and_then(|span| configured.shown(span)), "why": why(it.why)})
            });
            let alternatives = told.alternatives.iter().map(|it| {
                json!({"instead_of": it.instead_of + 1, "attempt": attempt_json(&it.attempt, configured)})
            });
            json!({
                "image": told.image,
                "configuration": chosen(&told.choice, configured),
                "attempts": attempts.collect::<Vec<_>>(),
                "alternatives": alternatives.collect::<Vec<_>>(),
                "skipped": skipped.collect::<Vec<_>>(),
                "log": told.log.iter().map(|line| &line.text).collect::<Vec<_>>(),
                "pull_error": told.pull_error.as_ref().map(|line| &line.text),
                "if_all_say_404": self.all_fail.as_ref().and_then(|it| it.0.clone()),
                "if_none_can_be_reached": self.all_fail.as_ref().and_then(|it| it.1.clone()),
            })
        });
        let wharfie = self.wharfie.as_ref().map(|told| {
            let attempts = told
                .attempts
                .iter()
                .map(|attempt| attempt_json(attempt, configured));
            json!({
                "image": told.image,
                "same": self.same(),
                "attempts": attempts.collect::<Vec<_>>(),
                "log": told.log.iter().map(|line| &line.text).collect::<Vec<_>>(),
                "error": told.error,
            })
        });
        json!({ "containerd": explanation, "wharfie": wharfie })
    }
}

fn containerd(text: &mut String, told: &Explanation, configured: &Configured) {
    if let Some(error) = &told.pull_error {
        let place = error.span.and_then(|span| configured.shown(span));
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        let _ = writeln!(
            text,
            "  every pull fails before any request{place}: {}",
            error.text
        );
    }
    for (number, attempt) in told.attempts.iter().enumerate() {
        attempt_text(text, number + 1, attempt, configured);
        for other in told
            .alternatives
            .iter()
            .filter(|other| other.instead_of == number)
        {
            let _ = writeln!(text, "       or, at random  {}", other.attempt.url);
        }
        for line in consequences(told.consequences.get(number).map_or(&[], Vec::as_slice)) {
            let _ = writeln!(text, "       {line}");
        }
    }
    for skipped in &told.skipped {
        let place = skipped.span.and_then(|span| configured.shown(span));
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        let _ = writeln!(text, "  not asked: {}{place}: {}", skipped.host, why(skipped.why));
    }
    for line in &told.log {
        let place = line.span.and_then(|span| configured.shown(span));
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        let _ = writeln!(text, "  containerd logs{place}: {}", line.text);
    }
}

/// What follows from bad answers; those with the same end in one line.
fn consequences(all: &[Consequence]) -> Vec<String> {
    let simple = |it: &&Consequence| it.requests == 1 && it.then != Then::Done;
    let mut lines = Vec::new();
    for then in [Then::NextHost, Then::Ends, Then::Fails] {
        let same = all.iter().filter(simple).filter(|it| it.then == then);
        let classes: Vec<String> = same.map(|it| it.class.to_string()).collect();
        if !classes.is_empty() {
            lines.push(format!("on {}: {then}", classes.join("; ")));
        }
    }
    let others = all.iter().filter(|it| it.requests > 1);
    lines.extend(others.map(|it| format!("on {it}")));
    lines
}

fn attempt_text(text: &mut String, number: usize, attempt: &Attempt, configured: &Configured) {
    let _ = writeln!(text, "  {number:>2}. HEAD {}", attempt.url);
    let mut line = |what: &str, words: &str| {
        let _ = writeln!(text, "       {what:<12} {words}");
    };
    if let Some(error) = &attempt.error {
        line("never sent", error);
    }
    line("connection", &connection(attempt));
    line("shows", &shows(&attempt.presented));
    if !attempt.token_scope.is_empty() {
        line("token scope", &attempt.token_scope);
    }
    let reasons = reasons::of(attempt, configured);
    if reasons.is_empty() {
        line(
            "because",
            "no line of the configuration: the program's own default",
        );
    }
    for (what, place) in reasons {
        line("because", &format!("{what} at {place}"));
    }
}

fn attempt_json(attempt: &Attempt, configured: &Configured) -> Value {
    let because: serde_json::Map<String, Value> = reasons::of(attempt, configured)
        .into_iter()
        .map(|(what, place)| (what.to_ascii_lowercase(), place.into()))
        .collect();
    let (kind, username) = match &attempt.presented {
        Presented::Anonymous => ("anonymous", None),
        Presented::Basic { username, .. } => ("basic", Some(username)),
        Presented::IdentityToken(_) => ("identity_token", None),
        Presented::Broken(_) => ("broken", None),
    };
    json!({
        "url": attempt.url,
        "host": attempt.host,
        "repository": attempt.repository,
        "plain_http": attempt.plain_http,
        "http_fallback": attempt.http_fallback,
        "tls": {
            "ca": attempt.tls.ca, "client": attempt.tls.client, "skip_verify": attempt.tls.skip_verify,
        },
        "auth": { "kind": kind, "username": username },
        "token_scope": attempt.token_scope,
        "error": attempt.error,
        "because": because,
    })
}

fn connection(attempt: &Attempt) -> String {
    let tls = &attempt.tls;
    let mut parts = vec![match (attempt.plain_http, attempt.http_fallback) {
        (true, false) => "HTTP without TLS".to_owned(),
        (_, true) => "HTTPS first, plain HTTP if it does not speak TLS".to_owned(),
        (false, false) => "HTTPS".to_owned(),
    }];
    if !tls.ca.is_empty() {
        parts.push(format!(
            "trusts {} besides the system's authorities",
            tls.ca.join(", ")
        ));
    }
    parts.extend(
        tls.client
            .iter()
            .map(|(certificate, _)| format!("shows the certificate {certificate}")),
    );
    if tls.skip_verify {
        parts.push("certificates are not checked".to_owned());
    }
    parts.join("; ")
}

fn shows(presented: &Presented) -> String {
    match presented {
        Presented::Anonymous => "no credential".to_owned(),
        Presented::Basic { username, password } if password.is_empty() => {
            format!("user {username} without a password: an anonymous token is asked for")
        }
        Presented::Basic { username, .. } => format!("user {username} and a password (hidden)"),
        Presented::IdentityToken(_) => "an identity token (hidden)".to_owned(),
        Presented::Broken(error) => {
            format!("nothing: the credential is unreadable, and this host fails: {error}")
        }
    }
}

fn why(why: SkippedWhy) -> &'static str {
    match why {
        SkippedWhy::CannotResolve => "its capabilities have no `resolve`, and this is a tag",
        SkippedWhy::CannotPull => "its capabilities have no `pull`",
    }
}

/// What decides, and what was passed over.
fn chosen(choice: &Choice, configured: &Configured) -> String {
    let taken = choice
        .candidates
        .iter()
        .find(|candidate| candidate.outcome == Outcome::Taken);
    let name = taken.map_or("no directory", |candidate| candidate.name.as_str());
    let mut text = match choice.source {
        Source::HostsToml(_) => format!("read from certs.d/{name}/hosts.toml"),
        Source::EmptyHostsToml(_) => format!("certs.d/{name}/hosts.toml is empty: the registry itself"),
        Source::BrokenHostsToml(source) => format!(
            "certs.d/{name}/hosts.toml cannot be decoded{}: the registry itself",
            configured
                .sources
                .get(source)
                .map_or_else(String::new, |it| format!(" ({})", it.name()))
        ),
        Source::NoHostsToml => format!("certs.d/{name} has no hosts.toml: the registry itself"),
        Source::NoDirectory => "nothing in certs.d is about it: the registry itself".to_owned(),
        Source::Mirror => "registry.mirrors of config.toml, by the registry's name".to_owned(),
        Source::WildcardMirror => "registry.mirrors of config.toml, by `*`".to_owned(),
        Source::NoMirror => "no entry of registry.mirrors in config.toml: the registry itself".to_owned(),
    };
    if let Some(below) = taken.and_then(|candidate| candidate.implied_by.as_ref()) {
        let _ = write!(text, "; the directory is there only because of {below}");
    }
    for passed in choice
        .candidates
        .iter()
        .filter(|candidate| candidate.outcome == Outcome::Shadowed)
    {
        let _ = write!(text, "; {} is there too and is not read", passed.name);
    }
    text
}
