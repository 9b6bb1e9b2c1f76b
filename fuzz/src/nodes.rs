//! What a node's configuration may hold: anything. Whatever it is, it is read, explained and judged without a panic, and
//! every place that is told lies in the text.

use landfall_diag::SourceId;
use landfall_registries::containerd::{Containerd, Flavour, Setup};
use landfall_registries::go::regex::GoRegex;
use landfall_registries::hosts::CertsD;
use landfall_registries::k3s::{Node, Options, Program};
use landfall_registries::{registries_yaml, wharfie};

use crate::text;

const IMAGES: [&str; 3] = ["nginx:1.27", "quay.io/a/b:1", "127.0.0.1:5000/a@sha256:0000000000000000000000000000000000000000000000000000000000000000"];

/// registries.yaml, as both of its consumers take it.
pub fn registries(data: &[u8]) {
    let (text, reading) = registries_yaml::read_bytes(SourceId(0), data);
    let inside = |range: std::ops::Range<usize>| assert!(text.get(range).is_some(), "a place outside of the text");
    match &reading.registries {
        Err(error) => inside(error.span.range()),
        Ok(file) => {
            let node = Node::new(file, Options::new(Program::K3s));
            for image in IMAGES.map(|image| image.parse().expect("an image")) {
                for attempt in node.explain(&image).attempts {
                    let because = attempt.because;
                    let places = [because.endpoint, because.rewrite, because.credential, because.tls];
                    places.into_iter().flatten().for_each(|span| inside(span.range()));
                }
                let _ = wharfie::explain(file, &image);
            }
        }
    }
}

/// hosts.toml.
pub fn hosts(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let mut root = CertsD::new("/certs.d");
    root.put("_default", SourceId(0), text);
    for flavour in [Flavour::Upstream, Flavour::K3s] {
        let mut setup = Setup::new(flavour);
        setup.roots.push(root.clone());
        let containerd = Containerd::new(setup);
        for image in IMAGES.map(|image| image.parse().expect("an image")) {
            for attempt in containerd.explain(&image).attempts {
                if let Some(span) = attempt.because.endpoint {
                    assert!(text.get(span.range()).is_some(), "a place outside of the text");
                }
            }
        }
    }
}

/// A pattern of Go, a replacement and a name, on a line each.
pub fn go_regex(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (pattern, replacement, name) = (line(), line(), line());
    match GoRegex::compile(pattern) {
        Ok(regex) => {
            let changed = regex.replace_all(name, replacement);
            assert!(regex.is_match(name) || changed == name, "{pattern:?} changed what it does not match");
        }
        Err(error) => assert!(pattern.get(error.span.clone()).is_some(), "{error:?}: a place outside of the pattern"),
    }
}
