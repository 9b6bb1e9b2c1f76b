//! Recipes: what a workload should look like, in numbers, and the making of it.
//!
//! The shape is that of a Rancher release list: a few bases that many images share, a few layers of each image's
//! own with sizes from kilobytes to tens of megabytes, a quarter for several platforms, both families of media
//! types. From a seed the result is the same everywhere; from the machine's files, the same on that machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::ops::RangeInclusive;
use std::path::Path;

use landfall_oci::{Descriptor, Platform};

use super::seeded::{Random, SeededReader, mix};
use super::{Content, Family, Layer, LayerWriter, MachineFiles, Workload, elf};

/// What the layers are filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuff {
    /// Random bytes: nothing compresses.
    Seeded,
    /// The machine's own files, then random bytes when they run out.
    Machine,
}

/// The numbers of a workload.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Decides everything that is random.
    pub seed: u64,
    /// How many names.
    pub images: usize,
    /// How many layers each image (and platform) has of its own.
    pub layers: RangeInclusive<u64>,
    /// How many bases the images share.
    pub bases: usize,
    /// About how many bytes all layers have together.
    pub bytes: u64,
    /// Every so-manieth image is for several platforms; 0 for none.
    pub multi_platform_every: usize,
    /// Whether every other of those also has a windows/amd64 member.
    pub windows: bool,
    /// Whether every other multi-platform OCI image carries BuildKit attestations.
    pub attestations: bool,
    /// What the layers are filled with.
    pub stuff: Stuff,
    /// gzip's level.
    pub level: u32,
}

impl Recipe {
    /// Eight images of about two megabytes together: for tests.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            images: 8,
            layers: 1..=3,
            bases: 2,
            bytes: 2 * 1024 * 1024,
            multi_platform_every: 4,
            windows: true,
            attestations: true,
            stuff: Stuff::Seeded,
            level: 1,
        }
    }

    /// What the benchmarks move: 50 images, some 300 unique blobs, some 480 MB.
    pub fn rancher_like() -> Self {
        Self {
            seed: 20_26,
            images: 50,
            layers: 2..=5,
            bases: 6,
            bytes: 480_000_000,
            multi_platform_every: 4,
            windows: true,
            attestations: false,
            stuff: Stuff::Machine,
            level: 6,
        }
    }

    /// Makes the workload: in memory, or with its layers as files in `folder`.
    pub fn build(&self, folder: Option<&Path>) -> Workload {
        let mut kitchen = Kitchen::new(self, folder);
        for n in 0..self.images {
            kitchen.image(n);
        }
        kitchen.workload
    }

    fn is_multi_platform(&self, n: usize) -> bool {
        self.multi_platform_every != 0 && n.is_multiple_of(self.multi_platform_every)
    }
}

/// The making in progress.
struct Kitchen<'a> {
    recipe: &'a Recipe,
    folder: Option<&'a Path>,
    random: Random,
    files: MachineFiles,
    mean_layer: u64,
    /// The bases made so far, by number and platform.
    bases: BTreeMap<(usize, Platform), Layer>,
    workload: Workload,
}

impl<'a> Kitchen<'a> {
    fn new(recipe: &'a Recipe, folder: Option<&'a Path>) -> Self {
        let variants = recipe.images as u64 * 3 / 2;
        let own_layers = variants * (recipe.layers.start() + recipe.layers.end()) / 2;
        // `layer_size` gives 1.2 means on average; a base is four, for each of up to three platforms.
        let means = own_layers * 6 / 5 + recipe.bases as u64 * 12;
        let wanted = match recipe.stuff {
            Stuff::Machine => recipe.bytes * 4,
            Stuff::Seeded => 0,
        };
        Self {
            recipe,
            folder,
            random: Random::new(recipe.seed),
            files: MachineFiles::find(wanted),
            bases: BTreeMap::new(),
            mean_layer: recipe.bytes / means.max(1),
            workload: Workload::new(),
        }
    }

    /// What an image stands on, larger than the layers above it. Made when first needed, so that nothing is made
    /// in vain.
    fn base(&mut self, n: usize, platform: &Platform) -> Layer {
        let key = (n % self.recipe.bases.max(1), platform.clone());
        if let Some(layer) = self.bases.get(&key) {
            return layer.clone();
        }
        let label = format!("base{}/{}/{}", key.0, platform.os, platform.architecture);
        let layer = self.layer(&label, self.mean_layer * 4, None);
        self.bases.insert(key, layer.clone());
        layer
    }

    fn image(&mut self, n: usize) {
        let name = image_name(n);
        // The multi-platform ones take turns among themselves: their numbers may all be even.
        let is_multi = self.recipe.is_multi_platform(n);
        let turn = n / self.recipe.multi_platform_every.max(1);
        let is_oci = if is_multi { turn } else { n }.is_multiple_of(2);
        let family = if is_oci { Family::Oci } else { Family::Docker };
        let amd64 = self.variant(&name, n, family, Platform::new("linux", "amd64"));
        if !is_multi {
            self.workload.tag(&name, amd64.digest);
            return;
        }
        let mut members = vec![amd64];
        members.push(self.variant(&name, n, family, Platform::new("linux", "arm64")));
        if self.recipe.windows && turn.is_multiple_of(2) {
            let mut platform = Platform::new("windows", "amd64");
            platform.os_version = "10.0.17763.5458".to_owned();
            members.push(self.variant(&name, n, family, platform));
        }
        if self.recipe.attestations && family == Family::Oci {
            let companion = self.workload.add_attestation(&members[0]);
            members.push(companion);
        }
        let index = self.workload.add_index(family, &members);
        self.workload.tag(&name, index.digest);
    }

    fn variant(&mut self, name: &str, n: usize, family: Family, platform: Platform) -> Descriptor {
        let message = format!("hello from {name} on {}/{}\n", platform.os, platform.architecture);
        let program = match platform.architecture.as_str() {
            "arm64" => elf::arm64(&message),
            _ => elf::amd64(&message),
        };
        let mut layers = vec![self.base(n, &platform)];
        let span = self.recipe.layers.end() - self.recipe.layers.start() + 1;
        let own = self.recipe.layers.start() + self.random.below(span);
        for layer in 0..own {
            let size = self.layer_size();
            let label = format!("{name}/{}/{}/{layer}", platform.os, platform.architecture);
            layers.push(self.layer(&label, size, (layer == 0).then_some(&program)));
        }
        self.workload.add_image(family, &platform, &layers)
    }

    /// Sizes as in real images: most are small, a few carry nearly all bytes.
    fn layer_size(&mut self) -> u64 {
        let mean = self.mean_layer;
        match self.random.below(20) {
            0..=9 => 200 + self.random.below(20_000),
            10..=15 => self.random.below(mean).max(500),
            16 | 17 => mean + self.random.below(mean * 2),
            18 => mean * 3 + self.random.below(mean * 5),
            _ => mean * 8 + self.random.below(mean * 8),
        }
    }

    /// A layer of about `size` compressed bytes; `label` makes it differ from every other.
    fn layer(&mut self, label: &str, size: u64, program: Option<&Vec<u8>>) -> Layer {
        let made = match self.folder {
            None => self
                .layer_into(Vec::new(), label, size, program)
                .map(|(bytes, layer)| {
                    self.workload.blobs.insert(layer.digest, bytes.into());
                    layer
                }),
            Some(folder) => self.layer_file(folder, label, size, program),
        };
        made.unwrap_or_else(|error| panic!("cannot make layer {label}: {error}"))
    }

    fn layer_file(
        &mut self,
        folder: &Path,
        label: &str,
        size: u64,
        program: Option<&Vec<u8>>,
    ) -> io::Result<Layer> {
        fs::create_dir_all(folder)?;
        let temporary = folder.join("layer.new");
        let out = BufWriter::new(File::create(&temporary)?);
        let (out, layer) = self.layer_into(out, label, size, program)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let path = folder.join(layer.digest.hex());
        fs::rename(&temporary, &path)?;
        self.workload.blobs.insert(layer.digest, Content::file(&path)?);
        Ok(layer)
    }

    fn layer_into<W: io::Write>(
        &mut self,
        out: W,
        label: &str,
        size: u64,
        program: Option<&Vec<u8>>,
    ) -> io::Result<(W, Layer)> {
        let mut writer = LayerWriter::new(out, self.recipe.level);
        let about = format!("{label}\n");
        writer.file("etc/landfall-layer", 0o644, about.len() as u64, about.as_bytes())?;
        if let Some(program) = program {
            writer.file("hello", 0o755, program.len() as u64, program.as_slice())?;
        }
        if self.recipe.stuff == Stuff::Machine {
            self.fill_with_files(&mut writer, size)?;
        }
        let missing = size.saturating_sub(writer.compressed_len());
        if missing > 0 {
            let seed = mix(self.random.next_u64());
            writer.file("data/random", 0o644, missing, SeededReader::new(seed, missing, 0))?;
        }
        writer.finish()
    }

    /// Takes files while there are some, until the compressed size comes near. A file that vanished or shrank since
    /// the walk would break the tar, so each is read before its header is written.
    fn fill_with_files<W: io::Write>(&mut self, writer: &mut LayerWriter<W>, size: u64) -> io::Result<()> {
        while writer.compressed_len() + 64 * 1024 < size {
            let Some((path, _)) = self.files.next_file() else {
                return Ok(());
            };
            let Ok(content) = fs::read(&path) else { continue };
            let name = path.to_string_lossy();
            let name = name.trim_start_matches('/');
            writer.file(name, 0o644, content.len() as u64, content.as_slice())?;
        }
        Ok(())
    }
}

fn image_name(n: usize) -> String {
    const NAMES: [&str; 10] = [
        "rancher/rancher",
        "rancher/rancher-agent",
        "rancher/mirrored-pause",
        "rancher/mirrored-coredns-coredns",
        "rancher/fleet",
        "library/busybox",
        "rancher/system-upgrade-controller",
        "rancher/mirrored-cilium-cilium",
        "rancher/shell",
        "longhornio/longhorn-manager",
    ];
    let name = NAMES[n % NAMES.len()];
    match n / NAMES.len() {
        0 => format!("{name}:v1.{n}.0"),
        // A second tag of the same repository, then new repositories.
        1 => format!("{name}:v2.{n}.0-rc1"),
        more => format!("{name}-{more}:v1.{n}.0"),
    }
}
