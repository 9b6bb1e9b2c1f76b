//! What a registry's directory can be asked for, and what it answers: the words between a command and the owner of
//! the directory, be that the command itself or a running server.

use landfall_oci::{Digest, Repository, Tag};
use serde::{Deserialize, Serialize};

/// A piece of upkeep.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub(crate) enum Request {
    /// Remove tags whose time is over.
    Retain {
        /// By these rules, as they stand in a settings file; `None`: by those of the server.
        rules: Option<serde_json::Value>,
        /// Only say what would go.
        dry_run: bool,
    },
    /// Remove what no image needs.
    Collect(Collect),
    /// Say what lies in the trash.
    Trash,
    /// Bring a run back from it.
    Undo {
        /// Its name.
        run: String,
    },
    /// Say why a digest is kept.
    Why {
        /// Of a manifest or blob.
        digest: Digest,
    },
    /// Hash everything again.
    Scrub(Scrub),
    /// Say which images were asked for and are not here.
    Wanted,
    /// Forget some of them, or all.
    Forget {
        /// As `wanted` prints them; none: all.
        images: Vec<String>,
    },
    /// Say what a tag pointed at.
    History {
        /// Whose tag.
        repository: Repository,
        /// Which.
        tag: Tag,
    },
    /// Point a tag at what it pointed at.
    Restore {
        /// Whose tag.
        repository: Repository,
        /// Which.
        tag: Tag,
        /// The number of a change, or a time.
        to: Moment,
    },
}

impl Request {
    /// Whether this may change what can be pulled.
    pub(super) fn changes_content(&self) -> bool {
        match self {
            Self::Retain { dry_run, .. } | Self::Collect(Collect { dry_run, .. }) => !dry_run,
            Self::Scrub(Scrub {
                heal_from,
                quarantine,
                ..
            }) => *quarantine || !heal_from.is_empty(),
            Self::Undo { .. } | Self::Restore { .. } => true,
            Self::Trash | Self::Why { .. } | Self::Wanted | Self::Forget { .. } | Self::History { .. } => {
                false
            }
        }
    }
}

/// Which moment of a tag is meant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moment {
    /// The change with this number.
    Change(u64),
    /// In milliseconds since 1970.
    Time(u64),
    /// Before the last change.
    Before,
}

/// See [`Request::Collect`]. Times in seconds; what is not said is what the settings say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Collect {
    pub(crate) dry_run: bool,
    pub(crate) grace: Option<u64>,
    pub(crate) untagged_after: Option<u64>,
    pub(crate) keep_trash: Option<u64>,
}

/// See [`Request::Scrub`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Scrub {
    /// Bundles and layouts that hold the right bytes; absolute paths.
    pub(crate) heal_from: Vec<std::path::PathBuf>,
    /// Move wrong bytes aside.
    pub(crate) quarantine: bool,
    /// At most so many a second.
    pub(crate) bytes_per_second: Option<u64>,
}
