//! Tags that do not move: a refused push of what the tag has already is done; of something else, it is a failure that
//! says both.

use std::fmt;

use landfall_client::{ClientError, Kind as ErrorKind};
use landfall_oci::{Digest, Reference, Target};

use crate::push::{Push, place};
use crate::{Image, TransferError};

/// The remark on an image that somebody else brought meanwhile, or that the registry would not have twice.
const SAME: &str = "the registry does not let the tag be pushed again; it has the right digest";

/// A tag that keeps another digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTaken {
    /// The name.
    pub target: String,
    /// What it has.
    pub found: Digest,
    /// What was to be there.
    pub pushed: Digest,
    /// The registry's status.
    pub status: u16,
    /// Its words, with a separator before, or nothing.
    pub words: String,
}

impl fmt::Display for TagTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            found,
            pushed,
            status,
            words,
        } = self;
        write!(
            f,
            "{target} has {found}, and the registry does not let it become {pushed} ({status}{words}); choose another tag, or \
             have the rule lifted there that keeps tags (or, where there is none, the right granted to overwrite them)"
        )
    }
}

/// Words in which registries say that a tag does not move.
const WORDS: [&str; 6] = [
    "immutable",
    "cannot be overwritten",
    "already exist",
    "alreadyexists",
    "does not allow updating",
    "cannot be updated",
];

impl Push<'_> {
    /// What a tag has, also where the registry, or what stands before it, forbids HEAD.
    pub(crate) async fn found_under(
        &self,
        target: &Reference,
        place: &Target,
    ) -> Result<Option<Digest>, ClientError> {
        let (registry, repository) = (target.registry(), target.repository());
        let error = match self.client.head_manifest(registry, repository, place).await {
            Ok(found) => return Ok(found.map(|found| found.digest)),
            Err(error) => error,
        };
        if !matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid) {
            return Err(error);
        }
        match self.client.manifest(registry, repository, place).await {
            Ok(manifest) => Ok(Some(manifest.digest)),
            Err(ClientError::NotFound { .. }) => Ok(None),
            Err(_) => Err(error),
        }
    }

    /// After the root of an image was refused: done all the same, a tag that is taken, or the refusal as it was.
    pub(crate) async fn after_refusal(
        &self,
        image: &Image,
        target: &Reference,
        error: ClientError,
    ) -> Result<(Digest, Option<String>), TransferError> {
        let (Some(refusal), Some(_)) = (error.refusal(), target.tag()) else {
            return Err(error.into());
        };
        let pushed = image.root.digest;
        let Ok(Some(found)) = self.found_under(target, &place(target, pushed)).await else {
            return Err(error.into());
        };
        if self.is_of(image, &found) {
            return Ok((found, Some(SAME.to_owned())));
        }
        let said = refusal.words.to_lowercase();
        let keeps_tags =
            matches!(refusal.status, 403 | 409 | 412) || WORDS.iter().any(|word| said.contains(word));
        // A quota stands before any tag.
        match keeps_tags && !said.contains("exceed") {
            true => Err(TransferError::TagTaken(Box::new(TagTaken {
                target: target.to_string(),
                found,
                pushed,
                status: refusal.status,
                words: refusal.words.to_owned(),
            }))),
            false => Err(error.into()),
        }
    }
}
