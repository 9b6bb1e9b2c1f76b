//! What stands between a plan and its push at this target: names that it cannot hold, projects and repositories that are
//! not there, a user that it refuses. All of it is known, and in the plan, before the first byte moves.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use landfall_oci::{Reference, Registry, Repository};

use super::harbor::{self, Standing};
use super::{Advised, Kind, PlaceAction, PlannedPlace, answers, limits};
use crate::inventory::Inventory;
use crate::push::{Push, SMALL_AT_ONCE};
use crate::{Class, Failure, Plan, TransferError};

/// The target before the push.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) inventory: Inventory,
    pub(crate) plan: Plan,
    pub(super) lacks: BTreeMap<String, Lack>,
    pub(super) kind: Kind,
}

/// A project or repository that is not there, or that may not be.
#[derive(Debug)]
pub(super) struct Lack {
    /// Why that is not certain.
    pub(super) doubt: Option<String>,
    /// Whether the registry refused to say what is in it.
    pub(super) is_denied: bool,
    /// The images that go there, by position.
    pub(super) images: Vec<usize>,
}

/// What has to be there before a repository can be pushed to, if anything.
pub(super) fn place_of(kind: Kind, repository: &Repository) -> Option<&str> {
    match kind {
        Kind::Harbor => repository.as_str().split('/').next(),
        Kind::Ecr | Kind::EcrPublic => Some(repository.as_str()),
        _ => None,
    }
}

/// What such a place is called.
pub(super) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Harbor => "project",
        _ => "repository",
    }
}

impl Push<'_> {
    /// Looks at the target.
    pub(crate) async fn survey(&self, dry_run: bool) -> Result<Survey, TransferError> {
        let host = self.targets.first().map(Reference::registry);
        let by_host = host.map_or(Kind::Other, Kind::by_host);
        self.check_limits(by_host)?;
        let mut inventory = self.ask_names().await?;
        let has_reason = dry_run
            || self.destination.create_missing.is_some()
            || !inventory.unsaid.is_empty()
            || matches!(by_host, Kind::Ecr | Kind::EcrPublic);
        let mut kind = by_host;
        let mut lacks = BTreeMap::new();
        if let Some(registry) = host.filter(|_| has_reason) {
            kind = self.kind(registry).await;
            self.check_limits(kind)?;
            lacks = self.lacks(kind, registry, &inventory).await;
        }
        self.weigh_refusals(&mut inventory, kind, &lacks).await?;
        self.ask_blobs(&mut inventory, |repository| {
            let lack = place_of(kind, repository).and_then(|place| lacks.get(place));
            lack.is_some_and(|lack| lack.doubt.is_none())
        })
        .await;
        let mut plan = self.plan(&inventory);
        plan.places = self.planned(kind, &lacks);
        let mut survey = Survey {
            inventory,
            plan,
            lacks,
            kind,
        };
        self.bar_what_is_not_made(&mut survey);
        Ok(survey)
    }

    /// What product the target is; asked once.
    pub(super) async fn kind(&self, registry: &Registry) -> Kind {
        *self.kind.get_or_init(|| Kind::find(self.client, registry)).await
    }

    fn check_limits(&self, kind: Kind) -> Result<(), TransferError> {
        let max_depth = self.destination.max_depth;
        let misfits = limits::misfits(kind, &self.collection.images, self.targets, max_depth);
        match misfits.is_empty() {
            true => Ok(()),
            false => Err(TransferError::Misfits(misfits)),
        }
    }

    /// Places that are not there, of those from which no name was answered.
    async fn lacks(&self, kind: Kind, registry: &Registry, inventory: &Inventory) -> BTreeMap<String, Lack> {
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, target) in self.targets.iter().enumerate() {
            if let Some(place) = place_of(kind, target.repository()) {
                places.entry(place).or_default().push(position);
            }
        }
        places.retain(|_, images| !images.iter().any(|position| inventory.found.contains(position)));
        let is_asked = self.destination.create_missing.is_some();
        stream::iter(places)
            .map(|(place, images)| async move {
                let is_denied = images.iter().any(|position| inventory.is_denied(*position));
                let standing = match kind {
                    Kind::Harbor => harbor::look(self.client, registry, place).await,
                    _ => self.look_for_repository(registry, place).await,
                };
                let doubt = match standing {
                    Standing::There => return None,
                    Standing::Missing => None,
                    // What answers is there, unless somebody wants to be sure.
                    Standing::Unclear(_) if !is_denied && !is_asked => return None,
                    Standing::Unclear(doubt) => Some(doubt),
                };
                let lack = Lack {
                    doubt,
                    is_denied,
                    images,
                };
                Some((place.to_owned(), lack))
            })
            .buffer_unordered(SMALL_AT_ONCE)
            .filter_map(|lack| async move { lack })
            .collect()
            .await
    }

    async fn look_for_repository(&self, registry: &Registry, place: &str) -> Standing {
        let Ok(repository) = place.parse() else {
            return Standing::There;
        };
        match self.client.has_repository(registry, &repository).await {
            Ok(true) => Standing::There,
            Ok(false) => Standing::Missing,
            Err(error) => Standing::Unclear(error.to_string()),
        }
    }

    /// A target that refuses to say anything of any image ends the run; one that refuses some spoils those only. What a
    /// missing place explains is no refusal.
    async fn weigh_refusals(
        &self,
        inventory: &mut Inventory,
        kind: Kind,
        lacks: &BTreeMap<String, Lack>,
    ) -> Result<(), TransferError> {
        let is_asked = self.destination.create_missing.is_some();
        inventory.unsaid.retain(|position, error| {
            let place = place_of(kind, self.targets[*position].repository());
            let lack = place.and_then(|place| lacks.get(place));
            let is_explained = lack.is_some_and(|lack| lack.doubt.is_none() || is_asked);
            !is_explained && error.class() == Class::Credentials
        });
        if inventory.unsaid.is_empty() || inventory.unsaid.len() < self.targets.len() {
            return Ok(());
        }
        match inventory.unsaid.pop_first() {
            Some((_, error)) => Err(self.advised(error).await),
            None => Ok(()),
        }
    }

    fn planned(&self, kind: Kind, lacks: &BTreeMap<String, Lack>) -> Vec<PlannedPlace> {
        let is_made = self.destination.create_missing.is_some();
        let planned = |(place, lack): (&String, &Lack)| {
            let registry = lack
                .images
                .first()
                .map(|position| self.targets[*position].registry())?;
            Some(PlannedPlace {
                kind: noun(kind),
                name: format!("{registry}/{place}"),
                action: match (is_made, &lack.doubt) {
                    (true, None) => PlaceAction::Create,
                    (true, Some(_)) => PlaceAction::CreateUnlessThere,
                    (false, _) => PlaceAction::Missing,
                },
                images: lack.images.len(),
            })
        };
        // What is in doubt is not called missing.
        let certain = lacks.iter().filter(|(_, lack)| is_made || lack.doubt.is_none());
        certain.filter_map(planned).collect()
    }

    /// The images that will not be pushed, for the report of a dry run.
    pub(crate) fn foreseen(&self, inventory: &Inventory) -> Vec<Failure> {
        let denied = inventory.unsaid.iter().map(|(position, error)| {
            let reason = (error.class(), error.describe());
            (*position, reason)
        });
        let barred = inventory
            .barred
            .iter()
            .map(|(position, reason)| (*position, reason.clone()));
        let all: BTreeMap<_, _> = denied.chain(barred).collect();
        all.into_iter()
            .map(|(position, (class, reason))| {
                let image = &self.collection.images[position];
                Failure {
                    reference: Some(image.reference.clone()),
                    asked: image.asked.clone(),
                    reason,
                    class,
                }
            })
            .collect()
    }

    /// What an error means for its image, with advice where the refusal is a known one.
    pub(crate) async fn told(&self, error: TransferError) -> (Class, String) {
        let error = self.advised(error).await;
        (error.class(), error.describe())
    }

    async fn advised(&self, error: TransferError) -> TransferError {
        let known = match &error {
            TransferError::Client(error) => self.known(error).await,
            _ => None,
        };
        known.map_or(error, |advised| TransferError::Advised(Box::new(advised)))
    }

    /// What is known of a refusal of the target; a source's is none of ours.
    async fn known(&self, error: &landfall_client::ClientError) -> Option<Advised> {
        let what = error.refusal()?.what;
        let registry = self.targets.first()?.registry();
        match what.contains(registry.as_str()) {
            true => answers::advice(self.kind(registry).await, error),
            false => None,
        }
    }
}
