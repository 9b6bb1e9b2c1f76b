//! RKE's 41 system images: what each is called in cluster.yml and in a `data.json`, in the order in which RKE prints them.

/// The names of one system image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// In cluster.yml, below `system_images`.
    pub yaml: &'static str,
    /// In KDM's `data.json` and in Rancher's API.
    pub json: &'static str,
}

const fn of(yaml: &'static str, json: &'static str) -> Component {
    Component { yaml, json }
}

/// All of them, in RKE's order.
pub const COMPONENTS: [Component; 41] = [
    of("etcd", "etcd"),
    of("alpine", "alpine"),
    of("nginx_proxy", "nginxProxy"),
    of("cert_downloader", "certDownloader"),
    of("kubernetes_services_sidecar", "kubernetesServicesSidecar"),
    of("kubedns", "kubedns"),
    of("dnsmasq", "dnsmasq"),
    of("kubedns_sidecar", "kubednsSidecar"),
    of("kubedns_autoscaler", "kubednsAutoscaler"),
    of("coredns", "coredns"),
    of("coredns_autoscaler", "corednsAutoscaler"),
    of("nodelocal", "nodelocal"),
    of("kubernetes", "kubernetes"),
    of("flannel", "flannel"),
    of("flannel_cni", "flannelCni"),
    of("calico_node", "calicoNode"),
    of("calico_cni", "calicoCni"),
    of("calico_controllers", "calicoControllers"),
    of("calico_ctl", "calicoCtl"),
    of("calico_flexvol", "calicoFlexVol"),
    of("canal_node", "canalNode"),
    of("canal_cni", "canalCni"),
    of("canal_controllers", "canalControllers"),
    of("canal_flannel", "canalFlannel"),
    of("canal_flexvol", "canalFlexVol"),
    of("weave_node", "weaveNode"),
    of("weave_cni", "weaveCni"),
    of("pod_infra_container", "podInfraContainer"),
    of("ingress", "ingress"),
    of("ingress_backend", "ingressBackend"),
    of("ingress_webhook", "ingressWebhook"),
    of("metrics_server", "metricsServer"),
    of("windows_pod_infra_container", "windowsPodInfraContainer"),
    of("aci_cni_deploy_container", "aciCniDeployContainer"),
    of("aci_host_container", "aciHostContainer"),
    of("aci_opflex_container", "aciOpflexContainer"),
    of("aci_mcast_container", "aciMcastContainer"),
    of("aci_ovs_container", "aciOvsContainer"),
    of("aci_controller_container", "aciControllerContainer"),
    of("aci_gbp_server_container", "aciGbpServerContainer"),
    of("aci_opflex_server_container", "aciOpflexServerContainer"),
];

/// The place of a component in [`COMPONENTS`], by its name in cluster.yml.
pub(super) fn position(yaml: &str) -> Option<usize> {
    COMPONENTS.iter().position(|component| component.yaml == yaml)
}
