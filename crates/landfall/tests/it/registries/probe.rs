//! `registries probe` against registries that behave and registries that do not.

use landfall_testkit::fake_registry::{Auth, Kind};
use landfall_testkit::{Authority, FakeRegistry, Identity, Workload};

use super::{PASSWORD, document, said};
use crate::place::Place;

/// An image of Docker Hub in every registry of a test.
const IMAGE: &str = "demo/hello:1";

fn workload() -> Workload {
    Workload::hello(IMAGE, "probed")
}

/// A file with these endpoints for docker.io, none of its own, and what else is said.
fn place(endpoints: &[String], more: &str) -> Place {
    let place = Place::new();
    let list: String = endpoints
        .iter()
        .map(|url| format!("      - \"{url}\"\n"))
        .collect();
    let text = format!("mirrors:\n  docker.io:\n    endpoint:\n{list}{more}");
    place.scratch.write("registries.yaml", text);
    place
}

const CLOSED: &str = "--disable-default-registry-endpoint";

#[test]
fn the_first_endpoint_serves_it() {
    let registry = FakeRegistry::with(&workload());
    let place = place(&[registry.url()], "");
    let outcome = place.landfall(&["registries", "probe", "registries.yaml", IMAGE, CLOSED]);
    let url = format!("1. {}/v2/demo/hello/manifests/1?ns=docker.io", registry.url());
    said(
        &outcome,
        0,
        &[
            &url,
            "registries.yaml:4:9",
            "found: sha256:",
            "takes the image from here",
            "from the first endpoint",
        ],
    );
    let asked = registry.requests();
    let lines: Vec<String> = asked
        .iter()
        .map(|request| format!("{} {}", request.method, request.query))
        .collect();
    assert_eq!(lines, ["HEAD ns=docker.io"]);
    assert_eq!(registry.count(Kind::Blob), 0, "no layer is pulled");
}

#[test]
fn a_later_endpoint_serves_it_and_the_first_is_told_why_not() {
    let (empty, registry) = (FakeRegistry::empty(), FakeRegistry::with(&workload()));
    let place = place(
        &["http://127.0.0.1:1".to_owned(), empty.url(), registry.url()],
        "",
    );
    let args = ["registries", "probe", "registries.yaml", IMAGE, CLOSED];
    let words = [
        "connection was refused",
        "asks the next endpoint",
        "takes docker.io/demo/hello:1 from endpoint 3 of 3",
    ];
    said(&place.landfall(&args), 1, &words);
    let outcome = place.landfall(&[&args[..], &["--output", "json"]].concat());
    said(&outcome, 1, &[]);
    let document = document(&outcome);
    let image = &document["images"][0];
    assert_eq!(image["served_by"], 2, "{document:#}");
    assert_eq!(image["endpoints"][0]["finding"]["cause"], "refused");
    assert_eq!(
        image["endpoints"][0]["because"]["endpoint"],
        "registries.yaml:4:9"
    );
    assert_eq!(image["endpoints"][1]["next"], "next-endpoint");
    assert_eq!(document["exit_code"], 1);
}

#[test]
fn nobody_serves_it() {
    let (first, second) = (FakeRegistry::empty(), FakeRegistry::empty());
    let place = place(&[first.url(), second.url()], "");
    let outcome = place.landfall(&["registries", "probe", "registries.yaml", IMAGE, CLOSED]);
    said(
        &outcome,
        5,
        &[
            "there is no other endpoint: the pull fails",
            "no endpoint serves it",
        ],
    );
}

#[test]
fn passwords_right_and_wrong() {
    let right = FakeRegistry::builder()
        .workload(&workload())
        .auth(Auth::basic("admin", PASSWORD))
        .start();
    let wrong = FakeRegistry::builder()
        .workload(&workload())
        .auth(Auth::basic("admin", "another"))
        .start();
    let auth = |registry: &FakeRegistry| {
        let host = registry.address();
        format!("  \"{host}\":\n    auth:\n      username: admin\n      password: {PASSWORD}\n")
    };
    let more = format!("configs:\n{}{}", auth(&wrong), auth(&right));
    let place = place(&[wrong.url(), right.url()], &more);
    let outcome = place.landfall(&["registries", "probe", "registries.yaml", IMAGE, CLOSED]);
    said(
        &outcome,
        1,
        &["credential: registries.yaml:", "user", "from endpoint 2 of 2"],
    );
    let outcome = place.landfall(&[
        "registries",
        "probe",
        "registries.yaml",
        IMAGE,
        CLOSED,
        "--output",
        "json",
    ]);
    said(&outcome, 1, &["credential-refused"]);
}

#[test]
fn certificates_are_shown_and_their_trouble_is_named() {
    let authority = Authority::new();
    let start = |identity| {
        FakeRegistry::builder()
            .workload(&workload())
            .tls(identity)
            .start()
    };
    let good = start(authority.issue(&["127.0.0.1"]));
    let stranger = start(Identity::self_signed(&["127.0.0.1"]));
    let expired = start(authority.issue_expired(&["127.0.0.1"]));
    let place = Place::new();
    let ca = place
        .scratch
        .write("ca.crt", authority.certificate())
        .display()
        .to_string();
    let tls =
        |registry: &FakeRegistry| format!("  \"{}\":\n    tls:\n      ca_file: {ca}\n", registry.address());
    let file = format!(
        "mirrors:\n  docker.io:\n    endpoint:\n      - {}\n      - {}\n      - {}\nconfigs:\n{}{}",
        stranger.url(),
        expired.url(),
        good.url(),
        tls(&expired),
        tls(&good)
    );
    place.scratch.write("registries.yaml", file);
    let outcome = place.landfall(&["registries", "probe", "registries.yaml", IMAGE, CLOSED]);
    said(
        &outcome,
        1,
        &[
            "vouches for itself",
            "ended on",
            "2021-01-01",
            "TLS: registries.yaml:",
            "from endpoint 3 of 3",
        ],
    );
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    let place = place(&[format!("http://u:{PASSWORD}@127.0.0.1:1")], "");
    for output in ["text", "json"] {
        let args = [
            "registries",
            "probe",
            "registries.yaml",
            IMAGE,
            CLOSED,
            "--output",
            output,
        ];
        said(&place.landfall(&args), 5, &[]);
    }
}

#[test]
fn what_cannot_be_asked_is_said_before_anybody_is() {
    let place = place(&["http://127.0.0.1:1".to_owned()], "");
    said(
        &place.landfall(&["registries", "probe", "registries.yaml"]),
        2,
        &["name an image"],
    );
    said(
        &place.landfall(&["registries", "probe", "none.yaml", IMAGE]),
        3,
        &["none.yaml", "no such file"],
    );
    said(
        &place.landfall(&["registries", "probe", "registries.yaml", "Upper:1"]),
        2,
        &["Upper:1"],
    );
    place.scratch.write("broken.yaml", "mirrors: [\n");
    said(
        &place.landfall(&["registries", "probe", "broken.yaml", IMAGE]),
        1,
        &["broken.yaml:"],
    );
}
