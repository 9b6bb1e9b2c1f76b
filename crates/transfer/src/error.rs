//! What can go wrong between a plan and its end.

use landfall_bundle::BundleError;
use landfall_client::ClientError;
use landfall_hash::HashError;
use landfall_images::MapError;
use landfall_oci::{Digest, ManifestError};

use crate::Class;
use crate::destination::{Advised, Misfit, TagTaken};

/// The most of a long list of names that an error shows.
const MAX_SHOWN: usize = 20;

/// Errors of the verbs. Each says what, where, and what to do; [`Self::class`] says what it means for the run.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A registry.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The hashing service, or the file that it writes to.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A name that has no place.
    #[error(transparent)]
    Map(#[from] MapError),
    /// Several names that have no place.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Places(Vec<MapError>),
    /// Names that the target cannot hold.
    #[error("{}", lines(.0))]
    Misfits(Vec<Misfit>),
    /// A refusal of the target whose cause is known.
    #[error("{0}")]
    Advised(Box<Advised>),
    /// A tag that does not move.
    #[error("{0}")]
    TagTaken(Box<TagTaken>),
    /// A manifest that cannot be used.
    #[error("{name}: {source}")]
    Manifest {
        /// Where it is from.
        name: String,
        /// Why not.
        source: ManifestError,
    },
    /// None of the wanted platforms is there.
    #[error("{name} has no image for {wanted}; it offers {offered} (choose with --platform, or take all)")]
    PlatformNotOffered {
        /// The image.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        offered: String,
    },
    /// An index names a member that its registry does not have.
    #[error(
        "{name} lists {platform} as {digest}, but the registry does not have that manifest (leave the platform out with --platform)"
    )]
    MemberMissing {
        /// The repository.
        name: String,
        /// The member's platform.
        platform: String,
        /// The member.
        digest: Digest,
    },
    /// An index of indexes without end.
    #[error("{name}: more than {limit} manifests below one name; no real image has that many")]
    TooDeep {
        /// The image.
        name: String,
        /// The limit.
        limit: usize,
    },
    /// A config that is no config.
    #[error("config {digest} has {size} bytes; no real image config is that large")]
    ConfigTooLarge {
        /// Which.
        digest: Digest,
        /// Its size.
        size: u64,
    },
    /// Two manifests disagree about a blob.
    #[error("two manifests give different sizes for blob {digest}: {} and {} bytes; one of them is wrong", sizes.0, sizes.1)]
    SizeConflict {
        /// Which.
        digest: Digest,
        /// What each says.
        sizes: (u64, u64),
    },
    /// Bytes that are not what they were called.
    #[error("{source_name} sent wrong bytes for blob {digest} (they are {found}); nothing of them was kept")]
    WrongDigest {
        /// What was asked for.
        digest: Digest,
        /// What came.
        found: Box<Digest>,
        /// Who sent it.
        source_name: String,
    },
    /// The bundle's own bytes are damaged.
    #[error(
        "the bundle is damaged: its blob {digest} has the digest {found}; carry it across again (`landfall verify` lists all damage)"
    )]
    DamagedBlob {
        /// What it should be.
        digest: Digest,
        /// What it is.
        found: Box<Digest>,
    },
    /// A bundle without a blob or manifest that one of its images needs.
    #[error(
        "the bundle does not hold {digest}, which the image needs; it was saved without it, or the bundle is damaged"
    )]
    BlobMissing {
        /// Which.
        digest: Digest,
    },
    /// After the push, the registry answers with something else.
    #[error(
        "{target} answers with {found} after {pushed} was pushed: somebody else pushes there, or the registry changed the manifest"
    )]
    NotAsPushed {
        /// The name.
        target: String,
        /// What was pushed.
        pushed: Digest,
        /// What it answers, or `nothing`.
        found: String,
    },
    /// A blocking task ended without a result: a bug.
    #[error("an internal task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A bundle's entry that cannot be placed under a name.
    #[error("{}: the entry `{name}` has no full image name (registry/repository:tag), so nobody can say where it goes", bundle.display())]
    Unnamed {
        /// What stands there.
        name: String,
        /// The bundle.
        bundle: std::path::PathBuf,
    },
    /// An image without a name that cannot be used.
    #[error("{}: the image `{name}` cannot be used: {reason}", bundle.display())]
    Refused {
        /// The archive.
        bundle: std::path::PathBuf,
        /// What it goes by.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Two inputs that disagree about a name.
    #[error(
        "{name} is {} in {} and {} in {}; leave one of them out, or take the first with --first-wins",
        .0.digests.0, .0.paths.0.display(), .0.digests.1, .0.paths.1.display(), name = .0.name
    )]
    Disagree(Box<Disagreement>),
    /// A layout with several images, or none of the name.
    #[error("{}: say which image with --image; it holds: {names}", bundle.display())]
    NotOneImage {
        /// The layout.
        bundle: std::path::PathBuf,
        /// What it holds.
        names: String,
    },
    /// A manifest list that would lack members.
    #[error(
        "{name}: no manifest list without its members; missing are {missing} (--allow-missing-members makes it without them)"
    )]
    MembersMissing {
        /// The image.
        name: String,
        /// What is missing, and where it was looked for.
        missing: String,
    },
    /// Something else under the name of a member.
    #[error("{name} cannot be a member of a manifest list: {reason}")]
    NotAMember {
        /// The member's name.
        name: String,
        /// What it is.
        reason: String,
    },
    /// A list that would have another digest than its name says.
    #[error("{name} is named by its digest, so that nothing can be added to it; name it by its tag")]
    Pinned {
        /// The image.
        name: String,
    },
    /// A manifest with layers to be fetched from elsewhere was not taken.
    #[error(
        "{source}; its manifest names layers by urls, which some registries refuse until they are told otherwise (docker-registry: `validation.manifests.urls.allow`, a list of patterns)"
    )]
    ForeignRefused {
        /// What the registry said.
        source: Box<ClientError>,
    },
    /// A name with a route that leads nowhere.
    #[error("no host may be asked for {name}")]
    NoWay {
        /// What is wanted.
        name: String,
    },
    /// Nothing was asked for.
    #[error("nothing to do")]
    Nothing,
}

/// Two inputs of one run, and the name that they disagree about.
#[derive(Debug)]
pub struct Disagreement {
    /// The name.
    pub name: String,
    /// What it stands for in each.
    pub digests: (Digest, Digest),
    /// The inputs.
    pub paths: (std::path::PathBuf, std::path::PathBuf),
}

impl TransferError {
    /// What it means for the run.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Client(error) => client_class(error),
            Self::Bundle(error) => bundle_class(error),
            Self::Hash(_) | Self::Task(_) => Class::Local,
            Self::Map(_)
            | Self::Places(_)
            | Self::Misfits(_)
            | Self::Unnamed { .. }
            | Self::Disagree(_)
            | Self::NotOneImage { .. }
            | Self::Nothing
            | Self::TooDeep { .. } => Class::Invalid,
            Self::PlatformNotOffered { .. }
            | Self::MemberMissing { .. }
            | Self::MembersMissing { .. }
            | Self::NoWay { .. } => Class::NotFound,
            Self::Manifest { .. } | Self::NotAMember { .. } | Self::Pinned { .. } | Self::TagTaken(_) => {
                Class::Unusable
            }
            Self::ForeignRefused { source } => client_class(source),
            Self::Advised(advised) => advised.class,
            Self::ConfigTooLarge { .. }
            | Self::Refused { .. }
            | Self::SizeConflict { .. }
            | Self::WrongDigest { .. }
            | Self::DamagedBlob { .. }
            | Self::BlobMissing { .. }
            | Self::NotAsPushed { .. } => Class::Corrupt,
        }
    }

    /// Whether it says no to one image alone, for its own sake: whatever else was asked for is not in doubt.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::MembersMissing { .. } | Self::NotAMember { .. } | Self::Pinned { .. }
        )
    }

    /// The whole chain of causes in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.contains(&message) {
                text = format!("{text}: {message}");
            }
            cause = error.source();
        }
        text
    }
}

fn lines(misfits: &[Misfit]) -> String {
    let mut lines: Vec<_> = misfits.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
    match misfits.len().saturating_sub(MAX_SHOWN) {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines.join("\n")
}

fn bundle_class(error: &BundleError) -> Class {
    match error {
        BundleError::Exists { .. } => Class::Invalid,
        BundleError::NotABundle { .. }
        | BundleError::Compressed { .. }
        | BundleError::DockerArchive { .. }
        | BundleError::Unfinished { .. }
        | BundleError::NewerFormat { .. } => Class::Corrupt,
        error if error.is_damage() => Class::Corrupt,
        _ => Class::Local,
    }
}

fn client_class(error: &ClientError) -> Class {
    use landfall_client::Kind;
    match error.kind() {
        Kind::NotFound => Class::NotFound,
        Kind::Unauthorized | Kind::Denied => Class::Credentials,
        Kind::RateLimited | Kind::Unavailable => Class::Unavailable,
        Kind::Corrupt => Class::Corrupt,
        Kind::Invalid => Class::Unusable,
        Kind::Net => Class::Unreachable,
        Kind::Local => Class::Local,
    }
}
