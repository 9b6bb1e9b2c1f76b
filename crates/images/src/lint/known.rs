//! What is known about images that published lists leave out: one row for each, with the reason.

use std::ops::Range;

/// Where an image is, another one under the same tag belongs.
pub(super) struct Pair {
    /// The end of the repository's name.
    pub(super) of: &'static str,
    /// What stands in its place in the other's name.
    pub(super) needs: &'static str,
    /// How the tags go together.
    pub(super) tag: TagRule,
    /// Only where the list serves a Rancher.
    pub(super) for_rancher: bool,
    /// The reason, for people.
    pub(super) because: &'static str,
}

/// How one tag follows from the other.
#[derive(Clone, Copy)]
pub(super) enum TagRule {
    /// It is the same.
    Same,
    /// `v1.32.4-rke2r1-linux-amd64` goes with `v1.32.4-rke2r1`.
    Release,
    /// `v1.34.3-rke2r3-build20260127` goes with `v1.34.3-rke2r3`.
    Build,
}

/// What goes with what.
pub(super) const PAIRS: [Pair; 7] = [
    Pair {
        of: "cert-manager-controller",
        needs: "cert-manager-acmesolver",
        tag: TagRule::Same,
        for_rancher: false,
        because: "cert-manager starts it to solve HTTP-01 challenges; the chart names it in an argument at most, where searches for `image:` miss it",
    },
    Pair {
        of: "rancher/rancher",
        needs: "rancher/rancher-agent",
        tag: TagRule::Same,
        for_rancher: false,
        because: "runs in every cluster that this Rancher manages",
    },
    Pair {
        of: "rancher/fleet",
        needs: "rancher/fleet-agent",
        tag: TagRule::Same,
        for_rancher: false,
        because: "runs in every cluster that this Fleet manages",
    },
    Pair {
        of: "rancher/hardened-kubernetes",
        needs: "rancher/rke2-runtime",
        tag: TagRule::Build,
        for_rancher: false,
        because: "RKE2 unpacks its programs from it",
    },
    Pair {
        of: "rancher/rke2-runtime",
        needs: "rancher/system-agent-installer-rke2",
        tag: TagRule::Release,
        for_rancher: true,
        because: "Rancher installs this RKE2 on nodes with it; RKE2's own lists leave it out",
    },
    Pair {
        of: "rancher/rke2-runtime",
        needs: "rancher/rke2-upgrade",
        tag: TagRule::Release,
        for_rancher: true,
        because: "Rancher upgrades nodes to this RKE2 with it; RKE2's own lists leave it out",
    },
    Pair {
        of: "rancher/k3s-upgrade",
        needs: "rancher/system-agent-installer-k3s",
        tag: TagRule::Same,
        for_rancher: true,
        because: "Rancher installs this K3s on nodes with it; K3s' own lists leave it out",
    },
];

/// A Rancher of these versions wants one of these images besides.
pub(super) struct OfRancher {
    /// From this minor version of v2 …
    pub(super) from: u32,
    /// … to before this one.
    pub(super) before: u32,
    /// Ends of repositories' names, one of which is enough.
    pub(super) one_of: &'static [&'static str],
    /// The name to add, where it is known.
    pub(super) name: Option<&'static str>,
    pub(super) because: &'static str,
}

/// What Rancher's chart may run.
pub(super) const OF_RANCHER: [OfRancher; 2] = [
    OfRancher {
        from: 0,
        before: 7,
        one_of: &["busybox"],
        name: Some("busybox"),
        because: "Rancher's chart runs it beside Rancher where the audit log is on (auditLog.level)",
    },
    OfRancher {
        from: 7,
        before: u32::MAX,
        one_of: &["bci-micro", "busybox"],
        name: None,
        because: "Rancher's chart runs rancher/mirrored-bci-micro beside Rancher where the audit log is on (auditLog.level); the chart's auditLog.image says which tag",
    },
];

/// Images of a network plugin of RKE, which the program that writes Rancher's lists loses.
pub(super) struct Plugin {
    /// Whose they are.
    pub(super) owner: &'static str,
    /// As cluster.yml names it.
    pub(super) plugin: &'static str,
    /// The minor versions of Kubernetes, all of whose releases have it.
    pub(super) minors: Range<u32>,
}

/// ACI came with some releases of 1.17 to 1.19 and with all since; Weave went with 1.30.
pub(super) const PLUGINS: [Plugin; 2] = [
    Plugin {
        owner: "weaveworks",
        plugin: "weave",
        minors: 0..30,
    },
    Plugin {
        owner: "noiro",
        plugin: "aci",
        minors: 20..u32::MAX,
    },
];
