//! The examples of a widely read guide, and every file of the vectors.

use landfall_registries::k3s::{Options, Program};
use landfall_registries::lint::redacted;
use landfall_registries::registries_yaml;

use super::support::{SOURCE, codes, denied, k3s, lint, long, mended};
use crate::vectors;

/// The guide's outline of a file, with placeholders.
const OUTLINE: &str = "mirrors:
  <REGISTRY>:
    endpoint:
      - https://<REGISTRY>/v2
configs:
  <REGISTRY>:
    auth:
      username: <BASIC AUTH USERNAME>
      password: <BASIC AUTH PASSWORD>
      token: <BEARER TOKEN>
    tls:
      ca_file: <PATH TO SERVER CA>
      cert_file: <PATH TO CLIENT CERT>
      key_file: <PATH TO CLIENT KEY>
      insecure_skip_verify: <SKIP TLS CERT VERIFICATION BOOLEAN>
";

#[test]
fn the_outline_of_the_guide_has_a_field_that_does_not_exist() {
    let found = lint(OUTLINE, &k3s());
    assert_eq!(codes(&found), ["L02", "L00"]);
}

#[test]
fn examples_that_work_are_left_in_peace() {
    for (name, expected) in [
        ("seed-trusted", &[] as &[&str]),
        ("seed-rewrite", &[]),
        ("seed-wildcard", &[]),
    ] {
        let file = vectors::load();
        let about: Vec<_> = file
            .vectors
            .iter()
            .filter(|vector| vector.name.starts_with(name))
            .collect();
        for vector in about {
            let found = lint(&vector.registries_yaml, &k3s());
            assert_eq!(
                codes(&found),
                expected,
                "{}\n{}",
                vector.name,
                long(&vector.registries_yaml, &found)
            );
        }
    }
}

/// Nothing panics, fixes come to an end, and they never make a file worse.
#[test]
fn vectors_are_looked_at_and_mended() {
    for vector in vectors::load().vectors {
        let text = &vector.registries_yaml;
        for options in [k3s(), denied(), Options::new(Program::Rke2)] {
            let before = lint(text, &options);
            let new = mended(text, &options);
            let after = lint(&new, &options);
            assert!(
                after.iter().all(|one| one.fix.is_none()),
                "{}: {new}",
                vector.name
            );
            let readable = |text: &str| registries_yaml::read(SOURCE, text).registries.is_ok();
            assert!(!readable(text) || readable(&new), "{}: {new}", vector.name);
            let errors = |found: &[landfall_diag::Diagnostic]| {
                found
                    .iter()
                    .filter(|one| one.severity == landfall_diag::Severity::Error)
                    .count()
            };
            assert!(
                !readable(text) || errors(&after) <= errors(&before),
                "{}: {new}\n{}",
                vector.name,
                long(&new, &after)
            );
            assert_eq!(
                redacted(text, &registries_yaml::read(SOURCE, text)).len(),
                text.len()
            );
        }
    }
}

/// Cut short anywhere, or with a byte too many, a file is still told of and never panics.
#[test]
fn damaged_files_are_told_of() {
    let text = "mirrors:\n  \"*\": {endpoint: [\"https://a:b@h/p?q\", é]}\nconfigs:\n  h: &x\n    auth: {password: 'p', token: t}\n";
    for (at, _) in text.char_indices() {
        for insert in ["", "\t", "\u{200b}", "'", "*", "- ", "\\"] {
            for rest in ["", &text[at..]] {
                let damaged = format!("{}{insert}{rest}", &text[..at]);
                let found = lint(&damaged, &k3s());
                let _ = (long(&damaged, &found), mended(&damaged, &k3s()));
                assert_eq!(
                    redacted(&damaged, &registries_yaml::read(SOURCE, &damaged)).len(),
                    damaged.len()
                );
            }
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let text = "mirrors:\n  docker.io:\n    endpoint:\n      - https://robot:geheim@mirror.lan\nconfigs:\n  mirror.lan:\n    auth:\n      username: robot\n      password: \"geheim\"\n      auth: Z2VoZWlt\n      token: geheim\n";
    let covered = redacted(text, &registries_yaml::read(SOURCE, text));
    assert!(
        !covered.contains("geheim") && !covered.contains("Z2VoZWlt"),
        "{covered}"
    );
    assert!(
        covered.contains("username: robot") && covered.contains("\"******\""),
        "{covered}"
    );
    let shown = long(&covered, &lint(text, &k3s()));
    assert!(
        !shown.contains("geheim") && !shown.contains("Z2VoZWlt"),
        "{shown}"
    );
    let broken = "configs:\n\tmirror.lan:\n\t\tauth:\n\t\t\tpassword: geheim\n";
    let covered = redacted(broken, &registries_yaml::read(SOURCE, broken));
    assert!(!covered.contains("geheim"), "{covered}");
}
