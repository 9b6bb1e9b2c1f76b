//! A publisher's registry with Windows and Linux images, and the publisher of their base layers.

use landfall_oci::{Descriptor, Platform};
use landfall_testkit::workload::windows::platform;
use landfall_testkit::workload::{Content, Family, ForeignLayer};
use landfall_testkit::{FakeRegistry, Workload};

/// The two versions of these tests, and the builds that their images state.
pub(crate) const VERSIONS: [(&str, &str); 2] = [("1809", "10.0.17763.5458"), ("ltsc2022", "10.0.20348.2113")];
/// As they are typed.
pub(crate) const BOTH: &str = "1809,ltsc2022";

/// Images in the making.
pub(crate) struct World {
    pub(crate) workload: Workload,
    pub(crate) family: Family,
    /// Base layers by build, with what they hold.
    bases: Vec<(String, ForeignLayer, Content)>,
}

impl World {
    /// Docker's media types, base layers in the images' own registry.
    pub(crate) fn new() -> Self {
        Self {
            workload: Workload::new(),
            family: Family::Docker,
            bases: Vec::new(),
        }
    }

    /// Base layers to be fetched from `BASE/cdn/DIGEST`.
    pub(crate) fn with_bases_at(base: &str) -> Self {
        let mut world = Self::new();
        for (_, build) in VERSIONS {
            let (mut layer, content) = Workload::foreign_base(&format!("the base of {build}"));
            layer.urls = vec![format!("{base}/cdn/{}", layer.digest())];
            world.bases.push((build.to_owned(), layer, content));
        }
        world
    }

    /// The base layers and their content.
    pub(crate) fn bases(&self) -> impl Iterator<Item = (&ForeignLayer, &Content)> {
        self.bases.iter().map(|(_, layer, content)| (layer, content))
    }

    /// One Linux image that has no name yet.
    pub(crate) fn linux(&mut self, name: &str, architecture: &str) -> Descriptor {
        let program = landfall_testkit::workload::elf::amd64(&format!("hello from {name}\n"));
        let layer = self.workload.add_file_layer(&[("hello", 0o755, &program)]);
        let platform = Platform::new("linux", architecture);
        self.workload.add_image(self.family, &platform, &[layer])
    }

    /// One Windows image that has no name yet.
    pub(crate) fn windows(&mut self, name: &str, build: &str) -> Descriptor {
        let base = self.bases.iter().find(|(of, ..)| of == build);
        let base = base.map(|(_, layer, _)| layer.clone());
        let text = format!("{name} for {build}");
        self.workload
            .add_windows_image(self.family, &platform(build), base.as_ref(), &text)
    }

    /// A plain Linux image.
    pub(crate) fn add_linux(&mut self, name: &str) -> Descriptor {
        let image = self.linux(name, "amd64");
        self.workload.tag(name, image.digest);
        image
    }

    /// Both versions under tags of their own, as Rancher publishes them.
    pub(crate) fn add_windows(&mut self, name: &str) -> Vec<Descriptor> {
        VERSIONS
            .map(|(version, build)| {
                let image = self.windows(name, build);
                self.workload
                    .tag(&format!("{name}-windows-{version}"), image.digest);
                image
            })
            .into()
    }

    /// An index under a name.
    pub(crate) fn add_index(&mut self, family: Family, name: &str, members: &[Descriptor]) -> Descriptor {
        let index = self.workload.add_index(family, members);
        self.workload.tag(name, index.digest);
        index
    }

    pub(crate) fn registry(&self) -> FakeRegistry {
        FakeRegistry::with(&self.workload)
    }
}
