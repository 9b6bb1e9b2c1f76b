//! What can be wrong with a table of RKE's images, or with what is looked for in it.

/// A table cannot be read, or does not have what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RkeError {
    /// A line of the table's own form.
    #[error("line {line} of the table of RKE's images: {what}")]
    Table {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A `data.json` that is none, or lacks RKE's part.
    #[error(
        "this is no data.json of RKE: {what}; a release's is data/data.json of its kontainer-driver-metadata"
    )]
    Kdm {
        /// What is wrong.
        what: String,
    },
    /// A version that the release does not have.
    #[error("RKE {rke} does not know Kubernetes {version}; {advice}")]
    Version {
        /// What was asked for.
        version: String,
        /// The release.
        rke: String,
        /// What is there.
        advice: String,
    },
    /// No release is called so.
    #[error("`{release}` is no release of RKE: they are named like v1.6.3")]
    Release {
        /// What was asked for.
        release: String,
    },
}

impl From<serde_json::Error> for RkeError {
    fn from(error: serde_json::Error) -> Self {
        Self::kdm(error.to_string())
    }
}

impl RkeError {
    pub(super) fn kdm(what: impl Into<String>) -> Self {
        Self::Kdm { what: what.into() }
    }
}
