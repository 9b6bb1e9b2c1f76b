//! What upkeep finds on its way, in words and as JSON.

use landfall_oci::Repository;
use landfall_server::rfc3339;
use landfall_store::{Finding, Item, Observer, Outcome, Removal, TagRemoval, TrashKind};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use crate::human;

/// What upkeep tells goes out line by line; a listener that went away is no reason to stop.
pub(super) struct Told(Sender<Value>);

impl Told {
    pub(super) fn new(items: Sender<Value>) -> Self {
        Self(items)
    }

    /// From the thread that does the work, which may be one that drives other things too: they are moved elsewhere
    /// while this one waits for the listener.
    fn tell(&self, value: Value) {
        tokio::task::block_in_place(|| {
            let _ = self.0.blocking_send(value);
        });
    }
}

impl Observer for Told {
    fn removal(&self, removal: &Removal) {
        let Removal {
            item,
            digest,
            repository,
            bytes,
            since_unix_ms,
        } = removal;
        let (kind, whose) = (noun(*item), repository.as_ref().map(Repository::as_str));
        let since = rfc3339(*since_unix_ms);
        let size = match bytes {
            0 => String::new(),
            bytes => format!(", {}", human::bytes(*bytes)),
        };
        let text = format!(
            "{kind:<10} {digest}{}{size}: {}, last used {since}",
            whose.map(|name| format!(" of {name}")).unwrap_or_default(),
            removal.reason(),
        );
        self.tell(json!({
            "text": text, "removed": kind, "digest": digest, "repository": repository, "bytes": bytes,
            "reason": removal.reason(), "since": since,
        }));
    }

    fn finding(&self, finding: &Finding) {
        let tags = finding
            .tags
            .iter()
            .map(|(repository, tag)| format!("{repository}:{tag}"));
        self.tell(json!({
            "text": sentence(finding), "problem": finding.damage.to_string(), "digest": finding.digest,
            "repository": finding.repository, "place": finding.place, "tags": tags.collect::<Vec<_>>(),
            "tags_touched": finding.tags_touched, "damage": finding.damage.is_damage(),
            "outcome": outcome(finding.outcome),
        }));
    }

    fn tag_removal(&self, removal: &TagRemoval) {
        let TagRemoval { repository, expired } = removal;
        let reason = expired.reason.to_string();
        self.tell(json!({
            "text": format!("tag        {repository}:{}: {reason}", expired.change.tag),
            "removed": "tag", "repository": repository, "tag": expired.change.tag, "reason": reason,
        }));
    }
}

fn noun(item: Item) -> &'static str {
    match item {
        Item::Manifest => "manifest",
        Item::Membership => "blob",
        Item::Bytes => "file",
    }
}

/// What made a run in the trash.
pub(super) fn kind(kind: TrashKind) -> &'static str {
    match kind {
        TrashKind::Collection => "collection",
        TrashKind::Quarantine => "quarantine",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Left => "left",
        Outcome::Healed => "healed",
        Outcome::Quarantined => "moved aside",
    }
}

/// `WRONG  sha256:…: the bytes are not what their digest says (healed)`, and which tags it touches.
fn sentence(finding: &Finding) -> String {
    let mark = match (finding.damage.is_damage(), finding.outcome) {
        (false, _) => "note  ",
        (true, Outcome::Healed) => "HEALED",
        (true, _) => "WRONG ",
    };
    let what = match (&finding.repository, &finding.digest) {
        (Some(repository), Some(digest)) => format!("{repository}@{digest}"),
        (Some(repository), None) => format!("{repository} ({})", finding.place),
        (None, Some(digest)) => digest.to_string(),
        (None, None) => finding.place.clone(),
    };
    let mut text = format!("{mark} {what}: {}", finding.damage);
    if finding.outcome == Outcome::Quarantined {
        text += " (moved aside)";
    }
    if finding.tags_touched > 0 {
        let shown: Vec<String> = finding
            .tags
            .iter()
            .take(5)
            .map(|(repository, tag)| format!("{repository}:{tag}"))
            .collect();
        let more = finding.tags_touched.saturating_sub(shown.len() as u64);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        text += &format!("\n       touches {}{more}", shown.join(", "));
    }
    text
}
