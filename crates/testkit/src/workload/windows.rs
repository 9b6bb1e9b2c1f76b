//! Windows images: a version in the config, and below everything a base layer that its registry need not hold, because
//! it may be fetched from its publisher only.

use landfall_oci::{Descriptor, Digest, MediaType, Platform};
use serde_json::json;

use super::{Content, Family, Layer, Workload, layer_json};

/// A layer that is to be fetched from elsewhere.
#[derive(Clone, Debug)]
pub struct ForeignLayer {
    /// The layer itself.
    pub layer: Layer,
    /// Where it is.
    pub urls: Vec<String>,
}

/// `windows/amd64` with a version and what Windows calls a feature.
pub fn platform(os_version: &str) -> Platform {
    Platform {
        os_version: os_version.to_owned(),
        os_features: vec!["win32k".to_owned()],
        ..Platform::new("windows", "amd64")
    }
}

impl Workload {
    /// Adds a Windows image of its base and a layer with this file; the descriptor carries the platform.
    pub fn add_windows_image(
        &mut self,
        family: Family,
        platform: &Platform,
        base: Option<&ForeignLayer>,
        text: &str,
    ) -> Descriptor {
        let own = self.add_file_layer(&[("Files/hello.txt", 0o644, text.as_bytes())]);
        let mut layers: Vec<_> = base.iter().map(|base| base.layer.clone()).collect();
        layers.push(own.clone());
        let config = self.add_config(family, platform, &layers);
        let mut descriptors: Vec<_> = base.iter().map(|base| base.descriptor(family)).collect();
        descriptors.push(layer_json(family, &own));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest().as_str(),
            "config": config,
            "layers": descriptors,
        });
        let mut descriptor = self.add_manifest(family.manifest(), &manifest);
        descriptor.platform = Some(platform.clone());
        descriptor
    }

    /// A base layer with this file, which the workload itself does not hold: its content, and a layer without a place.
    pub fn foreign_base(text: &str) -> (ForeignLayer, Content) {
        let mut elsewhere = Self::new();
        let layer = elsewhere.add_file_layer(&[("Files/Windows/base.txt", 0o644, text.as_bytes())]);
        let content = elsewhere.blobs[&layer.digest].clone();
        let urls = Vec::new();
        (ForeignLayer { layer, urls }, content)
    }
}

impl ForeignLayer {
    /// The digest.
    pub fn digest(&self) -> Digest {
        self.layer.digest
    }

    fn descriptor(&self, family: Family) -> Descriptor {
        let media_type = match family {
            Family::Docker => MediaType::DOCKER_FOREIGN_LAYER,
            Family::Oci => "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip".into(),
        };
        Descriptor {
            urls: self.urls.clone(),
            ..Descriptor::new(media_type, self.layer.digest, self.layer.size)
        }
    }
}
