//! Cisco's network plugin: what RKE must be told of it, and what it refuses to be told.

use super::decode::Fields;
use super::validate::{Checked, other};

/// What Cisco's plugin must be told.
pub(super) fn check(network: &Fields) -> Checked {
    let provider = network.fields("aci_network_provider");
    let options = network.map("options");
    let refused = |name: &str, what: &str| {
        let message =
            format!("Network plugin aci: {name}({what}) under aci_network_provider is not provided");
        Err(other(provider.and_then(|provider| provider.span), message))
    };
    let value = |key: &str, option: &str| match options.and_then(|options| options.get(option)) {
        Some(given) => given.value.as_str(),
        None => provider.map_or("", |provider| provider.text(key)),
    };
    for (key, option, allowed) in CLOUD_SETTINGS {
        let value = value(key, option);
        if !value.is_empty() && value != allowed {
            let message = format!(
                "Network plugin aci: {option} = {value} is provided,but cloud options are not allowed in this release"
            );
            return Err(other(provider.and_then(|provider| provider.span), message));
        }
    }
    for (key, option, what) in SETTINGS {
        let value = value(key, option);
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

/// What is for Cisco's clouds: the key, the option that means the same, and the only thing that may be said.
const CLOUD_SETTINGS: [(&str, &str, &str); 13] = [
    ("ep_registry", "aci_ep_registry", ""),
    ("opflex_mode", "aci_opflex_mode", ""),
    ("use_host_netns_volume", "aci_use_host_netns_volume", "false"),
    (
        "use_opflex_server_volume",
        "aci_use_opflex_server_volume",
        "false",
    ),
    ("subnet_domain_name", "aci_subnet_domain_name", ""),
    ("kafka_client_crt", "aci_kafka_client_crt", ""),
    ("kafka_client_key", "aci_kafka_client_key", ""),
    ("capic", "aci_capic", "false"),
    ("overlay_vrf_name", "aci_overlay_vrf_name", ""),
    ("gbp_pod_subnet", "aci_gbp_pod_subnet", ""),
    ("run_gbp_container", "aci_run_gbp_container", "false"),
    (
        "run_opflex_server_container",
        "aci_run_opflex_server_container",
        "false",
    ),
    ("opflex_server_port", "aci_opflex_server_port", ""),
];

/// The key, the option that means the same, and what RKE says that it is.
const SETTINGS: [(&str, &str, &str); 19] = [
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
