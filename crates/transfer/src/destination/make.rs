//! Making what is missing at the target, when that was asked for; and saying beforehand what will fail without it.

use futures_util::stream::{self, StreamExt};
use landfall_auth::{Created, NewRepository};
use landfall_client::ClientError;
use landfall_oci::{Registry, Repository};

use super::survey::{Lack, Survey, noun};
use super::{Kind, Visibility, harbor};
use crate::push::Push;
use crate::{Class, Event, TransferError};

/// Places made at once.
const AT_ONCE: usize = 4;

impl Push<'_> {
    /// Images that go where nothing is and nothing will be made.
    pub(super) fn bar_what_is_not_made(&self, survey: &mut Survey) {
        if self.destination.create_missing.is_some() {
            return;
        }
        for (place, lack) in &survey.lacks {
            if lack.doubt.is_none() {
                let reason = self.missing(survey.kind, place, lack);
                for position in &lack.images {
                    survey
                        .inventory
                        .barred
                        .insert(*position, (Class::NotFound, reason.clone()));
                }
            }
        }
    }

    fn missing(&self, kind: Kind, place: &str, lack: &Lack) -> String {
        let registry = lack
            .images
            .first()
            .map(|position| self.targets[*position].registry().as_str());
        let (registry, noun, name) = (registry.unwrap_or_default(), noun(kind), kind.name());
        let advice = match kind {
            Kind::Harbor => {
                "--create-missing creates it (private; `--create-missing public` for one that everybody may pull from)".to_owned()
            }
            _ => format!("{name} does not make them on push; --create-missing makes it"),
        };
        format!("{registry} has no {noun} `{place}`: {advice}, or create it there first")
    }

    /// Makes what is missing. Images whose place could not be made are barred, the others go on.
    pub(crate) async fn make_missing(&self, survey: &mut Survey) {
        let Some(visibility) = self.destination.create_missing else {
            return;
        };
        let kind = survey.kind;
        let results: Vec<_> = stream::iter(&survey.lacks)
            .map(|(place, lack)| async move { (place, lack, self.make(kind, place, lack, visibility).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (place, lack, result) in results {
            let Err((class, reason)) = result else { continue };
            if let Some(doubt) = lack.doubt.as_ref().filter(|_| !lack.is_denied) {
                // It answers to this user as a registry: then it is there, whatever the API says.
                tracing::debug!(place, doubt, reason, "not made, and perhaps not needed");
                continue;
            }
            for position in &lack.images {
                survey.inventory.barred.insert(*position, (class, reason.clone()));
            }
        }
    }

    async fn make(
        &self,
        kind: Kind,
        place: &str,
        lack: &Lack,
        visibility: Visibility,
    ) -> Result<(), (Class, String)> {
        let Some(target) = lack.images.first().map(|position| &self.targets[*position]) else {
            return Ok(());
        };
        let (registry, repository) = (target.registry(), target.repository());
        let made = match kind {
            Kind::Harbor => harbor::make(self.client, registry, place, visibility).await?,
            _ => self.make_repository(registry, repository).await?,
        };
        if !made {
            return Ok(());
        }
        let what = match kind {
            Kind::Harbor => format!("{visibility} project"),
            _ => "repository".to_owned(),
        };
        let message = format!("created the {what} {registry}/{place}");
        self.reporter.event(&Event::Note { message: &message });
        Ok(())
    }
    /// In Amazon ECR, with the keys that log in there; `false` when it was there.
    async fn make_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<bool, (Class, String)> {
        let keyring = self.client.keyring();
        let made = keyring
            .create_repository(registry, repository, NewRepository::default())
            .await;
        let made = made.map_err(|source| {
            let error = TransferError::from(ClientError::Auth {
                what: format!("the repository {registry}/{repository} was not created"),
                source: Box::new(source),
            });
            (error.class(), error.describe())
        })?;
        Ok(made == Created::New)
    }
}
