//! `pull --registries`: the image as the node would get it.

use landfall_testkit::fake_registry::{Auth, Bearer, Fault, Kind, Rule};
use landfall_testkit::{Authority, FakeRegistry, Workload};

use super::{PASSWORD, said};
use crate::place::Place;
use crate::server::Serving;

const IMAGE: &str = "demo/hello:1";
const CLOSED: &str = "--disable-default-registry-endpoint";

fn workload() -> Workload {
    Workload::hello(IMAGE, "pulled")
}

/// A file with these endpoints for docker.io and what else is said.
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

fn pull(place: &Place, out: &str, more: &[&str]) -> landfall_testkit::Outcome {
    let args = [
        "pull",
        IMAGE,
        "-o",
        out,
        "--registries",
        "registries.yaml",
        CLOSED,
    ];
    place.landfall(&[&args[..], more].concat())
}

/// What was pulled is whole.
#[track_caller]
fn whole(place: &Place, out: &str) {
    place.landfall(&["verify", out]).ok();
}

/// The line about who gave what.
fn sources(outcome: &landfall_testkit::Outcome) -> serde_json::Value {
    let lines = outcome
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut lines = lines.filter(|line: &serde_json::Value| line["event"] == "sources");
    lines.next().unwrap_or_else(|| panic!("{outcome}"))
}

#[test]
fn after_refused_401_and_404_the_next_endpoint_is_asked() {
    let guarded = FakeRegistry::builder()
        .workload(&workload())
        .auth(Auth::basic("admin", "x"))
        .start();
    let (empty, good) = (FakeRegistry::empty(), FakeRegistry::with(&workload()));
    let endpoints = [
        "http://127.0.0.1:1".to_owned(),
        guarded.url(),
        empty.url(),
        good.url(),
    ];
    let place = place(&endpoints, "");
    let outcome = pull(&place, "out.tar", &[]);
    let from = format!(
        "manifest from {}/v2/demo/hello (endpoint registries.yaml:7:9)",
        good.url()
    );
    let blobs = format!("2 blobs from {}/v2/demo/hello", good.url());
    said(
        &outcome,
        0,
        &[
            &from,
            &blobs,
            "tried http://127.0.0.1:1/v2/demo/hello",
            "refused",
            "log in",
            "does not exist",
        ],
    );
    whole(&place, "out.tar");
    // Every object from the first host on, as containerd does.
    let blobs = |registry: &FakeRegistry| registry.count(Kind::Blob);
    assert!(blobs(&guarded) >= 2 && blobs(&empty) >= 2 && blobs(&good) >= 2);
    for registry in [&guarded, &empty, &good] {
        let all = registry.requests();
        assert!(
            all.iter().all(|request| request.query == "ns=docker.io"),
            "{all:?}"
        );
    }
    let outcome = pull(&place, "json.tar", &["--output", "json"]);
    said(&outcome, 0, &[]);
    let told = sources(&outcome);
    assert_eq!(
        told["manifest"]["url"],
        format!("{}/v2/demo/hello", good.url()),
        "{told:#}"
    );
    assert_eq!(told["manifest"]["because"]["endpoint"], "registries.yaml:7:9");
    assert_eq!(told["blobs"][0]["count"], 2);
    let tried = told["tried"].as_array().unwrap();
    let classes: Vec<_> = tried
        .iter()
        .map(|tried| tried["failures"][0]["class"].as_str().unwrap())
        .collect();
    assert_eq!(classes, ["unreachable", "credentials", "not-found"]);
    assert_eq!(
        super::super::place::report(&outcome)["event"],
        "report",
        "the report is the last line"
    );
}

#[test]
fn each_layer_comes_from_whoever_has_it() {
    let workload = workload();
    let (first, second) = (FakeRegistry::with(&workload), FakeRegistry::with(&workload));
    let image = workload.image(IMAGE);
    let lost = *workload.blobs_of(image.root).iter().next().unwrap();
    first.forget(&lost);
    let place = place(&[first.url(), second.url()], "");
    for out in ["out", "out.tar"] {
        let outcome = pull(&place, out, &[]);
        said(
            &outcome,
            0,
            &[
                &format!("manifest from {}/v2", first.url()),
                &format!("1 blob from {}/v2", first.url()),
                &format!("1 blob from {}/v2", second.url()),
                "blob: ",
            ],
        );
    }
    whole(&place, "out.tar");
    assert_eq!(second.count(Kind::Manifest), 0);
}

#[test]
fn wrong_bytes_and_cut_connections_are_made_good_by_the_next() {
    let workload = workload();
    let (liar, cutter, good) = (
        FakeRegistry::with(&workload),
        FakeRegistry::with(&workload),
        FakeRegistry::with(&workload),
    );
    liar.rule(Rule::on(Kind::Blob, Fault::Flip { at: 3 }));
    cutter.rule(Rule::on(Kind::Blob, Fault::Reset { after: 5 }));
    let place = place(&[liar.url(), cutter.url(), good.url()], "");
    for out in ["out", "out.tar"] {
        let outcome = pull(&place, out, &[]);
        said(
            &outcome,
            0,
            &["sent wrong bytes", &format!("2 blobs from {}/v2", good.url())],
        );
    }
    whole(&place, "out.tar");
}

#[test]
fn a_rewrite_is_honoured_and_its_line_is_told() {
    let registry = FakeRegistry::with(&Workload::hello("mirror/hello:1", "rewritten"));
    let place = place(
        &[registry.url()],
        "    rewrite:\n      \"^demo/(.*)\": \"mirror/$1\"\n",
    );
    let outcome = pull(&place, "out.tar", &[]);
    said(
        &outcome,
        0,
        &["/v2/mirror/hello (endpoint registries.yaml:4:9, rewrite registries.yaml:6:7)"],
    );
    let list = place.landfall(&["list", "out.tar"]);
    assert!(
        list.stdout.contains("demo/hello:1"),
        "it keeps its own name: {list}"
    );
}

#[test]
fn a_path_of_an_endpoint_is_kept() {
    let registry = FakeRegistry::with(&Workload::hello("hub/demo/hello:1", "below a path"));
    let place = place(&[format!("{}/v2/hub", registry.url())], "");
    said(&pull(&place, "out.tar", &[]), 0, &["/v2/hub/demo/hello"]);
}

#[test]
fn credentials_and_authorities_are_those_of_the_file() {
    let authority = Authority::new();
    let registry = FakeRegistry::builder()
        .workload(&workload())
        .tls(authority.issue(&["127.0.0.1"]))
        .auth(Auth::Bearer(Bearer::account("admin", PASSWORD)))
        .start();
    let place = Place::new();
    let ca = place
        .scratch
        .write("ca.crt", authority.certificate())
        .display()
        .to_string();
    let host = registry.address();
    let file = |password: &str, tls: &str| {
        format!(
            "mirrors:\n  docker.io:\n    endpoint:\n      - {}\nconfigs:\n  \"{host}\":\n    auth:\n      \
             username: admin\n      password: {password}\n{tls}",
            registry.url()
        )
    };
    let trusted = format!("    tls:\n      ca_file: {ca}\n");
    place.scratch.write("registries.yaml", file(PASSWORD, &trusted));
    said(
        &pull(&place, "out.tar", &[]),
        0,
        &["credential registries.yaml:", "TLS registries.yaml:"],
    );
    place.scratch.write("registries.yaml", file("wrong", &trusted));
    said(
        &pull(&place, "wrong.tar", &[]),
        6,
        &["a node would show: failed to pull and unpack image"],
    );
    place.scratch.write("registries.yaml", file(PASSWORD, ""));
    said(
        &pull(&place, "no-ca.tar", &[]),
        5,
        &["certificate signed by unknown authority"],
    );
    place.scratch.write(
        "registries.yaml",
        file(PASSWORD, "    tls:\n      insecure_skip_verify: true\n"),
    );
    said(&pull(&place, "skip.tar", &[]), 0, &["manifest from"]);
    place.scratch.write(
        "registries.yaml",
        file(PASSWORD, "    tls:\n      ca_file: /no/such/ca.crt\n"),
    );
    said(
        &pull(&place, "file.tar", &[]),
        3,
        &["/no/such/ca.crt", "fails the whole pull"],
    );
    assert!(!place.exists("wrong.tar") && !place.exists("file.tar"));
}

#[test]
fn plain_http_with_certificates_means_https_first() {
    let registry = FakeRegistry::with(&workload());
    let place = Place::new();
    let hosts = format!("[host.\"{}\"]\n  skip_verify = true\n", registry.url());
    place.scratch.folder("certs.d/docker.io");
    place.scratch.write("certs.d/docker.io/hosts.toml", hosts);
    let args = [
        "pull",
        IMAGE,
        "-o",
        "out.tar",
        "--registries",
        "certs.d",
        "--program",
        "containerd",
    ];
    said(
        &place.landfall(&args),
        0,
        &[
            "manifest from https://",
            "endpoint certs.d/docker.io/hosts.toml:1:",
        ],
    );
}

#[test]
fn nobody_has_it_and_a_node_would_say() {
    let (first, second) = (FakeRegistry::empty(), FakeRegistry::empty());
    let place = place(&[first.url(), second.url()], "");
    let outcome = pull(&place, "out.tar", &[]);
    let node = format!("failed to resolve reference \"docker.io/{IMAGE}\":");
    said(
        &outcome,
        1,
        &[
            &format!("tried {}", first.url()),
            &format!("tried {}", second.url()),
            &node,
            "not found",
        ],
    );
    assert!(!place.exists("out.tar"));
    place
        .scratch
        .write("registries.yaml", "mirrors:\n  docker.io: {}\nconfigs: 7\n");
    said(&pull(&place, "out.tar", &[]), 1, &["registries.yaml:3"]);
}

#[test]
fn flags_that_the_file_decides_are_refused() {
    let place = place(&["http://127.0.0.1:1".to_owned()], "");
    for flag in [
        &["--plain-http"][..],
        &["--insecure"],
        &["--from", "x.example"],
        &["--tls-ca", "ca.crt"],
    ] {
        said(&pull(&place, "out.tar", flag), 2, &[flag[0]]);
    }
}

#[test]
fn a_digest_is_pulled_and_a_real_server_answers() {
    let place = place(&["http://127.0.0.1:1".to_owned()], "");
    let root = place.layout("layout", "served");
    let serving = Serving::start(&place, &["--root", "store"]);
    place.push("layout", &serving.name("demo/served:1")).ok();
    let file = format!(
        "mirrors:\n  docker.io:\n    endpoint:\n      - http://127.0.0.1:1\n      - http://{}\n",
        serving.address
    );
    place.scratch.write("registries.yaml", file);
    let image = format!("demo/served@{root}");
    for (name, out) in [("demo/served:1", "tag.tar"), (&image, "digest.tar")] {
        let args = ["pull", name, "-o", out, "--registries", "registries.yaml", CLOSED];
        said(
            &place.landfall(&args),
            0,
            &[&format!(
                "manifest from http://{}/v2/demo/served",
                serving.address
            )],
        );
    }
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    let place = place(&[format!("http://u:{PASSWORD}@127.0.0.1:1")], "");
    for output in ["text", "json"] {
        let outcome = pull(&place, "out.tar", &["--output", output]);
        said(&outcome, 5, &["refused"]);
    }
}
