//! What RKE checks before it does anything, in its order and in its words.

use std::collections::BTreeSet;

use landfall_diag::Span;

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

type Checked = Result<(), Refusal>;

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
        if self.resolved.found.is_none() {
            self.images(&version)?;
        }
        self.duplicates()?;
        self.hosts()?;
        self.authentication()?;
        self.network(&version)?;
        self.ingress()?;
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
        let missing = wanted
            .into_iter()
            .find(|(component, _)| self.resolved.image(component).is_empty());
        let Some((component, name)) = missing else {
            return Ok(());
        };
        // RKE's own slip of grammar.
        let noun = if component == "metrics_server" {
            "images"
        } else {
            "image"
        };
        Err(self.about_version(format!(
            "{} is an unsupported Kubernetes version and system images are not populated: {name} {noun} is not populated",
            self.resolved.version
        )))
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
            let roles = node.texts("role");
            if roles.is_empty() {
                return refused(format!("Role for host ({number}) is not provided"));
            }
            let known = ["etcd", "controlplane", "worker"];
            if let Some(role) = roles.iter().find(|role| !known.contains(&role.as_str())) {
                return refused(format!(
                    "Role [{}] for host ({number}) is not recognized",
                    role.value
                ));
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
        match (plugin, given) {
            ("aci", Some(network)) => aci(network),
            _ => Ok(()),
        }
    }

    fn ingress(&self) -> Checked {
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
        let mode = text("network_mode");
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
        if let Some(level) = api.and_then(|api| api.spanned("pod_security_configuration")) {
            let mode = self.cluster.part("authorization", "mode");
            let message = if !["", "rbac"].contains(&mode) {
                "PodSecurity can't be enabled with RBAC support disabled".to_owned()
            } else if !version.is_at_least(1, 23) {
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

/// What Cisco's plugin must be told.
fn aci(network: &Fields) -> Checked {
    let provider = network.fields("aci_network_provider");
    let options = network.map("options");
    let refused = |name: &str, what: &str| {
        let message =
            format!("Network plugin aci: {name}({what}) under aci_network_provider is not provided");
        Err(other(provider.and_then(|provider| provider.span), message))
    };
    for (key, option, what) in ACI_SETTINGS {
        let given = options.and_then(|options| options.get(option));
        let value = match given {
            Some(given) => given.value.as_str(),
            None => provider.map_or("", |provider| provider.text(key)),
        };
        if value.is_empty() {
            return refused(key, what);
        }
    }
    let has = |key: &str| provider.is_some_and(|provider| provider.all.contains_key(key));
    if provider.is_some() && !has("apic_hosts") {
        return refused("apic_hosts", "address of aci apic hosts");
    }
    if provider.is_some() && !has("l3out_external_networks") {
        return refused("l3out_external_networks", "external network name/s on aci");
    }
    Ok(())
}

fn choice(span: Option<Span>, message: String) -> Refusal {
    Refusal {
        message,
        span,
        about: About::Choice,
    }
}

fn other(span: Option<Span>, message: String) -> Refusal {
    Refusal {
        message,
        span,
        about: About::Other,
    }
}

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

/// The key, the option that means the same, and what RKE says that it is.
const ACI_SETTINGS: [(&str, &str, &str); 19] = [
    (
        "system_id",
        "aci_system_identifier",
        "unique suffix for all cluster related objects in aci",
    ),
    (
        "token",
        "aci_token",
        "UUID for this version of the input configuration",
    ),
    ("apic_user_name", "aci_apic_user_name", "User name for aci apic"),
    (
        "apic_user_key",
        "aci_apic_user_key",
        "Base64 encoded private key for aci apic user",
    ),
    (
        "apic_user_crt",
        "aci_apic_user_crt",
        "Base64 encoded certificate for aci apic user",
    ),
    (
        "encap_type",
        "aci_encap_type",
        "One of the supported encap types for aci(vlan/vxlan)",
    ),
    (
        "mcast_range_start",
        "aci_mcast_range_start",
        "Mcast range start address for endpoint groups on aci",
    ),
    (
        "mcast_range_end",
        "aci_mcast_range_end",
        "Mcast range end address for endpoint groups on aci",
    ),
    ("node_subnet", "aci_node_subnet", "Kubernetes node address subnet"),
    ("aep", "aci_aep", "Attachment entity profile name on aci"),
    ("vrf_name", "aci_vrf_name", "VRF Name on aci"),
    ("vrf_tenant", "aci_vrf_tenant", "Tenant for VRF on aci"),
    ("l3out", "aci_l3out", "L3Out on aci"),
    (
        "extern_dynamic",
        "aci_dynamic_external_subnet",
        "Subnet to use for dynamic external IPs on aci",
    ),
    (
        "extern_static",
        "aci_static_external_subnet",
        "Subnet to use for static external IPs on aci",
    ),
    (
        "node_svc_subnet",
        "aci_service_graph_subnet",
        "Subnet to use for service graph endpoints on aci",
    ),
    (
        "kube_api_vlan",
        "aci_kubeapi_vlan",
        "Vlan for node network on aci",
    ),
    (
        "service_vlan",
        "aci_service_vlan",
        "Vlan for service graph nodes on aci",
    ),
    ("infra_vlan", "aci_infra_vlan", "Vlan for infra network on aci"),
];
