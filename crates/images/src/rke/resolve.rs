//! From cluster.yml to images, as RKE goes: the version, its default images, the prefix, the choices and what they need.

use std::collections::{BTreeMap, BTreeSet};

use landfall_oci::Reference;

use super::cluster::Cluster;
use super::component::COMPONENTS;
use super::etcd;
use super::table::{Found, Release};
use super::version::{Semver, numbers};

/// A cluster as RKE sets it up.
#[derive(Clone, Debug)]
pub struct Resolved<'t> {
    /// The release of RKE that does it.
    pub release: Release<'t>,
    /// The version of Kubernetes: the one in the file, or the release's default.
    pub version: String,
    /// The version's entry of the table, where the release has one.
    pub found: Option<Found<'t>>,
    /// `network.plugin`.
    pub network: String,
    /// `dns.provider`.
    pub dns: String,
    /// `ingress.provider`.
    pub ingress: String,
    /// `monitoring.provider`.
    pub monitoring: String,
    /// All images word for word as RKE has them, `registry.com/` without anything behind it included; by component.
    images: BTreeMap<&'static str, String>,
    /// The image of the pods' sandboxes.
    pub infra_image: String,
    /// The components that each addon of RKE renders, by the addon's name.
    addons: Vec<(String, Vec<&'static str>)>,
    has_windows: bool,
}

/// An image that no registry can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What RKE makes.
    pub image: String,
    /// For which components.
    pub components: Vec<&'static str>,
}

impl<'t> Resolved<'t> {
    /// Resolves as a release does.
    #[must_use]
    pub fn new(cluster: &Cluster, release: &Release<'t>) -> Self {
        let version = cluster
            .version()
            .map_or_else(|| release.default.to_owned(), |version| version.value.clone());
        let found = release.find(&version);
        Self::with(cluster, release, version, found)
    }

    /// Resolves with the table's images although the release does not know the version.
    #[must_use]
    pub fn anyway(cluster: &Cluster, release: &Release<'t>) -> Self {
        let resolved = Self::new(cluster, release);
        match resolved.found {
            Some(_) => resolved,
            None => {
                let found = release.find_anyway(&resolved.version);
                Self::with(cluster, release, resolved.version, found)
            }
        }
    }

    fn with(cluster: &Cluster, release: &Release<'t>, version: String, found: Option<Found<'t>>) -> Self {
        let prefix = cluster.prefix().unwrap_or_default();
        let images = images(cluster, found.as_ref(), &prefix);
        let chosen = |part, key, default: &str| match cluster.part(part, key) {
            "" => default.to_owned(),
            choice => choice.to_owned(),
        };
        let semver = version.strip_prefix('v').and_then(Semver::parse);
        let default_dns = match semver.as_ref().is_some_and(|v| v.is_before([1, 14, 0])) {
            true => "kube-dns",
            false => "coredns",
        };
        let pause = images.get("pod_infra_container").cloned().unwrap_or_default();
        let mut resolved = Self {
            release: release.clone(),
            found,
            network: String::new(),
            dns: cluster.part("dns", "provider").to_owned(),
            ingress: chosen("ingress", "provider", "nginx"),
            monitoring: chosen("monitoring", "provider", "metrics-server"),
            infra_image: cluster.infra_image().map_or(pause, |image| image.value.clone()),
            images,
            addons: Vec::new(),
            has_windows: cluster.windows.is_some(),
            version,
        };
        // RKE stops at a version that it cannot read, before it chooses these.
        if semver.is_some() {
            resolved.network = chosen("network", "plugin", "canal");
            resolved.dns = chosen("dns", "provider", default_dns);
            resolved.addons = resolved.rendered(cluster);
        }
        resolved
    }

    /// The same images under the names that they have before the default registry's is put before them: as that registry
    /// is filled. What the file names itself stays.
    #[must_use]
    pub fn upstream(&self, cluster: &Cluster) -> Self {
        let images = images(cluster, self.found.as_ref(), "");
        let infra = cluster.infra_image().map(|image| image.value.clone());
        Self {
            infra_image: infra
                .or_else(|| images.get("pod_infra_container").cloned())
                .unwrap_or_default(),
            images,
            ..self.clone()
        }
    }

    /// The addons that RKE renders, each with its components.
    fn rendered(&self, cluster: &Cluster) -> Vec<(String, Vec<&'static str>)> {
        let needs = |choice: &str| {
            let table = self.release.table();
            table.needs(choice, &self.version).to_vec()
        };
        let mut addons = Vec::new();
        let mut add = |name: String, components: Vec<&'static str>| {
            if !components.is_empty() {
                addons.push((name, components));
            }
        };
        let network = match (self.network.as_str(), cluster.calico_cloud()) {
            ("calico", true) => "network:calico+cloud".to_owned(),
            (plugin, _) => format!("network:{plugin}"),
        };
        add("rke-network-plugin".to_owned(), needs(&network));
        add(
            format!("rke-{}-addon", self.dns),
            needs(&format!("dns:{}", self.dns)),
        );
        let nodelocal = cluster
            .fields
            .fields("dns")
            .and_then(|dns| dns.fields("nodelocal"));
        // Without a DNS of its own RKE sets up no cache for it; to old versions it has none to give.
        let wants_cache = nodelocal.is_some_and(|nodelocal| !nodelocal.text("ip_address").is_empty());
        let has_dns = matches!(self.dns.as_str(), "coredns" | "kube-dns");
        if wants_cache && has_dns && reaches(&self.version, [11, 8, 4]) {
            add("rke-nodelocal-addon".to_owned(), needs("nodelocal"));
        }
        if self.monitoring != "none" {
            add("rke-metrics-addon".to_owned(), needs("monitoring"));
        }
        if self.ingress != "none" {
            add("rke-ingress-controller".to_owned(), self.ingress_needs(cluster));
        }
        addons
    }

    fn ingress_needs(&self, cluster: &Cluster) -> Vec<&'static str> {
        let ingress = cluster.fields.fields("ingress");
        let backend = ingress.and_then(|ingress| ingress.truth("default_backend"));
        let choice = match backend {
            Some(true) => "ingress:default_backend",
            _ => "ingress",
        };
        let mut needs = self.release.table().needs(choice, &self.version).to_vec();
        // From there on the default backend can be left out.
        match reaches(&self.version, [12, 10, 6]) {
            true if backend == Some(false) => needs.retain(|component| *component != "ingress_backend"),
            true => {}
            // The backend is there whatever is asked for, and the tools where the controller cannot do without.
            false => {
                needs.retain(|component| *component != "alpine");
                if is_privileged(self.image("ingress")) {
                    needs.push("alpine");
                }
            }
        }
        needs
    }

    /// The image of a component as RKE has it; empty where there is none.
    #[must_use]
    pub fn image(&self, component: &str) -> &str {
        self.images.get(component).map_or("", String::as_str)
    }

    /// All images that RKE has, with their components, in RKE's order; also what is no image (`registry.com/`).
    pub fn raw(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = COMPONENTS
            .iter()
            .map(|component| (component.yaml, self.image(component.yaml)));
        named.filter(|(_, image)| !image.is_empty())
    }

    /// Every image once that a registry can have, sorted.
    #[must_use]
    pub fn all(&self) -> BTreeSet<&str> {
        self.raw()
            .map(|(_, image)| image)
            .filter(|image| is_image(image))
            .collect()
    }

    /// What RKE has in place of images that no registry can have, sorted.
    #[must_use]
    pub fn invalid(&self) -> Vec<Invalid> {
        let mut found: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
        for (component, image) in self.raw().filter(|(_, image)| !is_image(image)) {
            found.entry(image).or_default().push(component);
        }
        let invalid = found.into_iter();
        invalid
            .map(|(image, components)| Invalid {
                image: image.to_owned(),
                components,
            })
            .collect()
    }

    /// The images of each addon that RKE renders, sorted.
    #[must_use]
    pub fn addon_images(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let images = |components: &[&str]| -> BTreeSet<&str> {
            let images = components.iter().map(|component| self.image(component));
            images.filter(|image| !image.is_empty()).collect()
        };
        let addons = self.addons.iter();
        addons
            .map(|(name, components)| (name.as_str(), images(components)))
            .collect()
    }

    /// The components and images that this cluster runs, in no order and some more than once: the planes, the addons, and
    /// what Windows nodes add. Not what backups need: that is [`Self::backup_image`].
    pub fn needed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let table = self.release.table();
        let windows = match self.has_windows {
            true => table.needs("windows_nodes", &self.version),
            false => &[],
        };
        let core = table.needs("core", &self.version).iter().chain(windows).copied();
        let addons = self.addons.iter().flat_map(|(_, components)| components).copied();
        let named = core.chain(addons).map(|component| match component {
            "pod_infra_container" => (component, self.infra_image.as_str()),
            _ => (component, self.image(component)),
        });
        named.filter(|(_, image)| !image.is_empty())
    }

    /// Each image once that this cluster runs, sorted.
    #[must_use]
    pub fn required(&self) -> BTreeSet<&str> {
        self.needed().map(|(_, image)| image).collect()
    }

    /// The image that takes and keeps snapshots of etcd: the tools of the release's default version, whatever version the
    /// cluster has. `None` where RKE cannot make it out.
    #[must_use]
    pub fn backup_image(&self) -> Option<String> {
        let default = self.release.find(self.release.default);
        let tools = default.map_or("", |found| found.images.get("alpine"));
        etcd::backup_image(self.image("alpine"), tools)
    }

    /// The image that restores a snapshot.
    #[must_use]
    pub fn restore_image(&self) -> Option<String> {
        etcd::restore_image(self.image("etcd"), || self.backup_image())
    }
}

/// Whether a version is as new as these patches of 1.15, 1.16 and 1.17: manifests were changed in all three at once.
fn reaches(version: &str, patches: [u64; 3]) -> bool {
    match numbers(version)[..] {
        [1, minor @ 15..=17, patch, ..] => {
            patch >= patches[usize::from(minor > 15) + usize::from(minor > 16)]
        }
        [1, minor, ..] => minor > 17,
        _ => true,
    }
}

/// Whether an ingress controller is older than 0.16.0, as RKE finds out: by comparing texts.
fn is_privileged(image: &str) -> bool {
    let Some((_, tag)) = image.rsplit_once(':') else {
        return false;
    };
    let parts: Vec<_> = tag.split('-').collect();
    let version = match parts[..] {
        [version, _] => version,
        [_, version, ..] => version,
        _ => return false,
    };
    version < "0.16.0"
}

/// Whether the library that RKE reads names with takes one: a first part in capital letters is no host to it, and an
/// address in brackets neither.
fn is_image(image: &str) -> bool {
    let first = image.split_once('/').map_or("", |(first, _)| first);
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let is_odd =
        first.starts_with('[') || !is_host && first.contains(|letter: char| letter.is_ascii_uppercase());
    !is_odd && Reference::parse(image).is_ok()
}

fn images(cluster: &Cluster, found: Option<&Found<'_>>, prefix: &str) -> BTreeMap<&'static str, String> {
    let image = |component: &'static str| match (cluster.system_image(component), found) {
        (Some(image), _) => image.value.clone(),
        (None, Some(found)) => format!("{prefix}{}", found.images.get(component)),
        (None, None) => String::new(),
    };
    let all = COMPONENTS
        .iter()
        .map(|component| (component.yaml, image(component.yaml)));
    all.filter(|(_, image)| !image.is_empty()).collect()
}
