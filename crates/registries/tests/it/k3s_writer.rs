//! What we write for K3s is rendered by K3s without any of its faults, and means what was meant.

use std::collections::BTreeSet;

use landfall_diag::{SourceId, Spanned};
use landfall_oci::Reference;
use landfall_registries::hosts::toml;
use landfall_registries::intent::{
    BLOCKED_HOST, Endpoint, Intent, Match, Registry, Rule, RuleKind, Upstream, asked_host,
};
use landfall_registries::k3s::{Node, Options, Program};
use landfall_registries::registries_yaml::{self, Target, Written, write};
use landfall_registries::runtimes::Body;
use landfall_registries::{Attempt, Presented};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::runtimes::generated::{self, HERE};
use crate::runtimes::oracle::{HOSTS, seen};

const REPOSITORIES: [&str; 7] = [
    "library/nginx",
    "rancher/nginx",
    "rancher/a/b",
    "rancherx/y",
    "org/img",
    "org/team/x",
    "solo",
];
const DIGEST: &str = "sha256:82becede498899ec668628e7cb0ad87b6e1c371cb8a1e597d83a47fac21d6af3";

fn text(written: &Written) -> String {
    let [file] = written.rendered.files.as_slice() else {
        panic!("not one file: {written:#?}");
    };
    match &file.body {
        Body::Text(text) => text.clone(),
        Body::Link(to) => panic!("a link to {to}"),
    }
}

fn node(written: &Written) -> Result<Node, String> {
    let read = registries_yaml::read(SourceId(0), &text(written));
    let file = read.registries.map_err(|error| error.message)?;
    let mut options = Options::new(Program::K3s);
    options.disable_default_endpoint = written.disable_default_endpoint;
    Ok(Node::new(&file, options))
}

/// None of the faults, whatever was lost.
fn sound(written: &Written, node: &Node) -> Result<(), String> {
    if let Some(refusal) = node.refusal() {
        return Err(format!("does not start: {refusal:?}"));
    }
    if let Some(warning) = node.rendering().warnings.first() {
        return Err(format!("warns: {warning:?}"));
    }
    for hosts in &node.rendering().hosts {
        let directory = hosts.directory.as_deref().unwrap_or("/");
        if directory.contains('/') || toml::parse(SourceId(0), &hosts.rendered.text).error.is_some() {
            return Err(format!("{directory}: {}", hosts.rendered.text));
        }
    }
    for loss in &written.rendered.losses {
        if loss.span != Some(HERE) || loss.what.is_empty() || loss.why.is_empty() || loss.advice.is_empty() {
            return Err(format!("{loss:?}"));
        }
    }
    Ok(())
}

fn attempts(node: &Node, image: &str) -> Result<Vec<Attempt>, String> {
    let told = node.explain(&Reference::parse(image).map_err(|error| error.to_string())?);
    if !told.alternatives.is_empty()
        || told.pull_error.is_some()
        || told.log.iter().any(|l| l.text.contains("decode"))
    {
        return Err(format!("{told:#?}"));
    }
    let mut attempts = told.attempts;
    attempts.retain(|attempt| attempt.url.contains("/manifests/") && attempt.host != BLOCKED_HOST);
    Ok(attempts)
}

/// An attempt in the oracle's words.
fn place(attempt: &Attempt) -> String {
    let (url, _) = attempt.url.split_once("/manifests/").expect("a manifest");
    let url = url.replace("registry-1.docker.io", "docker.io");
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let (host, path) = rest.split_once('/').expect("a path");
    match path.strip_prefix("v2/") {
        Some(path) => format!("{scheme}://{host}/v2 {path}"),
        None => format!("{scheme}://{host}/{path}"),
    }
}

fn means_the_same(intent: &Intent, node: &Node) -> Result<(), String> {
    let meant = seen(intent, &HOSTS);
    for host in HOSTS {
        for repository in REPOSITORIES {
            for (suffix, shown) in [(":tag".to_owned(), ":tag"), (format!("@{DIGEST}"), "@digest")] {
                let Some(meant) = meant.get(&format!("{host}/{repository}{shown}")) else {
                    continue;
                };
                let found = attempts(node, &format!("{host}/{repository}{suffix}"))?;
                let mut places: Vec<String> = found.iter().map(place).collect();
                places.dedup();
                if places.join("  ") != *meant {
                    return Err(format!(
                        "{host}/{repository}{suffix}\n  wanted {meant}\n  found  {}",
                        places.join("  ")
                    ));
                }
                for attempt in &found {
                    shows_the_same(intent, attempt)?;
                }
            }
        }
    }
    Ok(())
}

fn shows_the_same(intent: &Intent, attempt: &Attempt) -> Result<(), String> {
    let credential = intent.credential_of(&attempt.host);
    let meant = credential.map_or(Presented::Anonymous, |credential| {
        match credential.auth.user_password() {
            Some((username, password)) => Presented::Basic { username, password },
            None => credential
                .auth
                .identity_token
                .clone()
                .map_or(Presented::Anonymous, |token| {
                    Presented::IdentityToken(token.value)
                }),
        }
    });
    let tls = intent
        .trust_of(&attempt.host)
        .map(|trust| trust.tls.clone())
        .unwrap_or_default();
    let ca: Vec<String> = tls.ca.iter().map(|ca| ca.value.clone()).collect();
    let skip = tls.skip_verify.as_ref().is_some_and(|skip| skip.value);
    // To containerd nothing on this machine is checked.
    let local = attempt.host.starts_with("127.");
    let same = attempt.presented == meant
        && (attempt.plain_http || attempt.tls.ca == ca && (local || attempt.tls.skip_verify == skip));
    same.then_some(())
        .ok_or(format!("{attempt:#?}\n{meant:?} {tls:?}"))
}

/// A registry that must not be asked is not, unless a loss says so.
fn leaks_nothing(intent: &Intent, written: &Written, node: &Node) -> Result<(), String> {
    for host in HOSTS {
        let exact = Match::Exact(host.to_owned());
        let mut entries = intent.registries.iter();
        let entry = entries
            .find(|entry| entry.matches.value == exact)
            .or_else(|| intent.wildcard());
        let Some(entry) = entry.filter(|entry| entry.upstream.value != Upstream::Allow) else {
            continue;
        };
        let mut allowed: BTreeSet<&str> = entry.endpoints.iter().map(|one| asked_host(&one.host)).collect();
        let told = written.rendered.losses.iter().any(|loss| {
            loss.what.contains(&format!("`{host}"))
                && ["own name", "mirrors alone"]
                    .iter()
                    .any(|w| loss.what.contains(w))
        });
        if told {
            allowed.insert(asked_host(host));
        }
        for attempt in attempts(node, &format!("{host}/org/img:1"))? {
            if !allowed.contains(attempt.host.as_str()) {
                return Err(format!("{host} leads to {}", attempt.url));
            }
        }
    }
    Ok(())
}

fn has_regex(intent: &Intent) -> bool {
    let endpoints = intent.registries.iter().flat_map(|registry| &registry.endpoints);
    let mut rules = endpoints.flat_map(|endpoint| &endpoint.rewrites);
    rules.any(|rule| matches!(rule.kind, RuleKind::Regex { .. }))
}

#[test]
fn what_is_written_is_rendered_without_faults_and_means_the_same() {
    let exact = std::cell::Cell::new(0);
    let cases = std::env::var("LANDFALL_CASES").map_or(600, |cases| cases.parse().unwrap());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&generated::intent(), |intent| {
        let written = write(&intent, &Target::new(Program::K3s));
        let check = || -> Result<(), String> {
            let node = node(&written)?;
            sound(&written, &node)?;
            leaks_nothing(&intent, &written, &node)?;
            if written.rendered.losses.is_empty() && !has_regex(&intent) {
                exact.set(exact.get() + 1);
                means_the_same(&intent, &node)?;
            }
            Ok(())
        };
        check().map_err(|error| {
            let text = text(&written);
            proptest::test_runner::TestCaseError::fail(format!(
                "{error}\n{text}\n{:#?}",
                written.rendered.losses
            ))
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(
        exact.get() >= cases / 40,
        "only {} of the intents were without a loss",
        exact.get()
    );
}

fn one(registry: Registry) -> Intent {
    Intent {
        registries: vec![registry],
        ..Intent::default()
    }
}

fn registry(host: &str, upstream: Upstream, endpoints: Vec<Endpoint>) -> Registry {
    let matches = if host == "*" {
        Match::Wildcard
    } else {
        Match::Exact(host.to_owned())
    };
    Registry {
        matches: Spanned::new(matches, HERE),
        upstream: Spanned::new(upstream, HERE),
        endpoints,
    }
}

fn with_rules(host: &str, rules: &[(&str, &str)]) -> Endpoint {
    let rule = |(pattern, replacement): &(&str, &str)| Rule {
        kind: RuleKind::from_go(pattern, replacement),
        span: HERE,
    };
    Endpoint {
        rewrites: rules.iter().map(rule).collect(),
        ..Endpoint::new(host, HERE)
    }
}

fn urls(written: &Written, image: &str) -> Vec<String> {
    attempts(&node(written).expect("a node"), image)
        .expect("attempts")
        .into_iter()
        .map(|attempt| attempt.url)
        .collect()
}

#[test]
fn patterns_are_written_without_what_breaks_hosts_toml() {
    let endpoint = with_rules("m.local", &[(r"^rancher/v(\d+)\.x/(.*)", "r$1/$2")]);
    let written = write(
        &one(registry("docker.io", Upstream::Deny, vec![endpoint])),
        &Target::new(Program::K3s),
    );
    assert!(
        text(&written).contains("\"^rancher/v([0-9]+)[.]x/(.*)\": \"r$1/$2\""),
        "{}",
        text(&written)
    );
    assert_eq!(written.rendered.losses, []);
    assert!(written.disable_default_endpoint);
    assert_eq!(
        urls(&written, "rancher/v2.x/pause:1"),
        ["https://m.local/v2/r2/pause/manifests/1?ns=docker.io"]
    );
}

#[test]
fn rules_that_want_the_same_name_are_not_left_to_chance() {
    let rules = [
        ("^rancher/(.*)$", "a/$1"),
        ("^rancher/x(.*)$", "b/$1"),
        ("^rancher/\\bx", "c"),
    ];
    let written = write(
        &one(registry(
            "docker.io",
            Upstream::Allow,
            vec![with_rules("m.local", &rules)],
        )),
        &Target::new(Program::K3s),
    );
    let why: Vec<&str> = written
        .rendered
        .losses
        .iter()
        .map(|loss| loss.why.as_str())
        .collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(
        why[0].contains("random order") && why[1].contains("backslash"),
        "{why:?}"
    );
    assert_eq!(
        urls(&written, "rancher/xy:1")[0],
        "https://m.local/v2/a/xy/manifests/1?ns=docker.io"
    );
}

#[test]
fn a_prefix_for_all_names_stands_in_the_address() {
    let intent = one(registry(
        "quay.io",
        Upstream::Allow,
        vec![with_rules("harbor.local", &[("(.*)", "quay/$1")])],
    ));
    let plain = write(&intent, &Target::new(Program::Rke2));
    assert_eq!(plain.rendered.files[0].path, "/etc/rancher/rke2/registries.yaml");
    assert_eq!(
        text(&plain),
        "mirrors:\n  \"quay.io\":\n    endpoint:\n      - \"https://harbor.local/v2/quay\"\n"
    );
    let target = Target {
        embedded_registry: true,
        header: vec!["written for a test".to_owned()],
        ..Target::new(Program::Rke2)
    };
    assert_eq!(
        text(&write(&intent, &target)),
        "# written for a test\nmirrors:\n  \"quay.io\":\n    endpoint:\n      - \"https://harbor.local\"\n    \
         rewrite:\n      \"^(.*)$\": \"quay/$1\"\n"
    );
}

#[test]
fn rules_for_the_registrys_own_host_are_kept() {
    let endpoint = with_rules("quay.io", &[("^a/(.*)", "b/$1")]);
    let written = write(
        &one(registry("quay.io", Upstream::Allow, vec![endpoint])),
        &Target::new(Program::K3s),
    );
    assert_eq!(
        urls(&written, "quay.io/a/x:1")[0],
        "https://quay.io/v2/b/x/manifests/1"
    );
}

#[test]
fn one_denied_registry_leaves_the_others_their_own_hosts() {
    let intent = Intent {
        registries: vec![
            registry("docker.io", Upstream::Deny, vec![Endpoint::new("m.local", HERE)]),
            registry("quay.io", Upstream::Allow, vec![Endpoint::new("m.local", HERE)]),
            registry("ghcr.io", Upstream::Blocked, Vec::new()),
        ],
        ..Intent::default()
    };
    let written = write(&intent, &Target::new(Program::K3s));
    assert_eq!(
        urls(&written, "nginx:1"),
        ["https://m.local/v2/library/nginx/manifests/1?ns=docker.io"]
    );
    assert_eq!(
        urls(&written, "quay.io/a/b:1")[1],
        "https://quay.io/v2/a/b/manifests/1"
    );
    assert_eq!(urls(&written, "ghcr.io/a/b:1"), [] as [&str; 0]);
}
