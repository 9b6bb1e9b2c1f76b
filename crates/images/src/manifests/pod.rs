//! Containers and volumes of a pod.

use super::known;
use super::name::{Name, name};
use super::tree::Tree;
use super::walk::Walk;

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

impl Walk<'_> {
    /// A pod's template: its annotations and its `spec`.
    pub(crate) fn pod_template(&mut self, tree: &Tree) {
        if let Some(metadata) = tree.get("metadata") {
            self.within("metadata", |walk| walk.annotations(metadata));
        }
        if let Some(spec) = tree.get("spec") {
            self.within("spec", |walk| walk.pod_spec(spec));
        }
    }

    /// What injectors are told beside the pod: `sidecar.istio.io/proxyImage`.
    pub(crate) fn annotations(&mut self, metadata: &Tree) {
        let Some(annotations) = metadata.get("annotations").and_then(Tree::map) else {
            return;
        };
        self.within("annotations", |walk| {
            for (key, value) in annotations {
                let name = key.rsplit('/').next().unwrap_or_default();
                if let Some(text) = value.text().filter(|text| !text.contains('\n')) {
                    walk.within(key, |walk| walk.keyed(name, text, value.at));
                }
            }
        });
    }

    pub(crate) fn pod_spec(&mut self, spec: &Tree) {
        for kind in CONTAINERS {
            if let Some(containers) = spec.get(kind) {
                self.each(kind, containers, |walk, container| walk.container(container));
            }
        }
        if let Some(volumes) = spec.get("volumes") {
            self.each("volumes", volumes, |walk, volume| walk.volume(volume));
        }
    }

    pub(crate) fn container(&mut self, container: &Tree) {
        if let Some(image) = container.get("image") {
            let text = image.printed().unwrap_or_default();
            self.within("image", |walk| walk.container_image(&text, image));
        }
        for key in ["command", "args"] {
            if let Some(arguments) = container.get(key) {
                self.arguments(key, arguments);
            }
        }
        if let Some(environment) = container.get("env") {
            self.environment("env", environment);
        }
        known::compiled_in(self, container);
    }

    fn container_image(&mut self, text: &str, image: &Tree) {
        let spot = self.spot(image.at, false);
        match text.trim() {
            // Istio's injection replaces it.
            "auto" => self
                .found
                .remark(&spot, "is `auto`: Istio fills it in when the pod is made"),
            _ => self.found.must_be_image(text, &spot),
        }
    }

    fn volume(&mut self, volume: &Tree) {
        if let Some(reference) = volume.path(["image", "reference"])
            && let Some(text) = reference.text()
        {
            self.within("image.reference", |walk| {
                let spot = walk.spot(reference.at, false);
                walk.found.must_be_image(text, &spot);
            });
        }
        // Drivers that mount images, such as csi-driver-image.
        if let Some(image) = volume.path(["csi", "volumeAttributes", "image"])
            && let Some(text) = image.text()
            && !matches!(name(text), Name::Not(_))
        {
            self.within("csi.volumeAttributes.image", |walk| walk.promised(text, image.at));
        }
    }
}
