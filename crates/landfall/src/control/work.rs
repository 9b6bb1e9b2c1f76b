//! The work itself, on a directory that this process owns.
//!
//! Everything that is found goes out as a JSON object whose `text` is a line for people, so that whoever asked prints
//! it without knowing what it is.

use landfall_oci::Reference;
use landfall_server::wanted::image_list;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::request::Request;
use super::workshop::Workshop;
use super::{collecting, scrubbing, tags};
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

pub(super) fn count(number: u64, noun: &str) -> String {
    human::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

pub(super) fn complete(summary: Value) -> Done {
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
        Request::Retain { rules, dry_run } => collecting::retain(workshop, rules, dry_run, items).await,
        Request::Collect(asked) => collecting::collect(workshop, &asked, items).await,
        Request::Trash => collecting::trash(workshop, items).await,
        Request::Undo { run } => collecting::undo(workshop, &run).await,
        Request::Why { digest } => collecting::why(workshop, &digest, items).await,
        Request::Scrub(asked) => scrubbing::scrub(workshop, &asked, items).await,
        Request::Wanted => list_wanted(workshop),
        Request::Forget { images } => forget(workshop, &images).await,
        Request::History { repository, tag } => tags::history(workshop, &repository, &tag, items).await,
        Request::Restore { repository, tag, to } => tags::restore(workshop, &repository, &tag, to).await,
    }
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
