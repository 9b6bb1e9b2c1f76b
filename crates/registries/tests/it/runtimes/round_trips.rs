//! What is written and read again means the same, unless a loss says otherwise.

use landfall_registries::hosts::CertsD;
use landfall_registries::intent::Intent;
use landfall_registries::runtimes::containerd::Release;
use landfall_registries::runtimes::podman::Engine;
use landfall_registries::runtimes::talos::Form;
use landfall_registries::runtimes::{
    Body, Import, Options, Rendered, containerd, docker, nerdctl, podman, rke, talos,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::generated;
use super::oracle::{HOSTS, differences, seen};
use super::support::Files;

/// For many intents: written without a loss, it reads the same. Enough of them must be without a loss.
fn round_trip(write: impl Fn(&Intent) -> Rendered, read: impl Fn(&Files) -> Import) {
    round_trip_of(|intent| intent, write, read);
}

fn round_trip_of(
    prepare: impl Fn(Intent) -> Intent,
    write: impl Fn(&Intent) -> Rendered,
    read: impl Fn(&Files) -> Import,
) {
    let exact = std::cell::Cell::new(0);
    // The same intents in every run; LANDFALL_CASES for more of them.
    let cases = std::env::var("LANDFALL_CASES").map_or(1000, |cases| cases.parse().unwrap());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&generated::intent(), |intent| {
        let intent = prepare(intent);
        let rendered = write(&intent);
        let files = Files::written(&rendered.files);
        let import = read(&files);
        prop_assert_eq!(&import.diagnostics, &vec![], "{:#?}", &rendered);
        for loss in &rendered.losses {
            prop_assert!(
                loss.span == Some(generated::HERE) && !loss.what.is_empty() && !loss.advice.is_empty()
            );
        }
        if rendered.losses.is_empty() {
            exact.set(exact.get() + 1);
            let differ = differences(&seen(&intent, &HOSTS), &seen(&import.intent, &HOSTS));
            prop_assert!(differ.is_empty(), "{:#?}\n{:#?}", differ, &rendered);
        }
        Ok(())
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

#[test]
fn podman_reads_what_was_written() {
    round_trip(
        |intent| podman::write(intent, Engine::Podman, &Options::default()),
        |files| files.read(podman::read),
    );
}

#[test]
fn docker_reads_what_was_written() {
    round_trip(
        |intent| docker::write(intent, &Options::default()),
        |files| files.read(docker::read),
    );
}

fn containerd(release: Release) {
    round_trip_of(
        // Credentials are in config.toml, whose reader is another.
        |intent| Intent {
            credentials: Vec::new(),
            ..intent
        },
        |intent| containerd::write(intent, release),
        |files| {
            files.read(|files| {
                let mut tree = CertsD::new(containerd::CERTS);
                for file in files.iter().filter(|file| file.name() == "hosts.toml") {
                    let dir = file.path.strip_prefix(containerd::CERTS).unwrap();
                    tree.put(
                        dir.trim_matches('/').trim_end_matches("/hosts.toml"),
                        file.source,
                        file.text,
                    );
                }
                containerd::read(&tree, release.dialect())
            })
        },
    );
}

#[test]
fn containerd_reads_what_was_written() {
    containerd(Release {
        two: true,
        fork: false,
    });
}

#[test]
fn containerd_1_reads_what_was_written() {
    containerd(Release {
        two: false,
        fork: false,
    });
}

#[test]
fn the_fork_reads_what_was_written() {
    containerd(Release {
        two: true,
        fork: true,
    });
}

#[test]
fn nerdctl_reads_what_was_written() {
    round_trip(nerdctl::write, |files| files.read(nerdctl::read));
}

fn talos(form: Form) {
    let contents = [
        ("/etc/keys/ca.pem", "CA\n"),
        ("/etc/keys/me.pem", "ME\n"),
        ("/etc/keys/me.key", "KEY\n"),
    ];
    let options = Options {
        contents: contents
            .map(|(path, pem)| (path.to_owned(), pem.to_owned()))
            .into(),
        ..Options::default()
    };
    round_trip(
        |intent| talos::write(intent, form, &options),
        |files| {
            let mut import = files.read(|files| talos::read(&files[0]));
            // The files have other names now, and the same content.
            let name = |path: &str| {
                let file = import.extracted.iter().find(|file| file.path == path).unwrap();
                let Body::Text(text) = &file.body else { panic!() };
                contents.iter().find(|(_, pem)| pem == text).unwrap().0.to_owned()
            };
            for trust in &mut import.intent.trust {
                let pairs = trust.tls.client.iter_mut().flat_map(|(one, other)| [one, other]);
                for path in trust.tls.ca.iter_mut().chain(pairs) {
                    path.value = name(&path.value);
                }
            }
            import
        },
    );
}

#[test]
fn talos_reads_what_was_written() {
    talos(Form::Machine);
}

#[test]
fn talos_reads_its_documents() {
    talos(Form::Documents);
}

#[test]
fn rke_reads_what_was_written() {
    round_trip(rke::write, |files| files.read(|files| rke::read(&files[0])));
}
