//! What each fuzz target checks, as plain functions: libFuzzer calls them, and so does the replay of the corpus.
//!
//! Not only "it does not crash": what was parsed is printed and parsed again to the same value, ranges lie within
//! their length, a path or a name never holds what could lead elsewhere. A target that finds something is to be
//! mended where the fault is, and its input kept in `corpus/`.

mod foreign;
mod headers;
mod images;
mod nodes;
mod server;

pub use foreign::foreign;
pub use headers::{content_range, link, range, www_authenticate};
pub use images::{list, manifest, manifests, reference, tar_index};
pub use nodes::{go_regex, hosts, registries};
pub use server::{authorization, path, rules};

/// One target: bytes in, a panic where a promise is broken.
pub type Target = fn(&[u8]);

/// All targets by name. A new one is a function here, a line in this table, a file in `fuzz_targets/` with its `[[bin]]`,
/// and a folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("authorization", authorization),
    ("content_range", content_range),
    ("foreign", foreign),
    ("go_regex", go_regex),
    ("hosts", hosts),
    ("link", link),
    ("list", list),
    ("manifest", manifest),
    ("manifests", manifests),
    ("path", path),
    ("range", range),
    ("reference", reference),
    ("registries", registries),
    ("rules", rules),
    ("tar_index", tar_index),
    ("www_authenticate", www_authenticate),
];

/// Header values as a server hands them to a parser: text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
