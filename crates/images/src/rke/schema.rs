//! What RKE reads of cluster.yml: the keys, and the types as Go names them, because RKE's complaints say those names.

use super::component::COMPONENTS;

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Text,
    Bool,
    Int,
    Texts,
    /// Texts by free keys.
    Map,
    /// A mapping with known keys.
    Struct(&'static Struct),
    /// The same behind a pointer: whether it is there matters.
    Pointer(&'static Struct),
    /// A list of mappings with known keys.
    List(&'static Struct),
    /// `system_images`.
    Images,
    /// `private_registries`.
    Registries,
    /// Something in which no image and no choice can be; not looked into.
    Any,
}

/// A mapping with known keys.
#[derive(Debug)]
pub(super) struct Struct {
    /// The name of the type in Go, with the star of a pointer.
    pub(super) go: &'static str,
    pub(super) fields: &'static [(&'static str, Type)],
    /// Whether all keys are listed, so that another one is a mistake.
    pub(super) is_whole: bool,
}

impl Struct {
    pub(super) fn field(&self, key: &str) -> Option<(&'static str, Type)> {
        self.fields.iter().find(|(name, _)| *name == key).copied()
    }
}

/// The keys of `system_images`.
pub(super) fn image_key(key: &str) -> Option<&'static str> {
    let named = COMPONENTS.iter().find(|component| component.yaml == key);
    named.map(|component| component.yaml)
}

const fn whole(go: &'static str, fields: &'static [(&'static str, Type)]) -> Struct {
    Struct {
        go,
        fields,
        is_whole: true,
    }
}

const fn partly(go: &'static str, fields: &'static [(&'static str, Type)]) -> Struct {
    Struct {
        go,
        fields,
        is_whole: false,
    }
}

use Type::{Any, Bool, Images, Int, List, Map, Pointer, Registries, Text, Texts};

/// The whole file.
pub(super) static CLUSTER: Struct = whole(
    "types.RancherKubernetesEngineConfig",
    &[
        ("nodes", List(&NODE)),
        ("services", Type::Struct(&SERVICES)),
        ("network", Type::Struct(&NETWORK)),
        ("authentication", Type::Struct(&AUTHENTICATION)),
        ("addons", Text),
        ("addons_include", Texts),
        ("system_images", Images),
        ("ssh_key_path", Text),
        ("ssh_cert_path", Text),
        ("ssh_agent_auth", Bool),
        ("authorization", Type::Struct(&AUTHORIZATION)),
        ("ignore_docker_version", Bool),
        ("enable_cri_dockerd", Bool),
        ("kubernetes_version", Text),
        ("private_registries", Registries),
        ("ingress", Type::Struct(&INGRESS)),
        ("cluster_name", Text),
        ("cloud_provider", Type::Struct(&CLOUD)),
        ("prefix_path", Text),
        ("win_prefix_path", Text),
        ("addon_job_timeout", Int),
        ("bastion_host", Type::Struct(&BASTION)),
        ("monitoring", Type::Struct(&MONITORING)),
        ("restore", Type::Struct(&RESTORE)),
        ("rotate_certificates", Any),
        ("rotate_encryption_key", Bool),
        ("dns", Pointer(&DNS)),
        ("upgrade_strategy", Any),
        ("cri_dockerd_stream_server_address", Text),
        ("cri_dockerd_stream_server_port", Text),
    ],
);

static NODE: Struct = whole(
    "types.RKEConfigNode",
    &[
        ("nodeName", Text),
        ("address", Text),
        ("port", Text),
        ("internal_address", Text),
        ("role", Texts),
        ("hostname_override", Text),
        ("user", Text),
        ("docker_socket", Text),
        ("ssh_agent_auth", Bool),
        ("ssh_key", Text),
        ("ssh_key_path", Text),
        ("ssh_cert", Text),
        ("ssh_cert_path", Text),
        ("labels", Map),
        ("taints", Any),
    ],
);

static BASTION: Struct = whole(
    "types.BastionHost",
    &[
        ("address", Text),
        ("port", Text),
        ("user", Text),
        ("ssh_agent_auth", Bool),
        ("ssh_key", Text),
        ("ssh_key_path", Text),
        ("ssh_cert", Text),
        ("ssh_cert_path", Text),
        ("ignore_proxy_env_vars", Bool),
    ],
);

static SERVICES: Struct = whole(
    "types.RKEConfigServices",
    &[
        ("etcd", Type::Struct(&ETCD)),
        ("kube-api", Type::Struct(&KUBE_API)),
        ("kube-controller", Type::Struct(&KUBE_CONTROLLER)),
        ("scheduler", Type::Struct(&SCHEDULER)),
        ("kubelet", Type::Struct(&KUBELET)),
        ("kubeproxy", Type::Struct(&KUBEPROXY)),
    ],
);

/// A service: what all of them have, and its own.
macro_rules! service {
    ($go:literal, $($own:expr),*) => {
        whole($go, &[
            ("image", Text),
            ("extra_args", Map),
            ("extra_args_array", Any),
            ("extra_binds", Texts),
            ("extra_env", Texts),
            ("win_extra_args", Map),
            ("win_extra_args_array", Any),
            ("win_extra_binds", Texts),
            ("win_extra_env", Texts),
            $($own),*
        ])
    };
}

static ETCD: Struct = service!(
    "types.ETCDService",
    ("external_urls", Texts),
    ("ca_cert", Text),
    ("cert", Text),
    ("key", Text),
    ("path", Text),
    ("uid", Int),
    ("gid", Int),
    ("snapshot", Bool),
    ("retention", Text),
    ("creation", Text),
    ("backup_config", Any)
);

static KUBE_API: Struct = service!(
    "types.KubeAPIService",
    ("service_cluster_ip_range", Text),
    ("service_node_port_range", Text),
    ("pod_security_policy", Bool),
    ("pod_security_configuration", Text),
    ("always_pull_images", Bool),
    ("secrets_encryption_config", Any),
    ("audit_log", Any),
    ("admission_configuration", Any),
    ("event_rate_limit", Any)
);

static KUBE_CONTROLLER: Struct = service!(
    "types.KubeControllerService",
    ("cluster_cidr", Text),
    ("service_cluster_ip_range", Text)
);

static SCHEDULER: Struct = service!("types.SchedulerService",);

static KUBELET: Struct = service!(
    "types.KubeletService",
    ("cluster_domain", Text),
    ("infra_container_image", Text),
    ("cluster_dns_server", Text),
    ("fail_swap_on", Bool),
    ("generate_serving_certificate", Bool)
);

static KUBEPROXY: Struct = service!("types.KubeproxyService",);

static NETWORK: Struct = whole(
    "types.NetworkConfig",
    &[
        ("plugin", Text),
        ("options", Map),
        ("mtu", Int),
        ("calico_network_provider", Pointer(&CALICO)),
        ("canal_network_provider", Any),
        ("flannel_network_provider", Any),
        ("weave_network_provider", Any),
        ("aci_network_provider", Pointer(&ACI)),
        ("node_selector", Map),
        ("update_strategy", Any),
        ("tolerations", Any),
        ("enable_br_netfilter", Bool),
    ],
);

/// Its field has no name for YAML, so yaml.v2 makes one: `CloudProvider` in small letters.
static CALICO: Struct = whole("*types.CalicoNetworkProvider", &[("cloudprovider", Text)]);

/// The fields that RKE checks; it has a hundred more.
static ACI: Struct = partly(
    "*types.AciNetworkProvider",
    &[
        ("system_id", Text),
        ("apic_hosts", Texts),
        ("token", Text),
        ("apic_user_name", Text),
        ("apic_user_key", Text),
        ("apic_user_crt", Text),
        ("encap_type", Text),
        ("node_subnet", Text),
        ("mcast_range_start", Text),
        ("mcast_range_end", Text),
        ("aep", Text),
        ("vrf_name", Text),
        ("vrf_tenant", Text),
        ("l3out", Text),
        ("l3out_external_networks", Texts),
        ("extern_dynamic", Text),
        ("extern_static", Text),
        ("node_svc_subnet", Text),
        ("kube_api_vlan", Text),
        ("service_vlan", Text),
        ("infra_vlan", Text),
        ("ep_registry", Text),
        ("opflex_mode", Text),
        ("use_host_netns_volume", Text),
        ("use_opflex_server_volume", Text),
        ("subnet_domain_name", Text),
        ("kafka_client_crt", Text),
        ("kafka_client_key", Text),
        ("capic", Text),
        ("overlay_vrf_name", Text),
        ("gbp_pod_subnet", Text),
        ("run_gbp_container", Text),
        ("run_opflex_server_container", Text),
        ("opflex_server_port", Text),
    ],
);

static AUTHENTICATION: Struct = whole(
    "types.AuthnConfig",
    &[("strategy", Text), ("sans", Texts), ("webhook", Any)],
);

static AUTHORIZATION: Struct = whole("types.AuthzConfig", &[("mode", Text), ("options", Map)]);

static INGRESS: Struct = whole(
    "types.IngressConfig",
    &[
        ("provider", Text),
        ("options", Map),
        ("node_selector", Map),
        ("extra_args", Map),
        ("dns_policy", Text),
        ("extra_envs", Any),
        ("extra_volumes", Any),
        ("extra_volume_mounts", Any),
        ("update_strategy", Any),
        ("http_port", Int),
        ("https_port", Int),
        ("network_mode", Text),
        ("tolerations", Any),
        ("default_backend", Bool),
        ("default_http_backend_priority_class_name", Text),
        ("nginx_ingress_controller_priority_class_name", Text),
        ("default_ingress_class", Bool),
    ],
);

static CLOUD: Struct = whole(
    "types.CloudProvider",
    &[
        ("name", Text),
        ("useInstanceMetadataHostname", Bool),
        ("awsCloudProvider", Pointer(&CLOUD_SETTINGS)),
        ("azureCloudProvider", Pointer(&CLOUD_SETTINGS)),
        ("openstackCloudProvider", Pointer(&CLOUD_SETTINGS)),
        ("vsphereCloudProvider", Pointer(&CLOUD_SETTINGS)),
        ("harvesterCloudProvider", Pointer(&CLOUD_SETTINGS)),
        ("customCloudProvider", Text),
    ],
);

/// Only whether they are there matters.
static CLOUD_SETTINGS: Struct = partly("types.CloudProvider", &[]);

static MONITORING: Struct = whole(
    "types.MonitoringConfig",
    &[
        ("provider", Text),
        ("options", Map),
        ("node_selector", Map),
        ("update_strategy", Any),
        ("replicas", Int),
        ("tolerations", Any),
        ("metrics_server_priority_class_name", Text),
    ],
);

static RESTORE: Struct = whole(
    "types.RestoreConfig",
    &[("restore", Bool), ("snapshot_name", Text)],
);

static DNS: Struct = whole(
    "*types.DNSConfig",
    &[
        ("provider", Text),
        ("upstreamnameservers", Texts),
        ("reversecidrs", Texts),
        ("stubdomains", Any),
        ("node_selector", Map),
        ("nodelocal", Pointer(&NODELOCAL)),
        ("update_strategy", Any),
        ("linear_autoscaler_params", Any),
        ("tolerations", Any),
        ("options", Map),
    ],
);

static NODELOCAL: Struct = whole(
    "*types.Nodelocal",
    &[
        ("ip_address", Text),
        ("node_selector", Map),
        ("update_strategy", Any),
        ("node_local_dns_priority_class_name", Text),
    ],
);
