//! `registries rewrite`: rules, tried.

use landfall_testkit::Outcome;
use serde_json::Value;

use super::{PASSWORD, document, said};
use crate::place::Place;

fn rewrite(args: &[&str]) -> Outcome {
    Place::new().landfall(&[&["registries", "rewrite"], args].concat())
}

fn results(json: &Value, name: usize) -> Vec<String> {
    let results = json["names"][name]["results"].as_array().unwrap();
    let text = |result: &Value| result["repository"].as_str().unwrap().to_owned();
    results.iter().map(text).collect()
}

#[test]
fn a_sound_rule_is_applied_to_the_repository_alone() {
    let outcome = rewrite(&[
        "--rule",
        "^rancher/(.*)=mirror/$1",
        "rancher/rancher:v2.9.0",
        "quay.io/rancher/x",
        "nginx",
        "--output",
        "json",
    ]);
    said(&outcome, 0, &[]);
    let json = document(&outcome);
    assert_eq!(json["sound"], true);
    assert_eq!(results(&json, 0), ["mirror/rancher"]);
    assert_eq!(results(&json, 1), ["mirror/x"]);
    assert_eq!(json["names"][2]["repository"], "library/nginx");
    assert!(results(&json, 2).is_empty());
}

#[test]
fn what_go_refuses_is_marked_and_explained() {
    let outcome = rewrite(&["--rule", "^(?!rancher)(.*)=x/$1", "nginx"]);
    said(
        &outcome,
        1,
        &[
            "error[L19]",
            "--rule:1:2",
            "invalid or unsupported Perl syntax: `(?!`",
            "Go has no look-ahead",
            "(refused by Go)",
        ],
    );
}

#[test]
fn overlapping_rules_leave_it_to_chance() {
    let outcome = rewrite(&[
        "--rule",
        "^rancher/(.*)=a/$1",
        "--rule",
        "^(.*)/rancher$=b/$1",
        "rancher/rancher",
        "rancher/x",
    ]);
    said(
        &outcome,
        1,
        &[
            "error[L23]",
            "a/rancher",
            "b/rancher",
            "the node chooses by chance",
            "1 by chance",
        ],
    );
    let apart = rewrite(&[
        "--rule",
        "^rancher/(.*)=a/$1",
        "--rule",
        "^library/(.*)=b/$1",
        "rancher/x",
    ]);
    said(&apart, 0, &["a/x"]);
}

#[test]
fn the_usual_pitfalls_are_named() {
    for (rule, code, words) in [
        (
            "^a/(.*)=m/$1_x",
            1,
            &["error[L21]", "no group `1_x`", "m/${1}_x"][..],
        ),
        ("^a\\.b/(.*)=m/$1", 1, &["error[L20]", "^a[.]b/(.*)"]),
        ("a/(.*)=m/$1", 0, &["warning[L22]", "`^a/(.*)`"]),
        ("^a/=/", 1, &["error[L24]", "begins with `/`"]),
        ("^(.*)$=A/$1", 1, &["error[L24]", "capitals"]),
        ("^ABC=x", 0, &["no repository can match"]),
        ("^(?<n>a)/=x/", 0, &["a Go before 1.22"]),
    ] {
        said(&rewrite(&["--rule", rule]), code, words);
    }
}

#[test]
fn bad_results_of_given_names_count() {
    let outcome = rewrite(&["--rule", "^x/(.*)=X/$1", "x/y", "--output", "json"]);
    said(&outcome, 1, &[]);
    assert_eq!(document(&outcome)["sound"], false);
}

#[test]
fn rules_of_a_file_are_those_of_the_images_registry() {
    let place = Place::new();
    place.scratch.write(
        "registries.yaml",
        format!(
            "mirrors:\n  docker.io:\n    endpoint: [\"https://a.example\"]\n    rewrite: {{\"^rancher/(.*)\": \"m/$1\"}}\n  \
             \"*\":\n    endpoint: [\"https://a.example\"]\n    rewrite: {{\"^(.*)$\": \"all/$1\"}}\nconfigs: \
             {{a.example: {{auth: {{username: u, password: {PASSWORD}}}}}}}\n"
        ),
    );
    place
        .scratch
        .write("list.txt", "rancher/a:1\nquay.io/a/b:1\nghcr.io/a/b:1\nnginx:1\n");
    let args = [
        "registries",
        "rewrite",
        "--registries",
        "registries.yaml",
        "-l",
        "list.txt",
    ];
    let outcome = place.landfall(&args);
    said(
        &outcome,
        0,
        &[
            "Rules of the mirror `docker.io` (registries.yaml:2:3)",
            "m/a",
            "all/a/b",
            "warning[L26]",
            "quay.io/a/b, ghcr.io/a/b all become `all/a/b`",
            "4 names: 3 rewritten, 1 as they are",
        ],
    );
    let json = place.landfall(&[&args[..], &["--output", "json"]].concat());
    said(&json, 0, &[]);
    assert_eq!(document(&json)["collisions"][0]["repository"], "all/a/b");
}

#[test]
fn what_cannot_be_understood_is_said() {
    said(&rewrite(&["nginx"]), 2, &["--rule"]);
    said(&rewrite(&["--rule", "abc", "nginx"]), 2, &["PATTERN=REPLACEMENT"]);
    said(&rewrite(&["--rule", "a=b", "--rule", "a=c"]), 2, &["given twice"]);
    said(&rewrite(&["--rule", "^a=b", "UPPER"]), 2, &["UPPER"]);
    said(&rewrite(&["--registries", "none.yaml", "a"]), 3, &["none.yaml"]);
}
