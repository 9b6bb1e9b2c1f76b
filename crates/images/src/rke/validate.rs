//! What RKE checks before it does anything, in its order and in its words.

use std::collections::BTreeSet;
use std::net::IpAddr;

use landfall_diag::{Span, Spanned};

use super::aci;
use super::cluster::Cluster;
use super::decode::Fields;
use super::resolve::Resolved;
use super::version::Semver;

/// Why RKE refuses a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// RKE's own words.
    pub message: String,
    /// The place that it is about.
    pub span: Option<Span>,
    /// What it is about.
    pub about: About,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The version, or an image: which images are meant cannot be said.
    Images,
    /// A choice of network or ingress: its images are missing, the others are known.
    Choice,
    /// Something that has no part in which images are needed.
    Other,
}

struct Checks<'a, 't> {
    cluster: &'a Cluster,
    resolved: &'a Resolved<'t>,
}

pub(super) type Checked = Result<(), Refusal>;

impl Resolved<'_> {
    /// What RKE refuses the cluster for, if it does.
    #[must_use]
    pub fn refusal(&self, cluster: &Cluster) -> Option<Refusal> {
        let checks = Checks {
            cluster,
            resolved: self,
        };
        checks.all().err()
    }
}

impl Checks<'_, '_> {
    fn all(&self) -> Checked {
        let version = self.semver()?;
        self.ranges()?;
        self.clouds(&version)?;
        self.roles()?;
        if self.resolved.found.is_none() {
            self.images(&version)?;
        }
        self.duplicates()?;
        self.hosts()?;
        self.authentication()?;
        self.network(&version)?;
        self.ingress(&version)?;
        self.services(&version)
    }

    fn semver(&self) -> Result<Semver, Refusal> {
        let version = self.resolved.version.as_str();
        let refused = |what| self.about_version(format!("{version} is not valid {what}"));
        let bare = version.strip_prefix('v').filter(|bare| !bare.is_empty());
        Semver::parse(bare.ok_or_else(|| refused("version"))?).ok_or_else(|| refused("semver"))
    }

    fn about_version(&self, message: String) -> Refusal {
        Refusal {
            message,
            span: self.cluster.version().map(|version| version.span),
            about: About::Images,
        }
    }

    /// A version that RKE does not know needs every image to be given.
    fn images(&self, version: &Semver) -> Checked {
        let mut wanted: Vec<(&str, &str)> = CORE.to_vec();
        match self.resolved.network.as_str() {
            "flannel" => wanted.extend([("flannel", "flannel"), ("flannel_cni", "flannel cni")]),
            "canal" => wanted.extend([
                ("canal_node", "canal"),
                ("canal_cni", "canal cni"),
                ("canal_flannel", "flannel"),
            ]),
            "calico" => wanted.extend([
                ("calico_cni", "calico cni"),
                ("calico_ctl", "calico ctl"),
                ("calico_node", "calico"),
                ("calico_controllers", "calico controllers"),
            ]),
            "weave" => wanted.extend([("weave_cni", "weave cni"), ("weave_node", "weave")]),
            "aci" => wanted.extend(ACI_IMAGES),
            _ => {}
        }
        match self.resolved.dns.as_str() {
            "kube-dns" => wanted.extend([
                ("kubedns", "kubedns"),
                ("dnsmasq", "dnsmasq"),
                ("kubedns_sidecar", "kubedns sidecar"),
                ("kubedns_autoscaler", "kubedns autoscaler"),
            ]),
            "coredns" => wanted.extend([
                ("coredns", "coredns"),
                ("coredns_autoscaler", "coredns autoscaler"),
            ]),
            _ => {}
        }
        let dns = self.cluster.fields.fields("dns");
        if dns.is_some_and(|dns| dns.fields("nodelocal").is_some()) {
            wanted.push(("nodelocal", "nodelocal"));
        }
        if self.resolved.monitoring != "none" {
            wanted.push(("metrics_server", "metrics server"));
        }
        if self.resolved.ingress != "none" {
            wanted.extend([("ingress", "ingress"), ("ingress_backend", "ingress backend")]);
            if version.is_at_least(1, 21) {
                wanted.push(("ingress_webhook", "ingress webhook"));
            }
        }
        self.populated(&wanted)
    }

    fn populated(&self, wanted: &[(&str, &str)]) -> Checked {
        let missing = wanted
            .iter()
            .find(|(component, _)| self.resolved.image(component).is_empty());
        let Some((component, name)) = missing else {
            return Ok(());
        };
        // RKE's own slip of grammar.
        let noun = if *component == "metrics_server" {
            "images"
        } else {
            "image"
        };
        Err(self.about_version(format!(
            "{} is an unsupported Kubernetes version and system images are not populated: {name} {noun} is not populated",
            self.resolved.version
        )))
    }

    fn service(&self, service: &str, key: &str) -> Option<&Spanned<String>> {
        let services = self.cluster.fields.fields("services")?;
        services.fields(service)?.spanned(key)
    }

    fn ranges(&self) -> Checked {
        let Some(range) = self.service("kube-api", "service_cluster_ip_range") else {
            return Ok(());
        };
        match range.split(',').find(|range| !is_range(range)) {
            None => Ok(()),
            Some(bad) => Err(other(
                Some(range.span),
                format!(
                    "Failed to get Kubernetes Service IP: Failed to get kubernetes service IP from Kube API option [service_cluster_ip_range]: invalid CIDR address: {bad}"
                ),
            )),
        }
    }

    /// Clouds that want settings and have none, and the one that Kubernetes no longer has within.
    fn clouds(&self, version: &Semver) -> Checked {
        let Some(cloud) = self.cluster.fields.fields("cloud_provider") else {
            return Ok(());
        };
        let has = |key: &str| cloud.all.contains_key(key);
        let refused = |message: String| Err(other(cloud.span, message));
        // Each that is asked for takes the place of the one before it.
        let custom = !cloud.text("customCloudProvider").is_empty();
        let asked = CLOUDS
            .iter()
            .rev()
            .find(|(name, key, _)| cloud.text("name") == *name || has(key));
        let bare = asked.filter(|(_, key, called)| !custom && !called.is_empty() && !has(key));
        if let Some((_, _, called)) = bare {
            return refused(format!(
                "Failed to initialize cloud provider: {called} Cloud Provider Config is empty"
            ));
        }
        let name = match cloud.text("name") {
            "" => asked.map_or("", |(name, ..)| *name),
            name => name,
        };
        match name == "aws" && version.is_at_least(1, 27) {
            true => refused(format!(
                "Cloud provider aws is invalid for [{}]",
                self.resolved.version
            )),
            false => Ok(()),
        }
    }

    fn roles(&self) -> Checked {
        for node in self.nodes() {
            let known = ["etcd", "controlplane", "worker"];
            let unknown = node
                .texts("role")
                .iter()
                .find(|role| !known.contains(&role.as_str()));
            if let Some(role) = unknown {
                let message = format!(
                    "Failed to recognize host [{}] role {}",
                    node.text("address"),
                    role.value
                );
                return Err(other(Some(role.span), message));
            }
        }
        Ok(())
    }

    fn nodes(&self) -> &[Fields] {
        self.cluster.fields.list("nodes")
    }

    fn duplicates(&self) -> Checked {
        let (mut addresses, mut names) = (BTreeSet::new(), BTreeSet::new());
        for node in self.nodes() {
            let address = node.text("address");
            let name = match node.text("hostname_override") {
                "" => address.to_lowercase(),
                name => name.to_lowercase(),
            };
            let twice = |name: &str| other(node.span, format!("Cluster can't have duplicate node: {name}"));
            if !addresses.insert(address) {
                return Err(twice(address));
            }
            if !names.insert(name.clone()) {
                return Err(twice(&name));
            }
        }
        Ok(())
    }

    fn hosts(&self) -> Checked {
        for (position, node) in self.nodes().iter().enumerate() {
            let refused = |what: String| Err(other(node.span, what));
            let number = position + 1;
            for (key, name) in [("address", "Address"), ("user", "User")] {
                if node.text(key).is_empty() {
                    return refused(format!("{name} for host ({number}) is not provided"));
                }
            }
            if node.texts("role").is_empty() {
                return refused(format!("Role for host ({number}) is not provided"));
            }
        }
        Ok(())
    }

    fn authentication(&self) -> Checked {
        let given = self.cluster.fields.fields("authentication");
        let strategy = given.and_then(|fields| fields.spanned("strategy"));
        let Some(strategy) = strategy else { return Ok(()) };
        let refused = |message: String| Err(other(Some(strategy.span), message));
        let names: Vec<String> = strategy
            .split('|')
            .map(|name| name.trim().to_lowercase())
            .collect();
        let unknown = |name: &&String| !matches!(name.as_str(), "x509" | "webhook");
        if let Some(name) = names.iter().find(unknown) {
            return refused(format!("Authentication strategy [{name}] is not supported"));
        }
        match names.iter().any(|name| name == "x509") {
            true => Ok(()),
            false => refused("Authentication strategy must contain [x509]".to_owned()),
        }
    }

    fn network(&self, version: &Semver) -> Checked {
        let given = self.cluster.fields.fields("network");
        let plugin = self.resolved.network.as_str();
        let span = given.and_then(|network| Some(network.spanned("plugin")?.span));
        let refused = |message: String| Err(choice(span, message));
        if !["none", "flannel", "calico", "canal", "weave", "aci"].contains(&plugin) {
            return refused(format!("Network plugin [{plugin}] is not supported"));
        }
        if plugin == "flannel" && given.is_some_and(|network| network.int("mtu") != 0) {
            let message = format!("Network plugin [{plugin}] does not support configuring MTU");
            return Err(other(span, message));
        }
        if plugin == "weave" && version.is_at_least(1, 30) {
            return refused("weave CNI support is removed for k8s version >=1.30.0".to_owned());
        }
        let is_dual = |service, key| {
            self.service(service, key)
                .is_some_and(|range| range.contains(','))
        };
        let dual =
            is_dual("kube-api", "service_cluster_ip_range") || is_dual("kube-controller", "cluster_cidr");
        if dual && !["calico", "aci"].contains(&plugin) {
            let message = format!("Network plugin [{plugin}] does not support IPv6 (dualstack)");
            return Err(other(span, message));
        }
        match (plugin, given) {
            ("aci", Some(network)) => aci::check(network),
            _ => Ok(()),
        }
    }

    fn ingress(&self, version: &Semver) -> Checked {
        let given = self.cluster.fields.fields("ingress");
        let place = |key| given.and_then(|ingress| Some(ingress.spanned(key)?.span));
        let text = |key| given.map_or("", |ingress| ingress.text(key));
        let provider = self.resolved.ingress.as_str();
        if !["nginx", "none"].contains(&provider) {
            let message = format!("Ingress controller {provider} is incorrect");
            return Err(choice(place("provider"), message));
        }
        let policy = text("dns_policy");
        if !["", "ClusterFirst", "ClusterFirstWithHostNet", "None", "Default"].contains(&policy) {
            let message = format!("DNSPolicy {policy} was not a valid DNS Policy");
            return Err(other(place("dns_policy"), message));
        }
        let mode = match text("network_mode") {
            "" if version.is_at_least(1, 21) => "hostPort",
            mode => mode,
        };
        if mode == "hostPort" {
            ports(given)?;
        }
        if !["", "hostNetwork", "hostPort", "none"].contains(&mode) {
            let message = format!("NetworkMode {mode} was not a valid network mode");
            return Err(other(place("network_mode"), message));
        }
        Ok(())
    }

    fn services(&self, version: &Semver) -> Checked {
        let fields = &self.cluster.fields;
        if fields.truth("enable_cri_dockerd") == Some(true) && !version.is_at_least(1, 21) {
            let name = &self.resolved.version;
            let message = format!("Enabling cri-dockerd for cluster version [{name}] is not supported");
            return Err(other(None, message));
        }
        let services = fields.fields("services");
        let api = services.and_then(|services| services.fields("kube-api"));
        let has_rbac = ["", "rbac"].contains(&self.cluster.part("authorization", "mode"));
        let level = api.and_then(|api| api.spanned("pod_security_configuration"));
        // From 1.23 on there is a level where none is given.
        if !has_rbac && (level.is_some() || version.is_at_least(1, 23)) {
            let message = "PodSecurity can't be enabled with RBAC support disabled".to_owned();
            return Err(other(level.map(|level| level.span), message));
        }
        if let Some(level) = level {
            let message = if !version.is_at_least(1, 23) {
                "cluster version must be at least v1.23 to use PodSecurity in RKE".to_owned()
            } else if !["privileged", "restricted"].contains(&level.value.as_str()) {
                let level = &level.value;
                format!(
                    "invalid pod_security_configuration [{level}]. Supported values: [privileged, restricted]"
                )
            } else {
                String::new()
            };
            if !message.is_empty() {
                return Err(other(Some(level.span), message));
            }
        }
        let etcd = services.and_then(|services| services.fields("etcd"));
        match etcd.filter(|etcd| !etcd.texts("external_urls").is_empty()) {
            Some(etcd) => external_etcd(etcd),
            None => Ok(()),
        }
    }
}

fn ports(ingress: Option<&Fields>) -> Checked {
    let port = |key, default| match ingress.map_or(0, |ingress| ingress.int(key)) {
        0 => default,
        port => port,
    };
    let (http, https) = (port("http_port", 80), port("https_port", 443));
    let refused = |message: &str| {
        Err(other(
            ingress.and_then(|ingress| ingress.span),
            message.to_owned(),
        ))
    };
    for (name, port) in [("https", https), ("http", http)] {
        if !(0..=65535).contains(&port) {
            return refused(&format!("{name} port is invalid. Needs to be within 0 to 65535"));
        }
    }
    match http == https {
        true => refused("http and https ports need to be different"),
        false => Ok(()),
    }
}

/// Whether a text is an address with the length of a prefix.
fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let is_number = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
    is_number && length.parse::<u32>().is_ok_and(|length| length <= most)
}

fn external_etcd(etcd: &Fields) -> Checked {
    let wanted = [
        ("ca_cert", "External CA Certificate for etcd"),
        ("cert", "External Client Certificate for etcd"),
        ("key", "External Client Key for etcd"),
        ("path", "External etcd path"),
    ];
    match wanted.iter().find(|(key, _)| etcd.text(key).is_empty()) {
        Some((_, name)) => Err(other(etcd.span, format!("{name} can't be empty"))),
        None => Ok(()),
    }
}

fn choice(span: Option<Span>, message: String) -> Refusal {
    Refusal {
        message,
        span,
        about: About::Choice,
    }
}

pub(super) fn other(span: Option<Span>, message: String) -> Refusal {
    Refusal {
        message,
        span,
        about: About::Other,
    }
}

/// The name of a cloud, the key of its settings, and what RKE calls it where it insists on them; in RKE's order.
const CLOUDS: [(&str, &str, &str); 5] = [
    ("aws", "awsCloudProvider", ""),
    ("azure", "azureCloudProvider", "Azure"),
    ("openstack", "openstackCloudProvider", "Openstack"),
    ("vsphere", "vsphereCloudProvider", "Vsphere"),
    ("harvester", "harvesterCloudProvider", ""),
];

const CORE: [(&str, &str); 7] = [
    ("etcd", "etcd"),
    ("kubernetes", "kubernetes"),
    ("pod_infra_container", "pod infrastructure container"),
    ("alpine", "alpine"),
    ("nginx_proxy", "nginx proxy"),
    ("cert_downloader", "certificate downloader"),
    ("kubernetes_services_sidecar", "kubernetes sidecar"),
];

const ACI_IMAGES: [(&str, &str); 6] = [
    ("aci_cni_deploy_container", "aci cnideploy"),
    ("aci_host_container", "aci host container"),
    ("aci_opflex_container", "aci opflex agent"),
    ("aci_mcast_container", "aci mcast container"),
    ("aci_ovs_container", "aci openvswitch"),
    ("aci_controller_container", "aci controller"),
];
