//! `images chart`, without helm and with a program that stands in for it.

use std::os::unix::fs::PermissionsExt;

use landfall_testkit::run;

use super::{app, chart, command};
use crate::place::Place;

fn stand_in(place: &Place, script: &str) {
    let path = place.scratch.write("bin/helm", format!("#!/bin/sh\n{script}"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_helm_the_scan_is_static_and_says_so() {
    let place = Place::new();
    for (version, others) in [
        ("v0.12.0", ""),
        ("v1.12.3", "ctl"),
        ("v1.15.3", "startupapicheck"),
        ("v1.21.1", "startupapicheck"),
    ] {
        let folder = chart(&format!("cert-manager-{version}"));
        let outcome = run(&mut command(
            &place,
            &["images", "chart", folder.to_str().unwrap()],
        ));
        let mut names = vec!["acmesolver", "cainjector", "controller", "webhook"];
        names.extend((!others.is_empty()).then_some(others));
        names.sort_unstable();
        let expected: String = names
            .iter()
            .map(|name| format!("quay.io/jetstack/cert-manager-{name}:{version}\n"))
            .collect();
        assert_eq!(outcome.stdout, expected, "{outcome}");
        assert!(
            outcome.is_ok() && outcome.stderr.contains("helm is not on the PATH"),
            "{outcome}"
        );
    }
}

#[test]
fn helm_is_told_everything_and_what_it_does_not_render_is_said() {
    let place = Place::new();
    place.scratch.write("app.tgz", app("1.2.3"));
    place.scratch.write("mine.yaml", "x: {image: org/x:1}\n");
    let rendered = "---\n# Source: app/templates/x.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: \"org/other:1\"}]}";
    stand_in(
        &place,
        &format!("printf '%s\\n' \"$@\" > \"$HOME/arguments\"\n/bin/cat <<'E'\n{rendered}\nE\n"),
    );
    let args = [
        "images",
        "chart",
        "app.tgz",
        "-f",
        "mine.yaml",
        "--set",
        "a=b",
        "--kube-version",
        "1.30",
        "--api-versions",
        "x/v1",
    ];
    let outcome = run(&mut command(&place, &args));
    assert_eq!(outcome.stdout, "org/other:1\n", "{outcome}");
    assert!(outcome.is_ok(), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("org/app:1.2.3 is in the chart (values image"),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .contains("mine.yaml:1: note: org/x:1 is in the chart"),
        "{outcome}"
    );
    let told = std::fs::read_to_string(place.path("arguments")).unwrap();
    let here = std::fs::canonicalize(place.scratch.path()).unwrap();
    let told = told
        .replace(here.to_str().unwrap(), "HERE")
        .replace(place.scratch.path().to_str().unwrap(), "HERE");
    let expected =
        "template app HERE/app.tgz --values HERE/mine.yaml --set a=b --kube-version 1.30 --api-versions x/v1";
    assert_eq!(told.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let all = [&args[..], &["--include-unrendered"]].concat();
    assert_eq!(
        run(&mut command(&place, &all)).ok(),
        "org/app:1.2.3\norg/other:1\norg/x:1\n"
    );
    let explained = run(&mut command(
        &place,
        &["images", "chart", "app.tgz", "--explain", "org/other:1"],
    ))
    .ok();
    assert_eq!(
        explained,
        "org/other:1\n  chart app 1.2.3: Pod p: spec.containers[0].image (app/templates/x.yaml)\n"
    );
    // Not asked for: not run.
    std::fs::remove_file(place.path("arguments")).unwrap();
    let outcome = run(&mut command(&place, &["images", "chart", "app.tgz", "--static"]));
    assert_eq!(outcome.ok(), "org/app:1.2.3\n");
    assert!(!place.path("arguments").exists());
}

#[test]
fn what_helm_refuses_is_told_and_the_static_scan_stands_in() {
    let place = Place::new();
    place.scratch.write("app.tgz", app("1.2.3"));
    stand_in(
        &place,
        "echo 'Error: chart requires kubeVersion: >= 9' >&2\nexit 1\n",
    );
    let outcome = run(&mut command(&place, &["images", "chart", "app.tgz"]));
    assert_eq!(
        (outcome.stdout.as_str(), outcome.code()),
        ("org/app:1.2.3\n", Some(1)),
        "{outcome}"
    );
    assert!(
        outcome.stderr.contains("app.tgz: error: helm cannot render it")
            && outcome.stderr.contains("--kube-version"),
        "{outcome}"
    );
}

#[test]
fn what_is_no_chart_is_refused() {
    let place = Place::new();
    place.scratch.write("folder/values.yaml", "");
    place.scratch.write("x.tgz", "no archive");
    place.scratch.write("cut.tgz", &app("1.2.3")[..60]);
    place.scratch.write("app.tgz", app("1.2.3"));
    place.scratch.write("bad.yaml", "a: b: c\n");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["folder"], 2, "folder: no Chart.yaml"),
        (&["nowhere"], 2, "a chart is a folder, a .tgz"),
        (&["x.tgz"], 4, "no gzipped tar"),
        (&["cut.tgz"], 4, "cut off or damaged"),
        (&["app.tgz", "-f", "bad.yaml"], 2, "bad.yaml:1:5: "),
        (&["app.tgz", "--set", "a"], 2, "--set a: needs `=`"),
    ];
    for (args, code, reason) in cases {
        let outcome = run(&mut command(&place, &[&["images", "chart"], args].concat()));
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome}");
    }
}
