//! `gc`, `scrub`, `wanted` and `tags`: what is asked of a registry's directory, and how the answer is printed.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_oci::{Repository, Tag};
use serde_json::Value;

use super::Context;
use super::serve::retention_of;
use crate::args::{Gc, OutputArg, Scrub, TagHistory, TagUndo, Tags, TagsCommand, WantedArgs};
use crate::control::{self, Moment, Request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{moment, out};

pub(crate) async fn gc(args: Gc, context: Context) -> Result<Exit, Failure> {
    let root = &args.root.root;
    if args.retain {
        let rules = args.config.as_deref().map(retention_of).transpose()?;
        let request = Request::Retain {
            rules,
            dry_run: args.dry_run,
        };
        ask(root, request, &args.output, context).await?;
    }
    let request = match (args.undo, args.trash, args.why) {
        (Some(run), ..) => Request::Undo { run: run.to_string() },
        (_, true, _) => Request::Trash,
        (.., Some(digest)) => Request::Why { digest },
        _ => Request::Collect(control::Collect {
            dry_run: args.dry_run,
            grace: args.grace.map(|age| age.0.as_secs()),
            untagged_after: args.untagged_after.map(|age| age.0.as_secs()),
            keep_trash: args.keep_trash.map(|age| age.0.as_secs()),
        }),
    };
    ask(root, request, &args.output, context).await
}

pub(crate) async fn scrub(args: Scrub, context: Context) -> Result<Exit, Failure> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let request = Request::Scrub(control::Scrub {
        // A running server stands in another folder.
        heal_from: args.heal_from.iter().map(absolute).collect(),
        quarantine: args.quarantine,
        bytes_per_second: args.rate.as_ref().map(|rate| rate.bytes),
    });
    ask(&args.root.root, request, &args.output, context).await
}

pub(crate) async fn wanted(args: WantedArgs, context: Context) -> Result<Exit, Failure> {
    let request = match args.forget_all || !args.forget.is_empty() {
        true => Request::Forget {
            images: args.forget.iter().map(ToString::to_string).collect(),
        },
        false => Request::Wanted,
    };
    ask(&args.root.root, request, &args.output, context).await
}

pub(crate) async fn tags(args: Tags, context: Context) -> Result<Exit, Failure> {
    match args.command {
        TagsCommand::History(args) => history(args, context).await,
        TagsCommand::Undo(args) => undo(args, context).await,
    }
}

async fn history(args: TagHistory, context: Context) -> Result<Exit, Failure> {
    let (repository, tag) = split(&args.name)?;
    let request = Request::History { repository, tag };
    let Some(at) = &args.at else {
        return ask(&args.root.root, request, &args.output, context).await;
    };
    let at = moment::parse(at, now()).map_err(Failure::usage)?;
    // Newest first: the first that is not later is what held then.
    let mut found = None;
    let then = |change: &Value| change["unix_ms"].as_u64().is_some_and(|unix_ms| unix_ms <= at);
    let keep = |change: Value| {
        if found.is_none() && then(&change) {
            found = Some(change);
        }
    };
    control::ask(&args.root.root, request, keep).await?;
    match found {
        Some(change) => {
            print(&args.output, change);
            Ok(Exit::Complete)
        }
        None => Err(Failure::new(
            Exit::Partial,
            format!(
                "`{}` was not there yet, or its history does not go back so far",
                args.name
            ),
        )),
    }
}

async fn undo(args: TagUndo, context: Context) -> Result<Exit, Failure> {
    let (repository, tag) = split(&args.name)?;
    let to = match args.to.as_deref() {
        None => Moment::Before,
        Some(text) => match text.parse() {
            Ok(number) => Moment::Change(number),
            Err(_) => Moment::Time(moment::parse(text, now()).map_err(Failure::usage)?),
        },
    };
    let request = Request::Restore { repository, tag, to };
    ask(&args.root.root, request, &args.output, context).await
}

/// `team/app:prod`, as a registry's own names are: no host, and the tag is said.
fn split(name: &str) -> Result<(Repository, Tag), Failure> {
    let wrong = || Failure::usage(format!("`{name}` is not REPOSITORY:TAG, such as team/app:prod"));
    let (repository, tag) = name.rsplit_once(':').ok_or_else(wrong)?;
    Ok((
        repository.parse().map_err(|_| wrong())?,
        tag.parse().map_err(|_| wrong())?,
    ))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Asks and prints: what is found as it is found (unless only the result is wanted), then the summary.
async fn ask(root: &Path, request: Request, output: &OutputArg, context: Context) -> Result<Exit, Failure> {
    let done = control::ask(root, request, |item| {
        if !context.quiet {
            print(output, item);
        }
    })
    .await?;
    let brought_back = hint(root, &done.summary);
    print(output, done.summary);
    if let (Output::Text, Some(hint)) = (output.output, brought_back) {
        out::result(&hint);
    }
    Ok(done.exit)
}

/// How to take a collection back, to be typed as it stands.
fn hint(root: &Path, summary: &Value) -> Option<String> {
    let run = summary["run"].as_str()?;
    Some(format!(
        "to bring it back: landfall gc --root {} --undo {run}\n",
        root.display()
    ))
}

/// A line for people, or the same as JSON.
fn print(output: &OutputArg, mut value: Value) {
    let text = value.as_object_mut().and_then(|fields| fields.remove("text"));
    match (output.output, text) {
        (Output::Json, _) => out::result(&format!("{value}\n")),
        (Output::Text, Some(Value::String(text))) if !text.is_empty() => out::result(&format!("{text}\n")),
        (Output::Text, _) => {}
    }
}
