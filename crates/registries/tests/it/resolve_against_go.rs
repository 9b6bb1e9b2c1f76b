//! Resolution as containerd's own resolver plays it: requests and errors of seven releases for three hundred scripts
//! of answers, hand-made and random (seed 41), against ours.

use std::collections::BTreeMap;

use landfall_diag::{SourceId, Spanned};
use landfall_oci::Reference;
use landfall_registries::Auth;
use landfall_registries::containerd::{
    Answer, Answers, Authorization, Containerd, Credential, Flavour, Release, Request, Setup,
};
use landfall_registries::hosts::{CertsD, NOWHERE};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "ref")]
    image: String,
    creds: BTreeMap<String, (String, String)>,
    scripts: BTreeMap<String, Vec<String>>,
    results: Vec<Go>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Go {
    releases: Vec<String>,
    requests: Vec<String>,
    error: Option<String>,
}

/// The scripted hosts: each answer once, the last for ever.
struct World<'c> {
    case: &'c Case,
    asked: BTreeMap<String, usize>,
    log: Vec<String>,
}

const DENIED: &str = "no token";

impl Answers for World<'_> {
    fn answer(&mut self, request: &Request) -> Answer {
        let script = &self.case.scripts[&request.host];
        let asked = self.asked.entry(request.host.clone()).or_default();
        let word = &script[(*asked).min(script.len() - 1)];
        *asked += 1;
        let authorization = match request.authorization {
            Authorization::None => "-",
            Authorization::Basic => "basic",
            Authorization::Bearer => "bearer",
        };
        let method = request.method.as_str();
        let host = &request.host;
        let kind = if request.url.contains("/manifests/") {
            "manifests"
        } else {
            "blobs"
        };
        self.log
            .push(format!("{method} {host} {kind} {authorization} {word}"));
        let bearer = |error: Option<&str>, token| Answer::Bearer {
            error: error.map(str::to_owned),
            token,
        };
        match word.as_str() {
            "refused" => Answer::Refused,
            "eof" => Answer::Cut,
            "timeout" => Answer::TimedOut,
            "basic" => Answer::Basic,
            "bearer" => bearer(None, Ok(())),
            "bearererror" => bearer(Some("invalid_token"), Ok(())),
            "bearerdeny" => bearer(None, Err(DENIED.to_owned())),
            "nodigest" => Answer::NoSize,
            status => Answer::Status(status.parse().unwrap()),
        }
    }
}

fn credential(host: &str, (user, secret): &(String, String)) -> Credential {
    let some = |text: &str| Some(Spanned::new(text.to_owned(), NOWHERE)).filter(|text| !text.is_empty());
    let mut auth = Auth::default();
    match (user.as_str(), secret) {
        ("broken", _) => auth.auth = some("***").map(|text| text.map(Into::into)),
        ("", token) => auth.identity_token = some(token).map(|text| text.map(Into::into)),
        (user, password) => {
            auth.username = some(user);
            auth.password = some(password).map(|text| text.map(Into::into));
        }
    }
    Credential {
        key: Spanned::new(host.to_owned(), NOWHERE),
        auth,
        span: NOWHERE,
    }
}

fn ours(case: &Case, release: Release) -> (Vec<String>, Option<String>) {
    let mut root = CertsD::new("certs.d");
    let hosts = case.scripts.keys().filter(|host| *host != "registry-1.docker.io");
    let hosts: String = hosts.map(|host| format!("[host.\"https://{host}\"]\n")).collect();
    root.put("docker.io", SourceId(0), format!("[host]\n{hosts}"));
    let mut setup = Setup::new(Flavour::Upstream);
    setup.behaviour = release.behaviour();
    setup.roots.push(root);
    setup.credentials = case
        .creds
        .iter()
        .map(|(host, secret)| credential(host, secret))
        .collect();
    let mut world = World {
        case,
        asked: BTreeMap::new(),
        log: Vec::new(),
    };
    let trace = Containerd::new(setup).simulate(&Reference::parse(&case.image).unwrap(), &mut world);
    assert_eq!(trace.resolved, trace.resolve_error.is_none());
    assert_eq!(trace.requests.len(), world.log.len());
    (world.log, trace.resolve_error)
}

/// The token server's words are its own.
fn comparable(error: &Option<String>) -> Option<String> {
    let error = error.as_deref()?;
    let (before, _) = error.split_once("failed to authorize: ").unwrap_or((error, ""));
    Some(before.to_owned())
}

#[test]
fn every_release_asks_and_fails_the_same() {
    let text = include_str!("../go/resolve.json").replace("sha256:5", &format!("sha256:{}", "5".repeat(64)));
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 300);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in &cases {
        for go in &case.results {
            for name in &go.releases {
                let release = Release::ALL
                    .into_iter()
                    .find(|release| format!("v{}", release.as_str().replace('.', "_")) == *name);
                let (log, error) = ours(case, release.unwrap());
                compared += 1;
                if log != go.requests || comparable(&error) != comparable(&go.error) {
                    wrong.push(format!(
                        "{name} {} {:?} {:?}\n ours   {log:#?} {error:?}\n theirs {:#?} {:?}",
                        case.image, case.creds, case.scripts, go.requests, go.error
                    ));
                }
            }
        }
    }
    assert_eq!(compared, cases.len() * Release::ALL.len());
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
