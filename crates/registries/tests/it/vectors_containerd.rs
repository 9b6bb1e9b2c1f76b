//! The vectors that begin at hosts.toml, given or rendered: what containerd makes of it.

use std::collections::BTreeMap;

use landfall_diag::{SourceId, Span, Spanned};
use landfall_oci::Reference;
use landfall_registries::containerd::{
    Answer, Answers, Authorization, Containerd, Credential, Explanation, FileState, Flavour, Request, Setup,
};
use landfall_registries::hosts::{CertsD, NOWHERE};
use landfall_registries::{Attempt, Auth, Presented};

use crate::vectors::{ExpectedAttempt, ExpectedAuth, ExpectedTls, Response, Vector, each};

/// The configuration of a vector: hosts.toml as given, or as K3s is expected to render it.
pub(crate) fn setup(vector: &Vector) -> Option<Setup> {
    let options = &vector.options;
    if options.consumer.is_some() || options.k3s_generation.is_some() || vector.expected.fatal.is_some() {
        return None;
    }
    let flavour = match options.containerd.as_deref() {
        Some("upstream") => Flavour::Upstream,
        None | Some("k3s") => Flavour::K3s,
        Some(other) => panic!("containerd: {other}"),
    };
    let mut setup = Setup::new(flavour);
    setup.docker_io_alias = options.docker_io_alias != Some(false);
    setup.windows = options.platform.as_deref() == Some("windows");
    let mut root = CertsD::new("certs.d");
    if let Some(given) = &vector.input_hosts_toml {
        for (path, text) in given {
            match text {
                Some(text) => root.put(path.trim_end_matches("/hosts.toml"), SourceId(0), text),
                None => {
                    _ = root
                        .dirs
                        .entry(path.trim_end_matches("/hosts.toml").to_owned())
                        .or_default()
                }
            }
        }
    } else {
        for (path, text) in vector.expected.hosts_toml.as_ref()? {
            let normal = path.replace('\\', "/");
            let (before, below) = normal.split_once("/certs.d/").expect("a path in certs.d");
            root.path = format!("{before}/certs.d");
            root.put(below.trim_end_matches("/hosts.toml"), SourceId(0), text);
        }
    }
    setup.roots.push(root);
    for file in &options.missing_files {
        setup.files.insert(file.clone(), FileState::Missing);
    }
    let auth = vector.expected.config_toml_auth.iter().flatten();
    setup.credentials = auth.map(|(key, fields)| credential(key, fields)).collect();
    Some(setup)
}

fn credential(key: &str, fields: &BTreeMap<String, String>) -> Credential {
    let plain = |name: &str| fields.get(name).map(|text| Spanned::new(text.clone(), NOWHERE));
    let secret = |name: &str| plain(name).map(|text| text.map(Into::into));
    let known = ["username", "password", "auth", "identitytoken"];
    assert!(
        fields.keys().all(|name| known.contains(&name.as_str())),
        "{fields:?}"
    );
    Credential {
        key: Spanned::new(key.to_owned(), NOWHERE),
        auth: Auth {
            username: plain("username"),
            password: secret("password"),
            auth: secret("auth"),
            identity_token: secret("identitytoken"),
        },
        span: Span { start: 1, ..NOWHERE },
    }
}

/// An attempt in the vectors' terms.
pub(crate) fn as_expected(attempt: &Attempt) -> ExpectedAttempt {
    ExpectedAttempt {
        url: attempt.url.clone(),
        plain_http: attempt.plain_http,
        http_fallback: attempt.http_fallback,
        tls: ExpectedTls {
            ca: attempt.tls.ca.clone(),
            client: attempt.tls.client.clone(),
            skip_verify: attempt.tls.skip_verify,
        },
        auth: match &attempt.presented {
            Presented::Anonymous | Presented::Broken(_) => None,
            Presented::Basic { username, password } => Some(ExpectedAuth::Basic {
                username: username.clone(),
                password: password.expose().to_owned(),
            }),
            Presented::IdentityToken(token) => Some(ExpectedAuth::IdentityToken {
                token: token.expose().to_owned(),
            }),
        },
        token_scope: Some(attempt.token_scope.clone()).filter(|scope| !scope.is_empty()),
        error: attempt.error.clone(),
    }
}

/// All sequences of attempts that an explanation allows, when one rule wins throughout.
fn sequences(told: &Explanation) -> Vec<Vec<ExpectedAttempt>> {
    let first: Vec<ExpectedAttempt> = told.attempts.iter().map(as_expected).collect();
    let mut all = vec![first];
    for other in &told.alternatives {
        let more = all.clone().into_iter().map(|mut sequence| {
            sequence[other.instead_of] = as_expected(&other.attempt);
            sequence
        });
        all.extend(more.collect::<Vec<_>>());
    }
    all
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "{what}:\n  found    {found:#?}\n  expected {expected:#?}"
        )),
    }
}

fn root_hidden(text: &str, setup: &Setup, shown: &str) -> String {
    text.replace(&setup.roots[0].path, shown)
}

#[test]
fn vectors_of_hosts_toml_are_explained() {
    each(|vector| {
        let Some(setup) = setup(vector) else { return Ok(()) };
        let expected = &vector.expected;
        let image = match Reference::parse(&vector.image) {
            Ok(image) => image,
            Err(_) => return Ok(()),
        };
        let containerd = Containerd::new(setup);
        let told = containerd.explain(&image);
        if let Some(normal) = &expected.normalized_image {
            same("image", &told.image, normal)?;
        }
        let hide = |text: &str, shown: &str| root_hidden(text, containerd.setup(), shown);
        let error = told.pull_error.as_ref().map(|line| hide(&line.text, "<certs.d>"));
        same("pull error", &error, &expected.pull_error)?;
        let log: Vec<String> = told.log.iter().map(|line| hide(&line.text, "certs.d")).collect();
        same("log", &log, &expected.containerd_log.clone().unwrap_or_default())?;
        let found = sequences(&told);
        if let Some(attempts) = &expected.attempts {
            same("alternatives", &told.alternatives.len(), &0)?;
            same("attempts", &found[0], attempts)?;
        }
        if let Some(any_of) = &expected.attempts_any_of {
            let missing: Vec<_> = any_of.iter().filter(|one| !found.contains(one)).collect();
            if !missing.is_empty() {
                return Err(format!("not among {found:#?}:\n{missing:#?}"));
            }
        }
        Ok(())
    });
}

/// The world of a vector: scripted hosts, the last answer repeated; every other host wants a token, then has nothing.
struct World<'v> {
    vector: &'v Vector,
    asked: BTreeMap<String, usize>,
}

impl Answers for World<'_> {
    fn answer(&mut self, request: &Request) -> Answer {
        let asked = self.asked.entry(request.host.clone()).or_default();
        *asked += 1;
        let Some(script) = self.vector.options.responses.get(&request.host) else {
            return match request.authorization {
                Authorization::None => Answer::Bearer {
                    error: None,
                    token: Ok(()),
                },
                _ => Answer::Status(404),
            };
        };
        match script.get(*asked - 1).or(script.last()).expect("an answer") {
            Response::Status(401) => Answer::Basic,
            Response::Status(status) => Answer::Status(*status),
            Response::Other(text) if text == "connrefused" => Answer::Refused,
            Response::Other(text) => panic!("answer {text}"),
        }
    }
}

#[test]
fn vectors_of_answers_are_played() {
    each(|vector| {
        let expected = &vector.expected;
        let (Some(setup), Ok(image)) = (setup(vector), Reference::parse(&vector.image)) else {
            return Ok(());
        };
        let asked = BTreeMap::new();
        let trace = Containerd::new(setup).simulate(&image, &mut World { vector, asked });
        if let Some(requests) = &expected.requests {
            let found: Vec<String> = trace.requests.iter().map(ToString::to_string).collect();
            same("requests", &found, requests)?;
        }
        if let Some(resolved) = expected.resolved {
            same("resolved", &trace.resolved, &resolved)?;
        }
        if expected.resolve_error.is_some() {
            same("error", &trace.resolve_error, &expected.resolve_error)?;
        }
        Ok(())
    });
}
