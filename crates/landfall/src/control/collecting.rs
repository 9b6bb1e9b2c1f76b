//! Ending tags and collecting what nothing needs; and taking that back.

use std::sync::Arc;
use std::time::Duration;

use landfall_oci::Digest;
use landfall_server::rfc3339;
use landfall_store::{CollectOptions, Collected, RetentionRule, RunId};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::failure;
use super::request::Collect;
use super::told::{Told, kind};
use super::work::{Done, complete, count};
use super::workshop::Workshop;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;

pub(super) async fn retain(
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

pub(super) async fn collect(
    workshop: &Workshop,
    asked: &Collect,
    items: Sender<Value>,
) -> Result<Done, Failure> {
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
    // Only what lies in the trash can be brought back.
    let run = run.filter(|_| !keep_trash.is_zero()).map(|run| run.to_string());
    json!({
        "text": text, "dry_run": dry_run, "run": run, "manifests": manifests,
        "memberships": memberships, "blobs": blobs, "bytes": bytes, "spared": kept, "emptied": emptied,
        "untouched": untouched,
    })
}

pub(super) async fn trash(workshop: &Workshop, items: Sender<Value>) -> Result<Done, Failure> {
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

pub(super) async fn undo(workshop: &Workshop, run: &str) -> Result<Done, Failure> {
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

pub(super) async fn why(workshop: &Workshop, digest: &Digest, items: Sender<Value>) -> Result<Done, Failure> {
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
