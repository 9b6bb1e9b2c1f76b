//! `load`: a bundle's images into a registry, under the names that the mapping gives, straight from the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_bundle::foreign::{self, Workshop};
use landfall_bundle::{Bundle, BundleError, BundleImage};
use landfall_client::Client;
use landfall_hash::HashService;
use landfall_images::Mapping;
use landfall_oci::{PlatformSet, Reference};
use tokio::sync::OnceCell;

use crate::collection::Found;
use crate::destination::DestinationOptions;
use crate::origin::Origin;
use crate::push::{Counts, Push};
use crate::tree::Tree;
use crate::windows::{self, WindowsOptions};
use crate::{Collection, Event, Failure, Report, Reporter, TransferError};

/// The largest config that is read for its platform, in bytes.
const MAX_CONFIG: u64 = 8 << 20;

/// Which images of a bundle go where.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Every image, or only these, below a destination.
    Mapped {
        /// Where they go.
        mapping: Mapping,
        /// Only these; empty for all.
        only: Vec<Reference>,
    },
    /// One image under exactly this name.
    One {
        /// Its name in the bundle; not needed when there is just one.
        pick: Option<String>,
        /// Where it goes.
        target: Reference,
    },
}

/// What a load needs to know.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The bundle, or an OCI layout.
    pub bundle: PathBuf,
    /// Which images, and where they go.
    pub selection: Selection,
    /// Images that are to have Windows members, from the bundle or from what the target has.
    pub windows: Option<WindowsOptions>,
    /// Blobs pushed at once.
    pub jobs: usize,
    /// Only make the plan.
    pub dry_run: bool,
    /// What may be done at the target besides.
    pub destination: DestinationOptions,
}

/// Loads a bundle. Images that could not be placed are in the report, not an error.
///
/// # Errors
/// [`TransferError`] where nothing can begin: the bundle cannot be read, names collide, nobody answers.
pub async fn load(
    options: &LoadOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let path = options.bundle.clone();
    let open = move || foreign::open(&path, &Workshop::usual());
    let bundle = tokio::task::spawn_blocking(open).await??;
    load_from(bundle, options, client, hash, reporter).await
}

/// As [`load`], from a bundle that is open already.
///
/// # Errors
/// As [`load`].
pub async fn load_from(
    bundle: Bundle,
    options: &LoadOptions,
    client: &Client,
    hash: &HashService,
    reporter: &Arc<dyn Reporter>,
) -> Result<Report, TransferError> {
    let selection = options.selection.clone();
    let collected =
        tokio::task::spawn_blocking(move || collect(&bundle, &selection).map(|found| (bundle, found)));
    let (bundle, mut collection) = collected.await??;
    if let (Some(windows), Selection::Mapped { mapping, only }) = (&options.windows, &options.selection) {
        windows::complete(&mut collection, &bundle, windows, only, client, mapping, reporter).await;
    }
    let targets: Vec<_> = match &options.selection {
        Selection::One { target, .. } => vec![target.clone().with_default_tag()],
        Selection::Mapped { mapping, .. } => collection.targets(mapping)?,
    };
    let push = Push {
        collection: &collection,
        targets: &targets,
        origin: Origin::Bundles([bundle].into()),
        client,
        hash,
        reporter: Arc::clone(reporter),
        jobs: options.jobs,
        counts: Counts::default(),
        destination: &options.destination,
        kind: OnceCell::new(),
    };
    push.go(options.dry_run).await
}

/// Collects what the selected images consist of. Blocking.
fn collect(bundle: &Bundle, selection: &Selection) -> Result<Collection, TransferError> {
    match selection {
        Selection::One { pick, target } => {
            let image = pick_one(bundle, pick.as_deref())?;
            let mut collection = Collection::default();
            let target = target.clone().with_default_tag();
            collect_image(bundle, image, &target, &PlatformSet::All, &mut collection)?;
            Ok(collection)
        }
        Selection::Mapped { only, .. } => {
            let mut collection = collect_bundle(bundle)?;
            retain(&mut collection, only, bundle.path());
            Ok(collection)
        }
    }
}

/// Leaves only these images in the collection; one that is not there is a failure.
fn retain(collection: &mut Collection, only: &[Reference], bundle: &Path) {
    if only.is_empty() {
        return;
    }
    let missing = only
        .iter()
        .filter(|wish| !collection.images.iter().any(|image| image.reference == **wish));
    let failures: Vec<_> = missing
        .map(|reference| Failure {
            reference: Some(reference.clone()),
            asked: reference.familiar(),
            reason: format!("not in {}", bundle.display()),
            class: crate::Class::NotFound,
        })
        .collect();
    collection
        .failed
        .retain(|failure| failure.reference.as_ref().is_some_and(|name| only.contains(name)));
    collection.failed.extend(failures);
    collection.images.retain(|image| only.contains(&image.reference));
    collection.forget_unneeded();
}

fn pick_one<'a>(bundle: &'a Bundle, pick: Option<&str>) -> Result<&'a BundleImage, TransferError> {
    let wish = pick
        .and_then(|pick| Reference::parse(pick).ok())
        .map(Reference::with_default_tag);
    let is_wanted = |image: &&BundleImage| match pick {
        None => true,
        Some(pick) => image.name == pick || (wish.is_some() && image.reference == wish),
    };
    let found: Vec<_> = bundle.images().iter().filter(is_wanted).collect();
    match found.as_slice() {
        [image] => Ok(image),
        _ => Err(TransferError::NotOneImage {
            bundle: bundle.path().to_owned(),
            names: bundle
                .images()
                .iter()
                .map(|image| image.name.clone())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// What a bundle's images consist of. An image whose manifests are damaged is in [`Collection::failed`]. Blocking.
///
/// # Errors
/// [`TransferError::Unnamed`] when an entry has a name that is no image reference.
pub fn collect_bundle(bundle: &Bundle) -> Result<Collection, TransferError> {
    collect_platforms(bundle, &PlatformSet::All)
}

/// As [`collect_bundle`], of these platforms. Blocking.
pub(crate) fn collect_platforms(
    bundle: &Bundle,
    platforms: &PlatformSet,
) -> Result<Collection, TransferError> {
    let mut collection = Collection::default();
    for image in bundle.images() {
        let Some(reference) = image.reference.clone() else {
            return Err(TransferError::Unnamed {
                name: image.name.clone(),
                bundle: bundle.path().to_owned(),
            });
        };
        if let Err(error) = collect_image(bundle, image, &reference, platforms, &mut collection) {
            collection.failed.push(Failure {
                asked: reference.familiar(),
                reference: Some(reference),
                reason: error.describe(),
                class: error.class(),
            });
        }
    }
    for refused in bundle.refused() {
        let Some(reference) = refused.reference.clone() else {
            return Err(TransferError::Refused {
                bundle: bundle.path().to_owned(),
                name: refused.name.clone(),
                reason: refused.reason.clone(),
            });
        };
        collection.failed.push(Failure {
            asked: reference.familiar(),
            reference: Some(reference),
            reason: refused.reason.clone(),
            class: crate::Class::Corrupt,
        });
    }
    Ok(collection)
}

pub(crate) fn collect_image(
    bundle: &Bundle,
    image: &BundleImage,
    reference: &Reference,
    platforms: &PlatformSet,
    collection: &mut Collection,
) -> Result<(), TransferError> {
    let root = bundle.manifest(&image.root.digest)?;
    let mut tree = Tree::new(&reference.to_string(), root, platforms)?;
    if let Some(config) = tree.unchecked_config()
        && config.size <= MAX_CONFIG
        && let Some(extent) = bundle
            .blob(&config.digest)
            .filter(|extent| extent.len == config.size)
    {
        let len = usize::try_from(extent.len).unwrap_or(0);
        let bytes = extent.read_at(0, len).map_err(|source| BundleError::Io {
            action: "read",
            path: bundle.path().to_owned(),
            source,
        })?;
        tree.check_config(&bytes)?;
    }
    loop {
        let wanted = tree.wanted();
        if wanted.is_empty() {
            break;
        }
        for member in wanted {
            // Members that were left out when the bundle was saved are no damage.
            match bundle.contains(&member.digest) {
                true => tree.add(bundle.manifest(&member.digest)?)?,
                false => tree.omit(member),
            }
        }
    }
    let found = Found {
        reference: reference.clone(),
        asked: bundle.written_name(reference),
        source: bundle.path().display().to_string(),
        origin: None,
    };
    // A foreign layer is pushed when the bundle carries it.
    let mut content = tree.finish();
    content
        .blobs
        .retain(|digest, blob| !blob.descriptor.is_foreign() || bundle.contains(digest));
    collection.add(found, content, true)
}

impl Push<'_> {
    /// The plan, and unless it is a dry run, the push.
    pub(crate) async fn go(&self, dry_run: bool) -> Result<Report, TransferError> {
        let mut survey = self.survey(dry_run).await?;
        self.reporter.event(&Event::Planned { plan: &survey.plan });
        if let Some(message) = self.library_note() {
            self.reporter.event(&Event::Note { message: &message });
        }
        if dry_run {
            let mut failed = self.collection.failed.clone();
            failed.extend(self.foreseen(&survey.inventory));
            return Ok(Report {
                failed,
                plan: survey.plan,
                dry_run,
                ..Report::default()
            });
        }
        self.make_missing(&mut survey).await;
        Ok(self.run(&survey.inventory, survey.plan).await)
    }

    /// Official images of Docker Hub go where the list says, which is not where a node's mirror looks for them.
    fn library_note(&self) -> Option<String> {
        let is_moved = |(image, target): &(&crate::Image, &Reference)| {
            let official = image.reference.repository().as_str();
            let name = official
                .strip_prefix("library/")
                .filter(|_| image.reference.registry().is_docker_hub());
            let place = format!("/{}", target.repository());
            let ends = |tail: &str| place.ends_with(&format!("/{tail}"));
            // Below rancher/ is where somebody wanted it.
            name.is_some_and(|name| ends(name) && !ends(official) && !ends(&format!("rancher/{name}")))
        };
        let (image, target) = self.collection.images.iter().zip(self.targets).find(is_moved)?;
        Some(format!(
            "{} goes to {target}; a node that uses this registry as its mirror of docker.io asks for {} instead: \
             --map docker.io/library=library puts such images there",
            image.asked,
            image.reference.repository()
        ))
    }
}
