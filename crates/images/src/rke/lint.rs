//! What RKE does with a cluster.yml without a word, and its writer will not expect.

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, Severity, Span};
use landfall_oci::Reference;
use landfall_registries::runtimes::rke::PrivateRegistry;

use super::cluster::Cluster;
use super::credentials::is_ecr;
use super::resolve::Resolved;

impl Cluster {
    /// Warnings about what RKE ignores in silence, or gets wrong.
    #[must_use]
    pub fn lint(&self, resolved: &Resolved<'_>) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        self.urls(&mut found);
        self.defaults(&mut found);
        for entry in self.registries() {
            amazon(entry, &mut found);
        }
        self.unused(resolved, &mut found);
        self.services(&mut found);
        if let Some(span) = self.windows {
            let message = "this is taken to mean that there are Windows nodes; rke does not read it, and asks each node";
            found.push(Diagnostic::at("R12", Severity::Note, span, message));
        }
        found
    }

    fn urls(&self, found: &mut Vec<Diagnostic>) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for entry in self.registries() {
            let span = place(entry);
            let url = entry.written_url();
            if let Some((scheme, rest)) = url.split_once("://") {
                let message = format!("rke does not take `{scheme}://` off the url");
                let what = match entry.is_default() {
                    true => "no image has a valid name, and its credential is never found",
                    false => "its credential is never found",
                };
                found.push(
                    warning("R04", span, message)
                        .consequence(what)
                        .help(format!("write `{rest}`")),
                );
            } else if url.ends_with('/') {
                let message = "rke does not take the slash at the end off the url";
                let bare = url.trim_end_matches('/');
                found.push(warning("R04", span, message).help(format!("write `{bare}`")));
            }
            if let Some(first) = seen.insert(entry.key(), span) {
                let message = format!(
                    "`{}` is given twice; rke takes the last one's credential",
                    entry.key()
                );
                found.push(warning("R05", span, message).also(first, "not used"));
            }
        }
    }

    fn defaults(&self, found: &mut Vec<Diagnostic>) {
        let mut defaults = self.registries().iter().filter(|entry| entry.is_default());
        let Some(first) = defaults.next() else { return };
        if first.written_url().is_empty() {
            let message = "`is_default` without `url` changes nothing: images stay without a registry";
            found.push(warning("R06", place(first), message));
        }
        for entry in defaults {
            let message = "only the first registry with `is_default` is the default; this one is not";
            found.push(warning("R06", place(entry), message).also(place(first), "the default"));
        }
    }

    /// Registries whose credential an image of theirs does not get, because RKE compares the whole path.
    fn unused(&self, resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
        for (url, entry) in self.registry_map() {
            let host = url.split('/').next().unwrap_or(url);
            let misses = |image: &Reference| {
                image.registry().as_str() == host
                    && image.name().starts_with(&format!("{url}/"))
                    && self.registry_of(image).is_none()
            };
            let images = resolved
                .all()
                .into_iter()
                .filter_map(|image| Reference::parse(image).ok());
            let missed: Vec<_> = images.filter(misses).collect();
            if let Some(image) = missed.first() {
                let path = image.repository().as_str();
                let above = path.rmatch_indices('/').nth(1).map_or("", |(at, _)| &path[..at]);
                let message = format!(
                    "{} below `{url}` will be pulled without this credential, {image} first: rke looks for `{host}/{above}`",
                    count(missed.len())
                );
                let help = format!("add an entry with `url: {host}/{above}`");
                found.push(warning("R09", place(entry), message).help(help));
            }
        }
    }

    /// Images of services, which RKE has not accepted since its first releases.
    fn services(&self, found: &mut Vec<Diagnostic>) {
        let Some(services) = self.fields.fields("services") else {
            return;
        };
        for name in [
            "etcd",
            "kube-api",
            "kube-controller",
            "scheduler",
            "kubelet",
            "kubeproxy",
        ] {
            let image = services.fields(name).and_then(|service| service.spanned("image"));
            if let Some(image) = image {
                let message = format!("rke does not use the image of a service (`{name}`)");
                let component = if name == "etcd" { "etcd" } else { "kubernetes" };
                let help = format!("set `system_images.{component}`");
                found.push(warning("R11", image.span, message).help(help));
            }
        }
    }
}

fn count(images: usize) -> String {
    match images {
        1 => "1 image".to_owned(),
        images => format!("{images} images"),
    }
}

fn place(entry: &PrivateRegistry) -> Span {
    entry.url.as_ref().map_or(entry.span, |url| url.span)
}

fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::at(code, Severity::Warning, span, message)
}

fn amazon(entry: &PrivateRegistry, found: &mut Vec<Diagnostic>) {
    let Some(plugin) = &entry.ecr else { return };
    let has_user = !entry.user().is_empty() || !entry.password().is_empty();
    if has_user {
        let message =
            "rke pulls its own images with `user` and `password`, and tells the kubelets of the plugin only";
        found.push(warning("R08", plugin.span, message));
    } else if !is_ecr(entry.key()) {
        let message = format!(
            "`{}` is not the name of an ECR registry: rke cannot pull from it",
            entry.key()
        );
        found.push(
            warning("R07", plugin.span, message)
                .help("ACCOUNT.dkr.ecr.REGION.amazonaws.com is what they are called"),
        );
    }
    let half = plugin.access_key_id.is_empty() != plugin.secret_access_key.is_none();
    if half {
        let message =
            "only one half of the key is given: rke takes neither, and looks where Amazon's tools look";
        found.push(warning("R07", plugin.span, message));
    }
}
