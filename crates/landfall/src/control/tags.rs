//! What a tag pointed at, and pointing it there again.

use landfall_oci::{Repository, Tag};
use landfall_server::rfc3339;
use landfall_store::{HistoryEntry, Moment as Change, Store as _, StoreError, What};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::failure;
use super::request::Moment;
use super::work::{Done, complete};
use super::workshop::Workshop;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) async fn history(
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

pub(super) async fn restore(
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
