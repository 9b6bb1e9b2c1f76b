//! `registries check`: findings, forms of output, mending.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use landfall_testkit::{Authority, Outcome, run};

use super::{PASSWORD, document, said};
use crate::place::{PROGRAM, Place};

const GOOD: &str = "mirrors:\n  docker.io:\n    endpoint:\n      - https://a.example\n";

/// Two faults that can be mended, one that cannot, and passwords on the same lines.
fn bad() -> String {
    format!(
        "mirrors:\n  docker.io:\n    endpoint:\n      - https://a.example\n    rewrites: {{\"a\": \"b\"}}\nconfigs:\n  a.example: \
         {{auth: {{username: u, password: {PASSWORD}, token: {PASSWORD}}}, tsl: {{insecure_skip_verify: true}}}}\n"
    )
}

fn place(name: &str, text: &str) -> Place {
    let place = Place::new();
    let path = place.scratch.write(name, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    place
}

fn check(place: &Place, args: &[&str]) -> Outcome {
    place.landfall(&[&["registries", "check"], args].concat())
}

/// With a text as standard input.
fn piped(place: &Place, text: &str, args: &[&str]) -> Outcome {
    place.scratch.write("input", text);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" registries check - \"$@\" < input"])
        .arg(PROGRAM)
        .args(args)
        .current_dir(place.scratch.path());
    run(&mut shell)
}

fn text_of(place: &Place, name: &str) -> String {
    String::from_utf8(place.read(name)).unwrap()
}

#[test]
fn a_good_file_is_praised() {
    let place = place("registries.yaml", GOOD);
    said(
        &check(&place, &["registries.yaml"]),
        0,
        &["registries.yaml: nothing wrong"],
    );
    said(&piped(&place, GOOD, &[]), 0, &["<stdin>: nothing wrong"]);
    said(&piped(&place, "", &[]), 0, &[]);
}

#[test]
fn findings_have_place_consequence_and_help() {
    let place = place("registries.yaml", &bad());
    let outcome = check(&place, &["registries.yaml"]);
    said(
        &outcome,
        1,
        &[
            "error[L01]",
            "registries.yaml:5:5",
            "rewrite",
            "what happens",
            "error[L02]",
            "with --fix",
        ],
    );
    let short = check(&place, &["registries.yaml", "--output", "short"]);
    said(&short, 1, &["registries.yaml:5:5: error[L01]"]);
}

#[test]
fn programs_get_one_document_for_all_files() {
    let place = place("registries.yaml", &bad());
    place.scratch.write("second.yaml", "mirrors: [\n");
    let files = ["registries.yaml", "second.yaml", "--output"];
    let json = check(&place, &[&files[..], &["json"]].concat());
    said(&json, 1, &[]);
    let json = document(&json);
    assert_eq!(json["files"].as_array().unwrap().len(), 2);
    assert_eq!(json["files"][0]["findings"][0]["file"], "registries.yaml");
    assert_eq!(json["files"][1]["findings"][0]["file"], "second.yaml");
    let sarif = check(&place, &[&files[..], &["sarif"]].concat());
    said(&sarif, 1, &[]);
    let sarif = document(&sarif);
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let uri = |result: &serde_json::Value| {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .map(str::to_owned)
    };
    assert!(
        results
            .iter()
            .any(|result| uri(result).as_deref() == Some("second.yaml")),
        "{sarif:#}"
    );
    assert!(results.iter().all(|result| uri(result).is_some()), "{sarif:#}");
}

#[test]
fn bad_input_is_a_finding_each() {
    let place = Place::new();
    for (text, words) in [
        ("mirrors:\n\tdocker.io:\n", "tab"),
        ("mirrors: {}\n---\nmirrors: {}\n", "error[L04]"),
        ("mirrors: {a: {}}\nmirrors: {b: {}}\n", "error[L03]"),
        ("mirrors:\n  docker.io:\n    endpoint: https://a\n", "error[L00]"),
        (
            "\u{feff}mirrors: {docker.io: {endpoint: ['https://a\u{200b}.example']}}\n",
            "U+200B",
        ),
        ("mirrors: {docker.io: {endpoint: ['https://']}}\n", "error[L07]"),
        (
            "mirrors: {docker.io: {endpoint: ['https://u:p@a.example']}}\n",
            "error[L11]",
        ),
        (
            "mirrors: {docker.io: {endpoint: ['https://fd00::1:5000']}}\n",
            "error[",
        ),
        ("configs: {a.example: {tls: {cert_file: /x}}}\n", "error[L27]"),
    ] {
        said(&piped(&place, text, &["--no-files"]), 1, &[words]);
    }
}

#[test]
fn warnings_count_when_they_are_told_to() {
    let place = place(
        "registries.yaml",
        "mirrors: {docker.io: {endpoint: [a.example]}}\n",
    );
    said(&check(&place, &["registries.yaml"]), 0, &["warning[L08]"]);
    said(
        &check(&place, &["registries.yaml", "--deny-warnings"]),
        1,
        &["warning[L08]"],
    );
}

#[test]
fn a_readable_file_with_passwords_is_warned_of() {
    let text = format!(
        "mirrors: {{docker.io: {{endpoint: ['https://a.example']}}}}\nconfigs: {{a.example: {{auth: {{username: u, password: {PASSWORD}}}}}}}\n"
    );
    let place = place("registries.yaml", &text);
    said(&check(&place, &["registries.yaml", "--deny-warnings"]), 0, &[]);
    fs::set_permissions(place.path("registries.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    said(&check(&place, &["registries.yaml"]), 0, &["warning[L36]", "0644"]);
}

#[test]
fn certificates_are_looked_at_below_a_root() {
    let tls = "mirrors: {docker.io: {endpoint: ['https://a.example']}}\nconfigs: {a.example: {tls: {ca_file: /pki/ca.pem, cert_file: /pki/c.pem, key_file: /pki/k.pem}}}\n";
    let place = place("registries.yaml", tls);
    let args = ["registries.yaml", "--files-root", "root"];
    said(
        &check(&place, &args),
        1,
        &["error[L28]", "/pki/ca.pem", "does not exist"],
    );
    said(&check(&place, &["registries.yaml", "--no-files"]), 0, &[]);
    let authority = Authority::new();
    let (client, other) = (authority.issue_client("node"), authority.issue_client("other"));
    place.scratch.write("root/pki/ca.pem", authority.certificate());
    place.scratch.write("root/pki/c.pem", &client.certificate);
    place.scratch.write("root/pki/k.pem", &client.key);
    said(&check(&place, &args), 0, &["nothing wrong"]);
    place.scratch.write("root/pki/k.pem", &other.key);
    said(&check(&place, &args), 1, &["does not belong to the certificate"]);
    place.scratch.write("root/pki/k.pem", &client.key);
    place
        .scratch
        .write("root/pki/c.pem", authority.issue_expired(&["node"]).certificate);
    said(&check(&place, &args), 1, &["expired"]);
    place.scratch.write("root/pki/ca.pem", "no PEM");
    said(&check(&place, &args), 1, &["not a certificate in PEM"]);
}

#[test]
fn fix_mends_the_file_and_keeps_what_it_is() {
    let place = place("real/registries.yaml", &bad());
    fs::set_permissions(
        place.path("real/registries.yaml"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    symlink("real/registries.yaml", place.path("registries.yaml")).unwrap();
    let dry = check(&place, &["registries.yaml", "--fix", "--dry-run"]);
    said(&dry, 1, &["-    rewrites:", "+    rewrite:", "would be mended"]);
    assert_eq!(text_of(&place, "real/registries.yaml"), bad());
    let outcome = check(&place, &["registries.yaml", "--fix"]);
    said(&outcome, 1, &["mended", "error[L02]"]);
    let text = text_of(&place, "real/registries.yaml");
    assert_eq!(
        text,
        bad().replace("rewrites:", "rewrite:").replace("tsl:", "tls:")
    );
    let link = fs::symlink_metadata(place.path("registries.yaml")).unwrap();
    assert!(link.is_symlink());
    let mode = fs::metadata(place.path("real/registries.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let left: Vec<_> = fs::read_dir(place.path("real")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    // Nothing is left to mend.
    said(&check(&place, &["registries.yaml", "--fix"]), 1, &["0 mended"]);
    assert_eq!(text_of(&place, "real/registries.yaml"), text);
}

#[test]
fn fix_of_standard_input_is_a_filter() {
    let place = Place::new();
    let text = GOOD.replace("endpoint:", "endpoints:");
    let outcome = piped(&place, &text, &["--fix"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(outcome.stdout, GOOD);
    said(
        &piped(&place, &text, &["--fix", "--output", "json"]),
        2,
        &["standard input"],
    );
}

#[test]
fn a_fix_never_makes_a_file_worse() {
    let place = Place::new();
    for text in [
        "mirrors:\n\tdocker.io:\n\t\tendpoint:\n\t\t- https://a.example\n".to_owned(),
        "mirror: {docker.io: {endpoints: [a.example, a.example]}}\nmirrors: {}\n".to_owned(),
        "\u{feff}mirrors: {docker.io: {endpoint: ['https://a.example'], rewrite: {'^a\\.b(.*)': 'x/$1_y'}}}\n".to_owned(),
        "mirrors: {docker.io: {endpoint: 'https://a.example'}}\nconfigs: {a.example: {tls: {insecure_skip_verify: 'true'}}}\n"
            .to_owned(),
        bad(),
    ] {
        place.scratch.write("f.yaml", &text);
        let errors = |outcome: &Outcome| document(outcome)["errors"].as_u64().unwrap();
        let before = errors(&check(&place, &["f.yaml", "--no-files", "--output", "json"]));
        check(&place, &["f.yaml", "--no-files", "--fix"]);
        let after = errors(&check(&place, &["f.yaml", "--no-files", "--output", "json"]));
        assert!(after <= before, "{text}\n{}", text_of(&place, "f.yaml"));
    }
}

#[test]
fn other_formats_are_read_by_their_own_readers() {
    let place = Place::new();
    place.scratch.write(
        "certs.d/docker.io/hosts.toml",
        "server = \"https://a.example\"\n[host.\"https://b\\.example\"]\n",
    );
    let hosts = check(&place, &["certs.d"]);
    said(
        &hosts,
        1,
        &["error[H01]", "hosts.toml:2:", "asks the registry itself"],
    );
    place.scratch.write(
        "config.toml",
        format!(
            "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = 5\npassword = \"{PASSWORD}\"\n"
        ),
    );
    said(
        &check(&place, &["config.toml"]),
        1,
        &["error[C01]", "config.toml:3:", "no pod starts"],
    );
    place
        .scratch
        .write("daemon.json", "{\"registry-mirrors\": [\"https://a.example\"]\n");
    said(&check(&place, &["daemon.json"]), 1, &["error["]);
    place
        .scratch
        .write("registries.conf", "[[registry]]\nlocation = \"docker.io\"\n");
    said(&check(&place, &["registries.conf"]), 0, &[]);
    said(
        &check(&place, &["registries.conf", "--output", "sarif"]),
        0,
        &["2.1.0"],
    );
}

#[test]
fn files_that_cannot_be_read_do_not_hide_the_others() {
    let place = place("registries.yaml", &bad());
    let outcome = check(&place, &["none.yaml", "registries.yaml"]);
    said(&outcome, 3, &["none.yaml", "error[L01]"]);
    said(&check(&place, &[]), 2, &["FILE"]);
    said(&check(&place, &["registries.yaml", "--dry-run"]), 2, &["--fix"]);
}

#[test]
fn five_thousand_lines_are_no_trouble() {
    let place = Place::new();
    let mut text = "mirrors:\n".to_owned();
    for n in 0..600 {
        text += &format!(
            "  r{n}.example:\n    endpoint:\n      - https://m{n}.example\n    rewrite:\n      \"^a{n}/(.*)\": \"b/$1\"\n"
        );
    }
    text += "configs:\n";
    for n in 0..500 {
        text += &format!("  m{n}.example:\n    auth:\n      username: u\n      password: {PASSWORD}\n");
    }
    let outcome = piped(&place, &text, &["--no-files"]);
    said(&outcome, 0, &["nothing wrong"]);
    let broken = text.replace("password:", "passwrd:");
    let outcome = piped(&place, &broken, &["--no-files", "--output", "short"]);
    assert_eq!(
        outcome.stdout.matches("error[L01]").count(),
        500,
        "{}",
        outcome.stderr
    );
}
