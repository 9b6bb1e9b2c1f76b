//! containerd on a Linux machine, asked for Windows: the newest chooses by os.version, Debian's does not. Both ask the
//! urls of a layer before they ask the registry.

use std::collections::BTreeSet;

use landfall_testkit::peers::Containerd;
use landfall_testkit::run;

use super::{NAME, Set};
use crate::windows_world::VERSIONS;

/// What nodes ask for, and which image is theirs. The last number of a build is never compared. Up to Windows Server
/// 2019 the build has to be the same; from 2022 on, a node runs the images of the release before its own too.
const WISHES: [(&str, &str); 7] = [
    ("windows(10.0.17763)/amd64", "1809"),
    ("windows(10.0.17763.5458)/amd64", "1809"),
    ("windows(10.0.17763.1)/amd64", "1809"),
    ("windows(10.0.20348)/amd64", "ltsc2022"),
    ("windows(10.0.20348.2113)/amd64", "ltsc2022"),
    ("windows(10.0.26100)/amd64", "ltsc2022"),
    ("linux/amd64", ""),
];
/// Older than both.
const NOBODYS: &str = "windows(10.0.14393)/amd64";

fn name() -> String {
    format!("example.com/{NAME}:1")
}

fn pulling_from(node: Containerd, address: &str) -> Containerd {
    node.mirror("example.com", &format!("http://{address}"));
    node
}

fn held(node: &Containerd) -> BTreeSet<String> {
    let out = run(node.ctr().args(["content", "ls", "-q"])).ok();
    out.lines().map(str::to_owned).collect()
}

/// Of the members and base layers of the set, those that the node holds: (version, is it a base layer).
fn arrived(set: &Set, node: &Containerd) -> Vec<(&'static str, bool)> {
    let held = held(node);
    let has = |digest: String| held.contains(&digest);
    let mut found = Vec::new();
    for ((version, _), (base, _)) in VERSIONS.into_iter().zip(set.world.bases()) {
        if has(set.member(version).to_string()) {
            found.push((version, false));
        }
        if has(base.digest().to_string()) {
            found.push((version, true));
        }
    }
    if has(set.member("").to_string()) {
        found.push(("", false));
    }
    found
}

/// The newest chooses by version through the one tag.
pub(super) fn assert_by_version(set: &Set, address: &str) {
    for (platform, version) in WISHES {
        assert_chosen(set, address, platform, version);
    }
    let node = pulling_from(Containerd::start_newest(), address);
    node.fetch(&name(), &["--skip-metadata", "--platform", NOBODYS])
        .ok();
    assert_eq!(arrived(set, &node), []);
    assert_unpacks_linux_alone(&node);
}

/// It asks the url of a base layer also where that answers 404, and then the registry.
pub(super) fn assert_from_the_registry(set: &Set, address: &str) {
    for (version, build) in VERSIONS {
        assert_chosen(set, address, &format!("windows({build})/amd64"), version);
    }
}

/// That image arrives, its base layer after its url was asked, and nothing of the other members.
fn assert_chosen(set: &Set, address: &str, platform: &str, version: &'static str) {
    let node = pulling_from(Containerd::start_newest(), address);
    // Without the option the manifests and configs of all the others come too.
    let fetched = node.fetch(&name(), &["--skip-metadata", "--platform", platform]);
    assert_eq!(fetched.code(), Some(0), "{platform}: {fetched}");
    let mut expected = vec![(version, false)];
    for ((of, _), (base, _)) in VERSIONS.into_iter().zip(set.world.bases()) {
        let asked = fetched.stderr.contains(&format!("url=\"{}\"", base.urls[0]));
        assert_eq!(asked, of == version, "{platform}: {fetched}");
        if of == version {
            expected.push((version, true));
        }
    }
    assert_eq!(arrived(set, &node), expected, "{platform}");
}

/// `images pull` unpacks. On Linux it can do so for Linux alone: for Windows it chooses, fetches and then fails.
fn assert_unpacks_linux_alone(node: &Containerd) {
    for (version, build) in VERSIONS {
        let platform = format!("windows({build})/amd64");
        let outcome = node.pull(&name(), &["--local", "--platform", &platform]);
        assert!(
            outcome.stderr.contains("does not support platform") && outcome.stderr.contains(build),
            "no longer so? {version}: {outcome}"
        );
    }
    assert_linux_is_ready(node);
}

/// Pulled and unpacked.
fn assert_linux_is_ready(node: &Containerd) {
    node.pull(&name(), &["--platform", "linux/amd64"]).ok();
    let checked = run(node.ctr().args(["images", "check"])).ok();
    assert!(checked.trim_end().ends_with("true"), "{checked}");
}

/// containerd 1.6 knows no versions (`windows(10.0.17763)/amd64` is no platform to it): it fetches what fits os and
/// architecture. A base layer comes from its url, or, when that answers 404, from the registry.
pub(super) fn assert_debian(set: &Set, address: &str) {
    let node = pulling_from(Containerd::start(), address);
    node.fetch(&name(), &["--platform", "windows/amd64"]).ok();
    let arrived = arrived(set, &node);
    for wanted in [("1809", false), ("1809", true)] {
        assert!(arrived.contains(&wanted), "{arrived:?}");
    }
    assert!(!arrived.contains(&("", false)));
    assert_linux_is_ready(&node);
    assert_eq!(node.run(&name(), "c").ok(), "hello from rancher/a:1\n");
    let versioned = node.fetch(&name(), &["--platform", "windows(10.0.17763)/amd64"]);
    assert!(
        versioned.stderr.contains("is an invalid component"),
        "no longer so? {versioned}"
    );
}

/// containerd asks the urls of a layer first, and the registry only where they answer 404: behind an air gap such images
/// do not come, wherever their layers are (containerd#7676, containers/image#1998). Nothing that a registry does helps.
/// The Linux image of the same tag comes.
pub(super) fn assert_gives_up(set: &Set, address: &str) {
    let asked = [
        (Containerd::start(), "windows/amd64"),
        (Containerd::start_newest(), "windows(10.0.17763)/amd64"),
        (Containerd::start_newest(), "windows(10.0.20348)/amd64"),
    ];
    for (node, platform) in asked {
        let node = pulling_from(node, address);
        let outcome = node.fetch(&name(), &["--platform", platform]);
        assert!(
            outcome.code() != Some(0) && outcome.stderr.contains("connection refused"),
            "no longer so? {platform}: {outcome}"
        );
        assert!(!arrived(set, &node).iter().any(|(_, base)| *base), "{platform}");
        assert_linux_is_ready(&node);
    }
}
