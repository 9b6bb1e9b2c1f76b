//! hosts.toml as containerd's own package read it: what its `ConfigureHosts` of v2.4.2 and v1.6.20 returned and
//! logged for some hundred files, hand-made and random (seed 20260), against ours.

use std::collections::BTreeMap;

use landfall_diag::SourceId;
use landfall_oci::Reference;
use landfall_registries::containerd::{Containerd, FileState, Flavour, Release, Setup};
use landfall_registries::hosts::CertsD;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    registry: String,
    files: BTreeMap<String, String>,
    v2_4: Go,
    v1_6: Go,
}

/// Scheme, host, path, whether it may pull and resolve, whether it falls back to HTTP.
type Host = (String, String, String, bool, bool);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Go {
    hosts: Vec<Host>,
    log: Vec<String>,
    error: Option<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../go/hosts_toml.json")).unwrap()
}

fn containerd(case: &Case, release: Release) -> Containerd {
    let mut setup = Setup::new(Flavour::Upstream);
    setup.behaviour = release.behaviour();
    let mut root = CertsD::new("certs.d");
    for (path, text) in &case.files {
        let (dir, name) = path.rsplit_once('/').unwrap();
        if name == "hosts.toml" {
            root.put(dir, SourceId(0), text);
        } else {
            root.dirs
                .entry(dir.to_owned())
                .or_default()
                .files
                .push(name.to_owned());
            setup.files.insert(format!("certs.d/{path}"), FileState::NoPem);
        }
    }
    // No file that the tables name was there.
    for file in [
        "rel.crt",
        "c",
        "both.pem",
        "a",
        "x",
        "b",
        "lit",
        "m3",
        "https:/m1",
    ] {
        for dir in case.files.keys().filter_map(|path| path.rsplit_once('/')) {
            let path = format!("certs.d/{}/{file}", dir.0);
            setup.files.insert(path, FileState::Missing);
        }
    }
    setup.roots.push(root);
    Containerd::new(setup)
}

/// What we tell, in Go's terms; hosts that cannot resolve are not among the attempts.
fn ours(case: &Case, release: Release) -> (Vec<(String, bool)>, Vec<String>, Option<String>) {
    let image = Reference::parse(&format!("{}/x/a:1", case.registry)).unwrap();
    let told = containerd(case, release).explain(&image);
    let attempts = told
        .attempts
        .iter()
        .map(|attempt| (attempt.url.clone(), attempt.http_fallback));
    let log = told.log.iter().map(|line| line.text.clone());
    (
        attempts.collect(),
        log.collect(),
        told.pull_error.map(|line| line.text),
    )
}

fn theirs(case: &Case, go: &Go) -> Vec<(String, bool)> {
    let able = go.hosts.iter().filter(|host| host.3);
    able.map(|(scheme, host, path, _, fallback)| {
        let own = *host == case.registry || case.registry == "docker.io" && host == "registry-1.docker.io";
        let ns = case
            .registry
            .replace(':', "%3A")
            .replace('[', "%5B")
            .replace(']', "%5D");
        let ns = if own { String::new() } else { format!("?ns={ns}") };
        let path = path.trim_end_matches('/').replace("//", "/");
        let slash = if path.is_empty() || path.starts_with('/') {
            ""
        } else {
            "/"
        };
        (
            format!("{scheme}://{host}{slash}{path}/x/a/manifests/1{ns}"),
            *fallback,
        )
    })
    .collect()
}

/// go-toml v1 takes a lone carriage return for a blank, and a key that begins with a dot.
const ODD_IN_V1: [&str; 2] = ["server=\"https://m\"\r[host]\n", ".a = []\n"];

fn check(release: Release, go: impl Fn(&Case) -> &Go, log: impl Fn(&str) -> String) {
    let cases = cases();
    assert!(cases.len() > 400);
    let mut wrong = Vec::new();
    for case in &cases {
        let expected = go(case);
        let odd = |text: &String| ODD_IN_V1.iter().any(|odd| text.starts_with(odd));
        if release < Release::V2_0 && case.files.values().any(odd) {
            continue;
        }
        let (attempts, lines, error) = ours(case, release);
        let lines: Vec<String> = lines.iter().map(|line| log(line)).collect();
        let told: Vec<String> = expected.log.iter().map(|line| log(line)).collect();
        let hosts = theirs(case, expected);
        if (&attempts, &lines, &error) != (&hosts, &told, &expected.error) {
            wrong.push(format!(
                "{} {:#?}\n ours   {attempts:?} {lines:?} {error:?}\n theirs {hosts:?} {told:?} {:?}",
                case.registry, case.files, expected.error
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_newest_containerd_reads_the_same() {
    check(Release::V2_4, |case| &case.v2_4, str::to_owned);
}

/// go-toml v1 has other words for most errors; that there is one, and what follows, is the same.
#[test]
fn debians_containerd_reads_the_same() {
    let failed = "failed to decode hosts.toml";
    check(
        Release::V1_6,
        |case| &case.v1_6,
        |line| match line.starts_with(failed) {
            true => failed.to_owned(),
            false => line.to_owned(),
        },
    );
}
