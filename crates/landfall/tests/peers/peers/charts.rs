//! Charts rendered by the real helm, and the static scan beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_testkit::peers::helm;
use landfall_testkit::{Outcome, run};
use serde_json::Value;

use crate::place::Place;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../images/tests/charts")
        .join(name)
}

/// The program with helm on its PATH. A helm that `go install` built renders for Kubernetes 1.20 unless it is told.
fn scan(place: &Place, chart: &Path, more: &[&str]) -> Outcome {
    let mut command: Command = place.command(&["images", "chart", chart.to_str().unwrap()]);
    command.env("PATH", helm::folder());
    if !more.contains(&"--static") {
        command.args(["--kube-version", "1.30.0"]);
    }
    run(command.args(more))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn cert_manager_is_complete() {
    let place = Place::new();
    for (version, others) in [
        ("v0.12.0", ""),
        ("v1.12.3", "ctl"),
        ("v1.15.3", "startupapicheck"),
        ("v1.21.1", "startupapicheck"),
    ] {
        let mut names = vec!["acmesolver", "cainjector", "controller", "webhook"];
        names.extend((!others.is_empty()).then_some(others));
        names.sort_unstable();
        let expected: String = names
            .iter()
            .map(|name| format!("quay.io/jetstack/cert-manager-{name}:{version}\n"))
            .collect();
        let outcome = scan(&place, &fixture(&format!("cert-manager-{version}")), &[]);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.as_str()),
            (expected.as_str(), ""),
            "{outcome}"
        );
        // What a hook runs is wanted, too, and the reason says that it is one.
        if !others.is_empty() {
            let job = format!("quay.io/jetstack/cert-manager-{others}:{version}");
            let told = scan(
                &place,
                &fixture(&format!("cert-manager-{version}")),
                &["--explain", &job],
            )
            .ok();
            assert!(told.contains("startupapicheck (hook post-install): "), "{told}");
        }
    }
    // A part that is off is no longer wanted, and told.
    let outcome = scan(
        &place,
        &fixture("cert-manager-v1.15.3"),
        &["--set", "cainjector.enabled=false"],
    );
    assert!(!outcome.stdout.contains("cainjector"), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("cert-manager-cainjector:v1.15.3 is in the chart (values cainjector.image"),
        "{outcome}"
    );
}

#[test]
fn the_differences_between_rendered_and_static() {
    let place = Place::new();
    let chart = place.path("shapes");
    copy(&fixture("shapes"), &chart);
    let about = std::fs::read_to_string(chart.join("Chart.yaml")).unwrap();
    let about: String = about
        .lines()
        .filter(|line| !line.contains("absent"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(chart.join("Chart.yaml"), about).unwrap();
    let outcome = scan(&place, &chart, &["--output", "json"]);
    assert!(outcome.is_ok(), "{outcome}");
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let names: Vec<_> = document["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "docker.io/org/fallback:1",
            "org/from-file:1",
            "org/from-template:v4.5.6",
            "org/inner:2.0",
            "org/literal:1",
            "org/operator:v4.5.6",
            "org/related:1",
            "org/test:1",
            "org/waiter:1",
            "quay.io/org/whole:1",
            "rancher/bare:4.5.6",
        ]
    );
    let remarks: Vec<_> = document["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|remark| remark["message"].as_str().unwrap())
        .collect();
    let unrendered = remarks
        .iter()
        .filter(|remark| remark.contains("--include-unrendered lists it"))
        .count();
    let everything = scan(&place, &chart, &["--include-unrendered"]).ok();
    let by_static = scan(&place, &chart, &["--static"]).ok();
    assert_eq!(
        everything, by_static,
        "whatever is rendered, the static scan of this chart sees"
    );
    assert!(
        unrendered >= by_static.lines().count() - names.len(),
        "{remarks:#?}"
    );
    assert!(
        remarks
            .iter()
            .any(|remark| remark.starts_with("org/inner:1.0 ") && remark.contains("inner.enabled is false")),
        "{remarks:#?}"
    );
}

/// What YAML makes of a tag without quotes, Helm's way.
#[test]
fn tags_are_spelled_as_helm_spells_them() {
    let place = Place::new();
    let tags = [
        "1.10",
        "\"1.10\"",
        "1.0",
        "20240101",
        "2024-01-01",
        "1e3",
        "0x1F",
        "017",
        "0o17",
        "1_000",
        "v1",
        "1.2.3",
        "true",
        "yes",
        "12345678901234567890",
        "1.5e-7",
        "123456789.5",
        "0.1",
        "-1",
        "1:20",
        "'007'",
        "100000",
        "999999",
        "1000000",
        "0.0001",
        "0.00001",
        "1e21",
    ];
    let mut values = String::new();
    let mut template = String::from("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n");
    for (number, tag) in tags.iter().enumerate() {
        values += &format!("image{number}: {{repository: org/n{number}, tag: {tag}}}\n");
        template += &format!(
            "  - image: \"{{{{ .Values.image{number}.repository }}}}:{{{{ .Values.image{number}.tag }}}}\"\n"
        );
    }
    place
        .scratch
        .write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    place.scratch.write("c/values.yaml", values);
    place.scratch.write("c/templates/x.yaml", template);
    let (rendered, by_static) = (
        scan(&place, &place.path("c"), &[]),
        scan(&place, &place.path("c"), &["--static"]),
    );
    assert_eq!(rendered.stdout, by_static.stdout, "{rendered}\n{by_static}");
}

/// `--set` means the same to the static scan as to helm.
#[test]
fn settings_are_read_as_helm_reads_them() {
    let place = Place::new();
    place
        .scratch
        .write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    place.scratch.write(
        "c/values.yaml",
        "a: {image: org/a, tag: '1'}\nb: {c: {image: org/b, tag: '1'}}\n",
    );
    place.scratch.write(
        "c/templates/x.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - image: \"{{ .Values.a.image }}:{{ .Values.a.tag }}\"\n  - image: \"{{ .Values.b.c.image }}:{{ .Values.b.c.tag }}\"\n",
    );
    place.scratch.write("f.yaml", "b: {c: {tag: from-file}}\n");
    for more in [
        &["--set", "a.tag=2,b.c.tag=3"][..],
        &["--set", "a.tag=1.10"],
        &[
            "--set",
            "a.tag=007",
            "--set",
            "b.c={x,y}",
            "--set",
            "b.c=null,b.c.image=org/q,b.c.tag=1",
        ],
        &["--set", r"a.tag=x\,y"],
        &["-f", "f.yaml"],
        &["-f", "f.yaml", "--set", "b.c.tag=wins"],
    ] {
        let rendered = scan(&place, &place.path("c"), more);
        let by_static = scan(&place, &place.path("c"), &[more, &["--static"]].concat());
        assert_eq!(
            rendered.stdout, by_static.stdout,
            "{more:?}\n{rendered}\n{by_static}"
        );
    }
}
