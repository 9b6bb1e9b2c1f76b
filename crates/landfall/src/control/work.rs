//! The work itself, on a directory that this process owns.
//!
//! Everything that is found goes out as a JSON object whose `text` is a line for people, so that whoever asked prints
//! it without knowing what it is.

use std::sync::Arc;
use std::time::Duration;

use landfall_bundle::mount;
use landfall_oci::{Digest, Reference, Repository, Tag};
use landfall_server::rfc3339;
use landfall_server::wanted::image_list;
use landfall_store::{
    CollectOptions, Collected, HistoryEntry, Moment as Change, RetentionRule, RunId, ScrubOptions, Store,
    StoreError, What,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::failure;
use super::request::{Collect, Moment, Request, Scrub};
use super::told::{Told, kind};
use super::workshop::Workshop;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;

/// How a piece of work ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) exit: Exit,
    pub(crate) summary: Value,
}

pub(super) fn local(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}

fn count(number: u64, noun: &str) -> String {
    human::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn complete(summary: Value) -> Done {
    Done {
        exit: Exit::Complete,
        summary,
    }
}

/// Does what was asked for; what is found on the way goes into `items`.
pub(super) async fn perform(
    workshop: &Workshop,
    request: Request,
    items: Sender<Value>,
) -> Result<Done, Failure> {
    if workshop.read_only && request.changes_content() {
        return Err(Failure::new(
            Exit::Local,
            "the server that has this directory was started with --read-only: nothing is changed; stop it to do this",
        ));
    }
    match request {
        Request::Retain { rules, dry_run } => retain(workshop, rules, dry_run, items).await,
        Request::Collect(asked) => collect(workshop, &asked, items).await,
        Request::Trash => trash(workshop, items).await,
        Request::Undo { run } => undo(workshop, &run).await,
        Request::Why { digest } => why(workshop, &digest, items).await,
        Request::Scrub(asked) => scrub(workshop, &asked, items).await,
        Request::Wanted => list_wanted(workshop),
        Request::Forget { images } => forget(workshop, &images).await,
        Request::History { repository, tag } => history(workshop, &repository, &tag, items).await,
        Request::Restore { repository, tag, to } => restore(workshop, &repository, &tag, to).await,
    }
}

async fn retain(
    workshop: &Workshop,
    rules: Option<Value>,
    dry_run: bool,
    items: Sender<Value>,
) -> Result<Done, Failure> {
    let rules: Vec<RetentionRule> = match rules {
        Some(rules) => serde_json::from_value(rules)
            .map_err(|error| Failure::usage(format!("the retention rules: {error}")))?,
        None => workshop.policy().retention,
    };
    if rules.is_empty() {
        return Err(Failure::usage(
            "there are no retention rules: they stand in the settings file, as [[retention]]",
        ));
    }
    let told = Arc::new(Told::new(items));
    let retained = workshop
        .store
        .retain(rules, dry_run, told)
        .await
        .map_err(failure)?;
    let verb = if dry_run { "would go" } else { "removed" };
    let text = format!(
        "{} of {} {verb}{}",
        count(retained.removed, "tag"),
        retained.seen,
        spared(retained.spared)
    );
    Ok(complete(json!({
        "text": text, "tags_removed": retained.removed, "tags_seen": retained.seen, "spared": retained.spared,
        "dry_run": dry_run,
    })))
}

fn spared(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(", {count} spared: used meanwhile, or immutable"),
    }
}

async fn collect(workshop: &Workshop, asked: &Collect, items: Sender<Value>) -> Result<Done, Failure> {
    let usual = workshop.policy().collect;
    let options = CollectOptions {
        grace: asked.grace.map(Duration::from_secs).or(usual.grace),
        untagged_after: asked
            .untagged_after
            .map(Duration::from_secs)
            .or(usual.untagged_after),
        keep_trash: asked.keep_trash.map_or(usual.keep_trash, Duration::from_secs),
        below: usual.below,
        dry_run: asked.dry_run,
        now: None,
    };
    let keep_trash = options.keep_trash;
    let told = Arc::new(Told::new(items));
    let collected = workshop.store.collect(options, told).await.map_err(failure)?;
    Ok(Done {
        exit: match collected.untouched.is_empty() {
            true => Exit::Complete,
            false => Exit::Partial,
        },
        summary: collection_summary(&collected, asked.dry_run, keep_trash),
    })
}

/// What a collection did, in words and figures.
pub(crate) fn collection_summary(collected: &Collected, dry_run: bool, keep_trash: Duration) -> Value {
    let Collected {
        run,
        manifests,
        memberships,
        blobs,
        bytes,
        untouched,
        spared: kept,
        emptied,
    } = collected;
    let mut text = format!(
        "{}: {}, {} of repositories, {} ({}){}",
        if dry_run { "would go" } else { "removed" },
        count(*manifests, "manifest"),
        count(*memberships, "blob"),
        count(*blobs, "file"),
        human::bytes(*bytes),
        spared(*kept),
    );
    if let (Some(run), false) = (run, keep_trash.is_zero()) {
        text += &format!("\nto bring it back: landfall gc --undo {run}");
    }
    if *emptied > 0 {
        text += &format!("\n{} of older runs deleted", human::bytes(*emptied));
    }
    for (repository, reason) in untouched {
        text += &format!("\nnothing was touched in {repository}: {reason}");
    }
    let untouched: Vec<Value> = untouched
        .iter()
        .map(|(repository, reason)| json!({"repository": repository, "reason": reason}))
        .collect();
    json!({
        "text": text, "dry_run": dry_run, "run": run.map(|run| run.to_string()), "manifests": manifests,
        "memberships": memberships, "blobs": blobs, "bytes": bytes, "spared": kept, "emptied": emptied,
        "untouched": untouched,
    })
}

async fn trash(workshop: &Workshop, items: Sender<Value>) -> Result<Done, Failure> {
    let runs = workshop.store.trash().await.map_err(failure)?;
    for trashed in &runs {
        let when = rfc3339(trashed.run.unix_ms());
        let run = trashed.run.to_string();
        let text = format!(
            "{run}  {when}  {}: {}, {} of repositories, {} ({})",
            kind(trashed.kind),
            count(trashed.manifests, "manifest"),
            count(trashed.memberships, "blob"),
            count(trashed.blobs, "file"),
            human::bytes(trashed.bytes)
        );
        let item = json!({
            "text": text, "run": run, "time": when, "kind": trashed.kind, "manifests": trashed.manifests,
            "memberships": trashed.memberships, "blobs": trashed.blobs, "bytes": trashed.bytes,
        });
        let _ = items.send(item).await;
    }
    let text = format!("{} in the trash", human::count(runs.len(), "run"));
    Ok(complete(json!({"text": text, "runs": runs.len()})))
}

async fn undo(workshop: &Workshop, run: &str) -> Result<Done, Failure> {
    let run: RunId = run
        .parse()
        .map_err(|_| Failure::usage(format!("`{run}` is not the name of a run")))?;
    let undone = workshop.store.undo(run).await.map_err(failure)?;
    let mut text = format!("{} brought back", count(undone.restored, "thing"));
    if undone.already_there > 0 {
        text += &format!(", {} were there again already", undone.already_there);
    }
    for digest in &undone.lost {
        text += &format!("\nlost: {digest}");
    }
    Ok(Done {
        exit: match undone.lost.is_empty() {
            true => Exit::Complete,
            false => Exit::Partial,
        },
        summary: json!({
            "text": text, "restored": undone.restored, "already_there": undone.already_there, "lost": undone.lost,
        }),
    })
}

async fn why(workshop: &Workshop, digest: &Digest, items: Sender<Value>) -> Result<Done, Failure> {
    let kept = workshop.store.why_kept(digest, None).await.map_err(failure)?;
    for kept in &kept {
        let path: Vec<String> = kept.path.iter().map(ToString::to_string).collect();
        let text = format!("{}: {}", kept.repository, path.join(" -> "));
        let _ = items
            .send(json!({"text": text, "repository": kept.repository, "path": path}))
            .await;
    }
    let text = match kept.len() {
        0 => "nothing needs it".to_owned(),
        count => format!("needed in {}", human::count(count, "place")),
    };
    Ok(complete(json!({"text": text, "places": kept.len()})))
}

async fn scrub(workshop: &Workshop, asked: &Scrub, items: Sender<Value>) -> Result<Done, Failure> {
    let paths = asked.heal_from.clone();
    let mounted = tokio::task::spawn_blocking(move || -> Result<Vec<Arc<dyn Store>>, Failure> {
        paths.iter().map(|path| Ok(mount(path)?)).collect()
    });
    let options = ScrubOptions {
        bytes_per_second: asked.bytes_per_second,
        heal_from: mounted.await.map_err(local)??,
        quarantine: asked.quarantine,
        ..ScrubOptions::default()
    };
    let told = Arc::new(Told::new(items));
    let done = workshop.store.scrub(options, told).await.map_err(failure)?;
    let verdict = match (done.damaged, done.is_clean()) {
        (0, _) => "all right".to_owned(),
        (damaged, true) => format!("{damaged} damaged and healed"),
        (damaged, false) => format!(
            "{damaged} damaged, {} healed, {} moved aside",
            done.healed, done.quarantined
        ),
    };
    let text = format!(
        "{} ({}) in {} checked: {verdict}",
        count(done.blobs, "blob"),
        human::bytes(done.bytes),
        count(done.repositories, "repository"),
    );
    Ok(Done {
        exit: match done.is_clean() {
            true => Exit::Complete,
            false => Exit::Damaged,
        },
        summary: json!({
            "text": text, "clean": done.is_clean(), "blobs": done.blobs, "bytes": done.bytes,
            "repositories": done.repositories, "damaged": done.damaged, "healed": done.healed,
            "quarantined": done.quarantined, "notes": done.notes,
        }),
    })
}

fn list_wanted(workshop: &Workshop) -> Result<Done, Failure> {
    let images = workshop.wanted.list();
    let text = image_list(&images);
    Ok(complete(json!({"text": text.trim_end(), "images": images})))
}

async fn forget(workshop: &Workshop, images: &[String]) -> Result<Done, Failure> {
    let all = || workshop.wanted.list().into_iter().map(|image| image.reference);
    let named: Vec<Reference> = match images {
        [] => all().collect(),
        names => names
            .iter()
            .map(|name| {
                name.parse()
                    .map_err(|error| Failure::usage(format!("{name}: {error}")))
            })
            .collect::<Result<_, _>>()?,
    };
    let gone = named.iter().filter(|image| workshop.wanted.forget(image)).count();
    workshop.wanted.flush().await.map_err(local)?;
    let text = format!("{} forgotten", human::count(gone, "image"));
    Ok(Done {
        exit: match images.len() <= gone {
            true => Exit::Complete,
            false => Exit::Partial,
        },
        summary: json!({"text": text, "forgotten": gone}),
    })
}

async fn history(
    workshop: &Workshop,
    repository: &Repository,
    tag: &Tag,
    items: Sender<Value>,
) -> Result<Done, Failure> {
    let history = known_history(workshop, repository, tag).await?;
    for entry in &history {
        let when = rfc3339(entry.unix_ms);
        let what = entry
            .digest
            .map_or("deleted".to_owned(), |digest| digest.to_string());
        let item = json!({
            "text": format!("{:>5}  {when}  {what}", entry.generation), "change": entry.generation,
            "time": when, "unix_ms": entry.unix_ms, "digest": entry.digest,
        });
        let _ = items.send(item).await;
    }
    Ok(complete(json!({"text": "", "changes": history.len()})))
}

async fn known_history(
    workshop: &Workshop,
    repository: &Repository,
    tag: &Tag,
) -> Result<Vec<HistoryEntry>, Failure> {
    let history = workshop
        .store
        .tag_history(repository, tag)
        .await
        .map_err(failure)?;
    match history.is_empty() {
        true => Err(Failure::new(
            Exit::Partial,
            format!("nothing is known of a tag `{tag}` of `{repository}`"),
        )),
        false => Ok(history),
    }
}

async fn restore(
    workshop: &Workshop,
    repository: &Repository,
    tag: &Tag,
    to: Moment,
) -> Result<Done, Failure> {
    let change = match to {
        Moment::Change(number) => Change::Generation(number),
        Moment::Time(unix_ms) => Change::UnixMs(unix_ms),
        Moment::Before => {
            let history = known_history(workshop, repository, tag).await?;
            let before = history.get(1).ok_or_else(|| {
                Failure::new(
                    Exit::Partial,
                    format!("`{repository}:{tag}` has had one change only"),
                )
            })?;
            Change::Generation(before.generation)
        }
    };
    let restored = workshop.store.restore_tag(repository, tag, change).await;
    let digest = restored.map_err(|error| match error {
        StoreError::NotFound(What::Manifest(_)) => Failure::new(
            Exit::Partial,
            format!("the history of `{repository}:{tag}` has no such moment"),
        ),
        other => failure(other),
    })?;
    let what = digest.map_or("deleted again".to_owned(), |digest| {
        format!("now points at {digest}")
    });
    let text = format!("{repository}:{tag} {what}");
    Ok(complete(json!({"text": text, "digest": digest})))
}
