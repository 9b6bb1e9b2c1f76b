//! Charts in `./rancher-oci-charts`: there the save script puts them with helm when its docker cannot hold them, and
//! from there the load script pushes them with helm. Here they become the artifacts that helm would push, but without a
//! time: the same file is the same artifact.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use landfall_bundle::{Bundle, Image, LayoutDir};
use landfall_hash::{Sink, digest};
use landfall_images::Entry;
use landfall_images::chart::Pushed;
use landfall_oci::{Algorithm, Descriptor, MediaType, RawManifest, Reference};
use serde_json::json;
use tempfile::TempDir;

use crate::commands::images::{CHART_CONTENT, MAX_CHART, unpack_chart};
use crate::exit::Exit;
use crate::failure::Failure;

const FOLDER: &str = "rancher-oci-charts";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

/// What was found for the lines of charts.
#[derive(Default)]
pub(super) struct Charts {
    pub(super) bundle: Option<Bundle>,
    /// Why there is nothing for others.
    pub(super) absent: BTreeMap<Reference, String>,
    /// The bundle lies in it, only as long as this lives.
    _folder: Option<TempDir>,
}

impl Charts {
    /// Looks for the charts among these entries; what is needed for the time of the run goes below `spool`. Blocking.
    pub(super) fn find(entries: &[Entry], spool: &Path) -> Result<Self, Failure> {
        let mut charts = Self::default();
        let mut found: Vec<Image> = Vec::new();
        let mut layout = None;
        for entry in entries {
            let Some(path) = file(entry) else { continue };
            let chart = match read(&path, &entry.reference) {
                Ok(chart) => chart,
                Err(reason) => {
                    charts.absent.insert(entry.reference.clone(), reason);
                    continue;
                }
            };
            if layout.is_none() {
                let folder = tempfile::Builder::new().prefix("charts").tempdir_in(spool);
                let folder = folder.map_err(|error| Failure::local("create a folder in", spool, &error))?;
                layout = Some((LayoutDir::open(folder.path())?, folder));
            }
            if let Some((layout, _)) = &layout {
                found.push(chart.put(layout, entry, &path)?);
            }
        }
        if let Some((layout, folder)) = layout {
            layout.publish(&found)?;
            charts.bundle = Some(Bundle::open(folder.path())?);
            charts._folder = Some(folder);
        }
        Ok(charts)
    }
}

/// Where the save script puts the chart of such a line: `…rancher/charts/NAME:VERSION`, `_` for the version's `+`.
fn file(entry: &Entry) -> Option<PathBuf> {
    let is_chart = entry.text.contains("rancher/charts/");
    let tag = entry.reference.tag().filter(|_| is_chart)?;
    let repository = entry.reference.repository().as_str();
    let name = repository.rsplit_once('/').map_or(repository, |(_, name)| name);
    let version = tag.as_str().replace('_', "+");
    Some(Path::new(FOLDER).join(format!("{name}-{version}.tgz")))
}

/// A chart as an artifact.
struct Artifact {
    manifest: RawManifest,
    config: (Descriptor, Vec<u8>),
    layer: (Descriptor, Vec<u8>),
}

/// Reads a chart; the reason where that cannot be.
fn read(path: &Path, reference: &Reference) -> Result<Artifact, String> {
    let shown = path.display().to_string();
    let mut content = Vec::new();
    let most = MAX_CHART as u64;
    let read = std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut content));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("there is no {shown} either"));
        }
        Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        Ok(read) if read as u64 > most => return Err(format!("{shown} is larger than any chart")),
        Ok(_) => {}
    }
    let files = unpack_chart(&content, &shown).map_err(|failure| failure.to_string())?;
    let chart = Pushed::from_files(&shown, &files).map_err(|error| error.to_string())?;
    let found = format!("{}:{}", chart.name, chart.version.replace('+', "_"));
    if !reference.familiar().ends_with(&format!("/{found}")) {
        return Err(format!("{shown} is the chart {found}"));
    }
    Artifact::of(chart, content).map_err(|error| format!("{shown}: {error}"))
}

impl Artifact {
    fn of(chart: Pushed, content: Vec<u8>) -> Result<Self, landfall_oci::ManifestError> {
        let described = |kind: &str, bytes: Vec<u8>| {
            let digest = digest(Algorithm::Sha256, &bytes);
            (
                Descriptor::new(MediaType::from(kind), digest, bytes.len() as u64),
                bytes,
            )
        };
        let (config, layer) = (described(CONFIG, chart.config), described(CHART_CONTENT, content));
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "config": config.0, "layers": [layer.0], "annotations": chart.annotations,
        });
        let bytes = manifest.to_string().into_bytes();
        let manifest = RawManifest::new(None, digest(Algorithm::Sha256, &bytes), bytes.into())?;
        Ok(Self {
            manifest,
            config,
            layer,
        })
    }

    fn put(&self, layout: &LayoutDir, entry: &Entry, path: &Path) -> Result<Image, Failure> {
        for (descriptor, bytes) in [&self.config, &self.layer] {
            if layout.has(&descriptor.digest, descriptor.size)? {
                continue;
            }
            let (blob, mut sink) = layout.blob(&descriptor.digest, descriptor.size)?;
            let written = sink.write(bytes);
            written.map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
            blob.commit()?;
        }
        layout.manifest(&self.manifest)?;
        Ok(Image {
            reference: entry.reference.clone(),
            asked: entry.text.clone(),
            source: path.display().to_string(),
            root: self.manifest.descriptor(),
            platforms: Vec::new(),
        })
    }
}
