//! Where a chart is: a folder, a file, a URL, a registry, a chart repository.

use std::path::{Path, PathBuf};

use landfall_hash::digest;
use landfall_images::chart::index;
use landfall_oci::{Algorithm, Reference, Tag, Target, View};

use super::archive::{self, Files};
use super::folder;
use crate::args::{ChartGiven, RegistryArgs};
use crate::connect::{self, Audience};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fetch;

/// A packed chart; Helm's own bound for what it unpacks to.
pub(crate) const MAX_CHART: usize = 100 * 1024 * 1024;
/// An index; the largest known ones have some 30 MB.
const MAX_INDEX: usize = 128 * 1024 * 1024;
/// The type of the layer that is a packed chart.
pub(crate) const CHART_CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const CONTENT_TYPES: [&str; 2] = [
    CHART_CONTENT,
    // Before Helm 3.8.
    "application/tar+gzip",
];

/// A chart that was found.
pub(super) struct Source {
    /// What messages call it.
    pub(super) shown: String,
    content: Content,
}

enum Content {
    Folder(PathBuf),
    File(PathBuf, Vec<u8>),
    Fetched(Vec<u8>),
}

/// A path that helm can be given; what was fetched lies there only as long as this lives.
pub(super) enum OnDisk {
    Own(PathBuf),
    Copy(tempfile::NamedTempFile),
}

impl OnDisk {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Copy(file) => file.path(),
        }
    }
}

impl Source {
    pub(super) async fn find(
        chart: &str,
        args: &ChartGiven,
        registry: &RegistryArgs,
    ) -> Result<Self, Failure> {
        if let Some(repository) = &args.repo {
            return from_repository(repository, chart, args.version.as_deref(), registry).await;
        }
        if let Some(name) = chart.strip_prefix("oci://") {
            return from_registry(name, args.version.as_deref(), registry).await;
        }
        let content = match fetch::is_url(chart) {
            true => Content::Fetched(fetch::bytes(chart, MAX_CHART, &connect::transport(registry)).await?),
            false => from_disk(chart, registry).await?,
        };
        Ok(Self {
            shown: chart.to_owned(),
            content,
        })
    }

    pub(super) fn files(&self) -> Result<Files, Failure> {
        match &self.content {
            Content::Folder(path) => folder::read(path, &self.shown),
            Content::File(_, bytes) | Content::Fetched(bytes) => archive::unpack(bytes, &self.shown),
        }
    }

    pub(super) fn on_disk(&self) -> std::io::Result<OnDisk> {
        match &self.content {
            Content::Folder(path) | Content::File(path, _) => Ok(OnDisk::Own(std::path::absolute(path)?)),
            Content::Fetched(bytes) => {
                use std::io::Write;
                let mut file = tempfile::Builder::new()
                    .prefix("chart")
                    .suffix(".tgz")
                    .tempfile()?;
                file.write_all(bytes)?;
                Ok(OnDisk::Copy(file))
            }
        }
    }
}

async fn from_disk(chart: &str, registry: &RegistryArgs) -> Result<Content, Failure> {
    let path = PathBuf::from(chart);
    if path.is_dir() {
        return Ok(Content::Folder(path));
    }
    if !path.exists() {
        let advice = "a chart is a folder, a .tgz, a URL, oci://…, or a name together with --repo URL";
        return Err(Failure::usage(format!(
            "{chart}: there is no such file; {advice}"
        )));
    }
    let bytes = fetch::bytes(chart, MAX_CHART, &connect::transport(registry)).await?;
    Ok(Content::File(path, bytes))
}

async fn from_repository(
    repository: &str,
    name: &str,
    version: Option<&str>,
    registry: &RegistryArgs,
) -> Result<Source, Failure> {
    if let Some(base) = repository.strip_prefix("oci://") {
        let name = format!("{}/{name}", base.trim_end_matches('/'));
        return from_registry(&name, version, registry).await;
    }
    if !fetch::is_url(repository) {
        return Err(Failure::usage(format!(
            "--repo {repository}: this is no URL (https://…)"
        )));
    }
    let transport = connect::transport(registry);
    let base = repository.trim_end_matches('/');
    let bytes = fetch::bytes(&format!("{base}/index.yaml"), MAX_INDEX, &transport).await?;
    let text = String::from_utf8_lossy(&bytes);
    let packed = index::find(&text, name, version);
    let packed = packed.map_err(|error| Failure::usage(format!("{base}/index.yaml: {error}")))?;
    let url = match fetch::is_url(&packed.url) {
        true => packed.url,
        false if packed.url.contains("://") => {
            return match packed.url.strip_prefix("oci://") {
                Some(name) => from_registry(name, Some(&packed.version), registry).await,
                None => Err(Failure::usage(format!(
                    "{base}/index.yaml: {} cannot be fetched",
                    packed.url
                ))),
            };
        }
        false => format!("{base}/{}", packed.url.trim_start_matches('/')),
    };
    let bytes = fetch::bytes(&url, MAX_CHART, &transport).await?;
    let found = digest(Algorithm::Sha256, &bytes).hex();
    match packed.digest {
        Some(expected) if expected != found => Err(Failure::new(
            Exit::Damaged,
            format!("{url} has the digest sha256:{found}, but the index says sha256:{expected}"),
        )),
        _ => Ok(Source {
            shown: format!("{name}-{}.tgz", packed.version),
            content: Content::Fetched(bytes),
        }),
    }
}

/// `REGISTRY/PATH[:VERSION]`: the chart is the layer of an artifact.
async fn from_registry(name: &str, version: Option<&str>, args: &RegistryArgs) -> Result<Source, Failure> {
    // A version may have a `+`, which no tag can; Helm writes `_`.
    let parsed = Reference::parse(&name.replace('+', "_"));
    let image = parsed.map_err(|error| Failure::usage(format!("oci://{name}: {error}")))?;
    let (registry, repository) = (image.registry(), image.repository());
    let client = connect::engine(args, Audience::Registry(registry.clone()))?.client;
    let target = match (image.digest(), image.tag(), version) {
        (Some(digest), _, _) => Target::Digest(digest),
        (None, Some(tag), _) => Target::Tag(tag.clone()),
        (None, None, version) => {
            let tags = client.tags(registry, repository).await?;
            let versions: Vec<_> = tags.iter().map(|tag| tag.as_str().replace('_', "+")).collect();
            let versions: Vec<_> = versions.iter().map(String::as_str).collect();
            let wanted = version.map(|version| version.replace('_', "+"));
            let chosen = index::choose(&versions, wanted.as_deref());
            let tag = chosen.and_then(|version| version.replace('+', "_").parse::<Tag>().ok());
            Target::Tag(tag.ok_or_else(|| {
                let wanted = version.map_or("no version that is no pre-release".to_owned(), |version| {
                    format!("no version {version}")
                });
                Failure::usage(format!("oci://{name}: the registry has {wanted}"))
            })?)
        }
    };
    let manifest = client.manifest(registry, repository, &target).await?;
    let shown = format!("oci://{}:{target}", image.name());
    let view = manifest
        .view()
        .map_err(|error| Failure::new(Exit::Damaged, format!("{shown}: {error}")))?;
    let layer = match &view {
        View::Image(manifest) => manifest
            .layers
            .iter()
            .find(|layer| CONTENT_TYPES.contains(&layer.media_type.as_str())),
        View::Index(_) => None,
    };
    let Some(layer) = layer else {
        return Err(Failure::usage(format!(
            "{shown}: this is no Helm chart; it has no layer of type {}",
            CONTENT_TYPES[0]
        )));
    };
    if layer.size > MAX_CHART as u64 {
        return Err(Failure::usage(format!(
            "{shown}: {} bytes are more than any chart has",
            layer.size
        )));
    }
    let mut stream = client.blob(registry, repository, layer, 0).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    if digest(layer.digest.algorithm(), &bytes) != layer.digest {
        return Err(Failure::new(
            Exit::Damaged,
            format!("{shown}: its content does not have the digest {}", layer.digest),
        ));
    }
    Ok(Source {
        shown,
        content: Content::Fetched(bytes),
    })
}
