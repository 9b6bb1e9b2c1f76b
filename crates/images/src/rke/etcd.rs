//! The images that save and restore etcd. Nobody has them on a list: they depend on the release of RKE.

use landfall_oci::Reference;

use super::version::Semver;

/// The tools' image with the tag of the release's default version, in place of the first text that is like its own tag.
/// Another image than RKE's tools stays as it is. `None`: RKE finds no tag to replace.
pub(super) fn backup_image(tools: &str, default_tools: &str) -> Option<String> {
    if !tools.contains("rancher/rke-tools") {
        return Some(tools.to_owned());
    }
    Some(tools.replacen(&tag_of(tools)?, &tag_of(default_tools)?, 1))
}

/// From 3.5.7 on the image of etcd has no shell, and the tools restore instead.
pub(super) fn restore_image(etcd: &str, backup: impl FnOnce() -> Option<String>) -> Option<String> {
    if !etcd.contains("rancher/mirrored-coreos-etcd") {
        return Some(etcd.to_owned());
    }
    let tag = tag_of(etcd)?;
    let version = Semver::parse(tag.strip_prefix('v').unwrap_or(&tag))?;
    match version.is_before([3, 5, 7]) {
        true => Some(etcd.to_owned()),
        false => backup(),
    }
}

fn tag_of(image: &str) -> Option<String> {
    if image.starts_with('[') {
        return None;
    }
    let reference = Reference::parse(image).ok()?;
    reference.tag().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_the_default_version_is_put_in() {
        let default = "rancher/rke-tools:v0.1.103";
        let backup = |image| backup_image(image, default).unwrap_or_default();
        assert_eq!(backup("rancher/rke-tools:v0.1.24"), "rancher/rke-tools:v0.1.103");
        assert_eq!(
            backup("reg:5000/x/rancher/rke-tools:v0.1.24"),
            "reg:5000/x/rancher/rke-tools:v0.1.103"
        );
        assert_eq!(backup("alpine:latest"), "alpine:latest");
        assert_eq!(backup("reg/jkctl/rke-tools:v1"), "reg/jkctl/rke-tools:v1");
        // RKE replaces text: the first that is like the tag, wherever it stands.
        assert_eq!(
            backup("reg/v1/rancher/rke-tools:v1"),
            "reg/v0.1.103/rancher/rke-tools:v1"
        );
        assert_eq!(backup_image("rancher/rke-tools", default), None);
        assert_eq!(backup_image("", default).as_deref(), Some(""));
    }

    #[test]
    fn an_etcd_without_a_shell_is_restored_by_the_tools() {
        let restore = |etcd| restore_image(etcd, || Some("tools".to_owned())).unwrap_or_default();
        assert_eq!(restore("rancher/mirrored-coreos-etcd:v3.5.12"), "tools");
        assert_eq!(restore("reg/rancher/mirrored-coreos-etcd:v3.5.7"), "tools");
        let shell = "rancher/mirrored-coreos-etcd:v3.4.15-rancher1";
        assert_eq!(restore(shell), shell);
        assert_eq!(
            restore("rancher/coreos-etcd:v3.5.12"),
            "rancher/coreos-etcd:v3.5.12"
        );
        assert_eq!(
            restore_image("rancher/mirrored-coreos-etcd:latest", || None),
            None
        );
    }
}
