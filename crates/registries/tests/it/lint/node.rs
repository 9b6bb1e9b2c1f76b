//! Rules about the node: certificate files, modes, templates, times.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use landfall_diag::Diagnostic;
use landfall_registries::lint::{Content, Files, OnNode, Template};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::support::{codes, k3s, lint_on};

const TEXT: &str = "mirrors:
  docker.io:
    endpoint:
      - https://mirror.lan
configs:
  mirror.lan:
    auth:
      username: robot
      password: secret
    tls:
      ca_file: /ca.pem
      cert_file: /cert.pem
      key_file: /key.pem
";

#[derive(Default)]
struct Disk(BTreeMap<&'static str, Content>);

impl Files for Disk {
    fn look(&self, path: &str) -> Content {
        self.0.get(path).cloned().unwrap_or(Content::Missing)
    }
}

struct Made {
    certificate: String,
    key: String,
}

fn made(years: (i32, i32)) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["mirror.lan".to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn file(text: &str) -> Content {
    Content::Bytes(text.as_bytes().to_vec())
}

/// 2026-01-01.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn on_disk(files: [(&'static str, Content); 3]) -> Vec<Diagnostic> {
    let disk = Disk(files.into_iter().collect());
    let node = OnNode {
        files: &disk,
        now: Some(now()),
        ..OnNode::unknown()
    };
    lint_on(TEXT, &k3s(), &node)
}

fn good() -> [(&'static str, Content); 3] {
    let (ca, own) = (made((2020, 2040)), made((2020, 2040)));
    [
        ("/ca.pem", file(&ca.certificate)),
        ("/cert.pem", file(&own.certificate)),
        ("/key.pem", file(&own.key)),
    ]
}

/// The message, the label and what containerd says, for one file that is otherwise than good.
fn with(index: usize, content: Content) -> String {
    let mut files = good();
    files[index].1 = content;
    let found = on_disk(files);
    assert_eq!(codes(&found), ["L28"], "{found:?}");
    let one = &found[0];
    format!("{} ({})", one.message, one.primary.as_ref().unwrap().text)
}

#[test]
fn good_files_are_left_in_peace() {
    assert_eq!(codes(&on_disk(good())), Vec::<&str>::new());
    let nobody_looked = OnNode::unknown();
    assert_eq!(codes(&lint_on(TEXT, &k3s(), &nobody_looked)), Vec::<&str>::new());
}

#[test]
fn bad_files_are_told() {
    let other = made((2020, 2040));
    let old = made((2020, 2021));
    let early = made((2030, 2040));
    let der = pem_to_der(&other.certificate);
    for (index, content, expected) in [
        (
            0,
            Content::Missing,
            "this file does not exist (read before the first request)",
        ),
        (
            0,
            Content::Directory,
            "this is a directory (read before the first request)",
        ),
        (
            2,
            Content::Forbidden,
            "this file may not be read (read before the first request)",
        ),
        (0, file(""), "this file is empty (nothing in it)"),
        (
            0,
            file("hello"),
            "this is not a certificate in PEM (no PEM in it)",
        ),
        (
            0,
            Content::Bytes(der),
            "this certificate is not PEM (DER (binary))",
        ),
        (
            0,
            file(&other.key),
            "this is a key, not a certificate (no certificate in it)",
        ),
        (
            2,
            file(&other.certificate),
            "this is a certificate, not a key (no private key in it)",
        ),
        (
            2,
            file("hello"),
            "this is not a private key in PEM (no PEM in it)",
        ),
        (
            0,
            file(&old.certificate),
            "this CA has expired (valid until Jan  1 00:00:00 2021 +00:00)",
        ),
        (
            0,
            file(&early.certificate),
            "this CA is not valid yet (valid from Jan  1 00:00:00 2030 +00:00)",
        ),
    ] {
        assert_eq!(with(index, content), expected);
    }
}

#[test]
fn one_good_authority_is_enough() {
    let (old, new) = (made((2020, 2021)), made((2020, 2040)));
    let mut files = good();
    files[0].1 = file(&format!("{}{}", old.certificate, new.certificate));
    assert_eq!(codes(&on_disk(files)), Vec::<&str>::new());
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let other = made((2020, 2040));
    let mut files = good();
    files[2].1 = file(&other.key);
    let found = on_disk(files);
    assert_eq!(codes(&found), ["L28"]);
    assert!(
        found[0].consequences[0].contains("tls: private key does not match public key"),
        "{found:?}"
    );
}

#[test]
fn paths_that_lead_nowhere_are_told_without_looking() {
    for (path, message) in [
        ("ca.pem", "this path does not begin with `/`"),
        ("~/ca.pem", "nothing expands `~` or variables here"),
        ("$HOME/ca.pem", "nothing expands `~` or variables here"),
        (
            "\"-----BEGIN CERTIFICATE-----\"",
            "a path is wanted here, not the certificate itself",
        ),
    ] {
        let text = format!("configs:\n  mirror.lan:\n    tls:\n      ca_file: {path}\n");
        let found = lint_on(&text, &k3s(), &OnNode::unknown());
        assert_eq!(codes(&found), ["L28"], "{path}");
        assert_eq!(found[0].message, message);
    }
}

fn node_says(node: &OnNode<'_>) -> Vec<String> {
    let text = TEXT.split("    tls:").next().unwrap();
    let found = lint_on(text, &k3s(), node);
    found
        .iter()
        .map(|one| format!("{} {}", one.code, one.message))
        .collect()
}

#[test]
fn modes_wider_than_root_are_told() {
    let of = |mode| {
        node_says(&OnNode {
            mode: Some(mode),
            ..OnNode::unknown()
        })
    };
    assert_eq!(of(0o100_600), Vec::<String>::new());
    assert_eq!(
        of(0o100_644),
        ["L36 others than root may read the passwords in this file (mode 0644)"]
    );
}

#[test]
fn templates_without_registries_are_told() {
    let of = |text: &str| {
        node_says(&OnNode {
            templates: vec![Template {
                path: "/t/config.toml.tmpl".to_owned(),
                text: text.to_owned(),
            }],
            ..OnNode::unknown()
        })
    };
    for fine in [
        "{{ template \"base\" . }}\n[debug]\n",
        "config_path = \"/x\"\n[registry.configs.a.auth]\n",
    ] {
        assert_eq!(of(fine), Vec::<String>::new(), "{fine}");
    }
    assert_eq!(
        of("version = 2\n"),
        ["L39 /t/config.toml.tmpl leaves out the mirrors, certificates and credentials of this file"]
    );
    assert_eq!(
        of("config_path = \"/x\"\n"),
        ["L39 /t/config.toml.tmpl leaves out the credentials of this file"]
    );
}

#[test]
fn files_newer_than_the_start_are_told() {
    let of = |changed: u64| {
        node_says(&OnNode {
            started: Some(now()),
            changed: Some(now() - Duration::from_secs(600) + Duration::from_secs(changed)),
            ..OnNode::unknown()
        })
    };
    assert_eq!(of(0), Vec::<String>::new());
    assert_eq!(of(1200), ["L40 K3s was started before this file was changed"]);
}

fn pem_to_der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}
