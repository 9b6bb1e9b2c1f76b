//! cluster.yml: what RKE reads of it, and what it will not have understood.

use landfall_diag::yaml::{self, Decoder};
use landfall_diag::{Diagnostic, Severity, SourceId, Span, Spanned};
use landfall_registries::runtimes::rke::PrivateRegistry;

use super::decode::{self, Fields, Notes, Value};

/// A cluster.yml.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub(super) fields: Fields,
    /// The first place that says that the cluster has Windows nodes.
    pub windows: Option<Span>,
}

/// What came of reading one.
#[derive(Debug)]
pub struct Reading {
    /// What RKE has of it. `None`: RKE refuses the file.
    pub cluster: Option<Cluster>,
    /// What is wrong with it, and what RKE drops.
    pub diagnostics: Vec<Diagnostic>,
}

impl Cluster {
    /// Reads one as RKE does: values of a wrong type make RKE refuse the whole file, unknown keys it drops in silence.
    #[must_use]
    pub fn read(source: SourceId, text: &str) -> Reading {
        let refused = |span: Span, message: String| {
            Diagnostic::at("R01", Severity::Error, span, message).consequence("rke does nothing")
        };
        let nothing = |diagnostics| Reading {
            cluster: None,
            diagnostics,
        };
        let root = match yaml::parse(source, text) {
            Ok(document) => document.root,
            Err(error) => return nothing(vec![refused(error.span, error.message.to_string())]),
        };
        let mut notes = Notes::default();
        let Some(root) = root else {
            let message = "the file is empty; rke would set up its defaults on no node";
            notes
                .diagnostics
                .push(Diagnostic::whole("R03", Severity::Warning, message));
            return Reading {
                cluster: Some(Self::default()),
                diagnostics: notes.diagnostics,
            };
        };
        let mut decoder = Decoder::new();
        let read = decode::cluster(&root, &mut decoder, &mut notes);
        let misfits = decoder.misfits().iter();
        let misfits = misfits.map(|misfit| refused(misfit.span, misfit.message.clone()));
        notes.diagnostics.extend(misfits);
        let cluster = match read {
            Err(error) => {
                notes
                    .diagnostics
                    .push(refused(error.span, error.message.to_string()));
                None
            }
            Ok(_) if !decoder.misfits().is_empty() => None,
            Ok(fields) => Some(Self {
                fields,
                windows: notes.windows,
            }),
        };
        Reading {
            cluster,
            diagnostics: notes.diagnostics,
        }
    }

    /// A cluster that says nothing but its version.
    #[must_use]
    pub fn of_version(version: &str) -> Self {
        let mut fields = Fields::default();
        let nowhere = Span::new(SourceId(0), 0..0);
        let version = Value::Text(Spanned::new(version.to_owned(), nowhere));
        fields.all.insert("kubernetes_version", version);
        Self {
            fields,
            windows: None,
        }
    }

    /// `kubernetes_version`.
    #[must_use]
    pub fn version(&self) -> Option<&Spanned<String>> {
        self.fields.spanned("kubernetes_version")
    }

    /// `private_registries`, in their order.
    #[must_use]
    pub fn registries(&self) -> &[PrivateRegistry] {
        self.fields.registries()
    }

    /// What is set below `system_images`: nothing where it is missing or empty, which mean the same.
    #[must_use]
    pub fn system_image(&self, component: &str) -> Option<&Spanned<String>> {
        self.fields.fields("system_images")?.spanned(component)
    }

    /// `services.kubelet.infra_container_image`.
    #[must_use]
    pub fn infra_image(&self) -> Option<&Spanned<String>> {
        let services = self.fields.fields("services")?;
        services.fields("kubelet")?.spanned("infra_container_image")
    }

    /// `addons`: manifests within the file.
    #[must_use]
    pub fn addons(&self) -> Option<&Spanned<String>> {
        self.fields.spanned("addons")
    }

    /// `addons_include`: files and URLs of further manifests.
    #[must_use]
    pub fn addons_include(&self) -> &[Spanned<String>] {
        self.fields.texts("addons_include")
    }

    /// The prefix of every default image: the first registry that is the default, with a slash. RKE puts it before
    /// empty images too.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        let first = self.registries().iter().find(|entry| entry.is_default())?;
        let url = first.written_url();
        (!url.is_empty()).then(|| format!("{url}/"))
    }

    /// A field of a part of the file, or RKE's default.
    pub(super) fn part(&self, part: &str, key: &str) -> &str {
        self.fields.fields(part).map_or("", |fields| fields.text(key))
    }

    /// Whether the calico that this file asks for is told of a cloud.
    pub(super) fn calico_cloud(&self) -> bool {
        let Some(network) = self.fields.fields("network") else {
            return false;
        };
        let option = network
            .map("options")
            .and_then(|options| options.get("calico_cloud_provider"));
        let provider = || {
            network
                .fields("calico_network_provider")?
                .spanned("cloudprovider")
        };
        let cloud = option.or_else(provider).map_or("none", |cloud| &cloud.value);
        cloud != "none" && !cloud.is_empty()
    }
}
