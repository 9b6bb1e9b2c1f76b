//! `images lint --online`: what the registries say about each image, as the plan of a save would have it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use landfall_diag::nearest;
use landfall_images::{List, Mapping, Note, NoteKind};
use landfall_oci::{Reference, Registry, Repository, Tag};
use landfall_transfer::{Class, Failure as Failed, Plan, Reporter, ResolveOptions, resolve};

use super::Context;
use crate::args::{Lint, SourceArgs};
use crate::commands::save::resolve_options;
use crate::connect::{self, Audience, Engine};
use crate::failure::Failure;
use crate::progress;

/// Repositories whose tags are asked for, and how many at once.
const MOST_REPOSITORIES: usize = 50;
const AT_ONCE: usize = 4;

/// A client, and how to ask.
pub(super) struct Online {
    engine: Engine,
    options: ResolveOptions,
    reporter: Arc<dyn Reporter>,
}

/// What was answered.
pub(super) struct Asked {
    pub(super) plan: Plan,
    pub(super) notes: Vec<Note>,
}

/// Where tags are listed.
type Place = (Registry, Repository);

impl Online {
    pub(super) fn new<'a>(
        args: &Lint,
        lists: impl Iterator<Item = &'a List>,
        context: Context,
    ) -> Result<Self, Failure> {
        for path in &args.lists {
            connect::check_stdin(&args.registry, path)?;
        }
        let registries = lists.flat_map(|list| list.entries.iter().map(|entry| entry.reference.registry()));
        let audience = match &args.source.from {
            Some(from) => Audience::Registry(from.registry.clone()),
            None => Audience::of(registries),
        };
        let source = SourceArgs {
            from: args.source.from.clone(),
            platform: args.source.platform.clone(),
            include_foreign: args.source.include_foreign,
        };
        Ok(Self {
            engine: connect::engine(&args.registry, audience)?,
            options: resolve_options(source),
            reporter: progress::reporter(args.output.output, true_if_json(args) || context.quiet),
        })
    }

    /// Asks for every image of a list.
    pub(super) async fn ask(&self, list: &List, target: Option<&Mapping>) -> Asked {
        let collection = resolve(&list.entries, &self.options, &self.engine.client, &self.reporter).await;
        let written: HashMap<_, _> = list
            .entries
            .iter()
            .map(|entry| (&entry.reference, entry))
            .collect();
        let to = |_: usize, reference: &Reference| {
            let entry = written.get(reference);
            let place = target
                .zip(entry)
                .and_then(|(target, entry)| target.apply(reference, &entry.text).ok());
            place.map_or_else(|| "-".to_owned(), |place| place.to_string())
        };
        let plan = Plan::new(&collection, 0, to);
        let tags = self.tags(&plan.unresolved).await;
        let note = |failed: &Failed| {
            let entry = failed.reference.as_ref().and_then(|name| written.get(name));
            let near = self
                .place(failed)
                .and_then(|place| near(failed, tags.get(&place)?));
            Note {
                line: entry.map_or(1, |entry| entry.line),
                kind: match failed.class {
                    Class::NotFound => NoteKind::Absent,
                    _ => NoteKind::Unchecked,
                },
                message: format!(
                    "`{}`: {}{}",
                    failed.asked,
                    failed.reason,
                    near.unwrap_or_default()
                ),
            }
        };
        let notes = plan.unresolved.iter().map(note).collect();
        Asked { plan, notes }
    }

    /// Where the tags of an absent image's repository are listed.
    fn place(&self, failed: &Failed) -> Option<Place> {
        let reference = failed.reference.as_ref()?;
        let reference = match &self.options.from {
            Some(from) => from.apply(reference, &failed.asked).ok()?,
            None => reference.clone(),
        };
        Some((reference.registry().clone(), reference.repository().clone()))
    }

    /// The tags of the repositories of absent images, where the registry gives them.
    async fn tags(&self, failed: &[Failed]) -> BTreeMap<Place, Vec<Tag>> {
        let absent = failed
            .iter()
            .filter(|failed| failed.class == Class::NotFound && tag(failed).is_some());
        let mut places: Vec<_> = absent.filter_map(|failed| self.place(failed)).collect();
        places.sort();
        places.dedup();
        places.truncate(MOST_REPOSITORIES);
        let tags = stream::iter(places).map(|place| async move {
            let tags = self.engine.client.tags(&place.0, &place.1).await;
            tags.ok().map(|tags| (place, tags))
        });
        tags.buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    }
}

/// Events would stand between the documents.
fn true_if_json(args: &Lint) -> bool {
    args.output.output == progress::Output::Json
}

fn tag(failed: &Failed) -> Option<&Tag> {
    failed.reference.as_ref()?.tag()
}

/// The tag that may have been meant.
fn near(failed: &Failed, tags: &[Tag]) -> Option<String> {
    let meant = tag(failed)?.as_str();
    let known = tags.iter().map(Tag::as_str).filter(|tag| *tag != meant);
    Some(match (nearest(meant, known), tags.len()) {
        (Some(tag), _) => format!("; the nearest tag there is {tag}"),
        (None, 0) => "; the repository has no tags".to_owned(),
        (None, count) => format!("; none of the {count} tags there is like it"),
    })
}
