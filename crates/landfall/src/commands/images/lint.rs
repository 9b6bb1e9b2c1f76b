//! `images lint`: what is in a list, and what is odd about it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use landfall_images::lint::{LintOptions, lint};
use landfall_images::{Level, List, Mapping, Note};
use serde_json::{Value, json};

use super::Context;
use super::online::{Asked, Online};
use crate::args::Lint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::summary::plan_text;
use crate::{human, lists, out};

/// What was found out about one list.
struct Linted {
    path: PathBuf,
    list: List,
    notes: Vec<Note>,
    asked: Option<Asked>,
}

pub(super) async fn run(args: Lint, context: Context) -> Result<Exit, Failure> {
    if args.source.from.is_some() && !args.online {
        return Err(Failure::usage("--from is whom --online asks: give that, too"));
    }
    let (paths, windows) = (args.lists.clone(), args.windows_list.clone());
    let reading = tokio::task::spawn_blocking(move || read(&paths, windows.as_deref())).await;
    let (read, windows) = reading.map_err(|error| Failure::new(Exit::Local, error.to_string()))??;
    let mapping = args.target.clone().map(|destination| Mapping {
        rules: args.map.clone(),
        rancher_names: args.rancher_names,
        ..Mapping::to(destination)
    });
    let options = LintOptions {
        mapping: mapping.as_ref(),
        windows: windows.as_ref(),
    };
    let online = match args.online {
        true => Some(Online::new(&args, read.iter().map(|(_, list)| list), context)?),
        false => None,
    };
    let mut linted = Vec::new();
    for (path, list) in read {
        let mut notes = lint(&list, &options);
        let asked = match &online {
            Some(online) => Some(online.ask(&list, mapping.as_ref()).await),
            None => None,
        };
        notes.extend(asked.iter().flat_map(|asked| asked.notes.clone()));
        notes.sort_by_key(|note| note.line);
        linted.push(Linted {
            path,
            list,
            notes,
            asked,
        });
    }
    match args.output.output {
        Output::Json => tell_json(&linted),
        Output::Text => tell_text(&linted),
    }
    Ok(exit(&linted, args.strict))
}

fn read(paths: &[PathBuf], windows: Option<&Path>) -> Result<(Vec<(PathBuf, List)>, Option<List>), Failure> {
    let read = |path: &PathBuf| Ok((path.clone(), lists::read_raw(path)?));
    let lists = paths.iter().map(read).collect::<Result<_, Failure>>()?;
    let windows = windows.map(|path| {
        let list = lists::read_raw(path)?;
        lists::refuse_errors(&list, path).map(|()| list)
    });
    Ok((lists, windows.transpose()?))
}

fn exit(linted: &[Linted], strict: bool) -> Exit {
    let bound = if strict { Level::Warning } else { Level::Error };
    let clean = linted.iter().all(|linted| linted.count_from(bound) == 0);
    match clean {
        true => Exit::Complete,
        false => linted
            .iter()
            .find_map(Linted::only_trouble)
            .unwrap_or(Exit::Partial),
    }
}

impl Linted {
    fn count(&self, level: Level) -> usize {
        self.notes
            .iter()
            .filter(|note| note.kind.level() == level)
            .count()
    }

    fn count_from(&self, level: Level) -> usize {
        self.notes
            .iter()
            .filter(|note| note.kind.level() >= level)
            .count()
    }

    /// Nothing could be asked at all, for one reason.
    fn only_trouble(&self) -> Option<Exit> {
        let plan = &self.asked.as_ref()?.plan;
        match Exit::of_failures(&plan.unresolved, plan.images.is_empty()) {
            Exit::Complete | Exit::Partial => None,
            exit => Some(exit),
        }
    }

    fn document(&self) -> Value {
        let images: Vec<_> = self
            .list
            .entries
            .iter()
            .map(|entry| entry.text.as_str())
            .collect();
        let references: Vec<_> = self.list.entries.iter().map(|entry| &entry.reference).collect();
        let note = |note: &Note| json!({"line": note.line, "kind": note.kind, "level": note.kind.level(), "message": note.message});
        let mut document = json!({
            "list": self.path.display().to_string(),
            "images": images, "references": references,
            "notes": self.notes.iter().map(note).collect::<Vec<_>>(),
            "warnings": self.count(Level::Warning), "errors": self.count(Level::Error),
        });
        if let Some(asked) = &self.asked {
            document["online"] = json!(asked.plan);
        }
        document
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let path = self.path.display();
        for note in &self.notes {
            let _ = writeln!(
                text,
                "{path}:{}: {}: {}",
                note.line,
                note.kind.level(),
                note.message
            );
        }
        if let Some(asked) = &self.asked {
            text += &plan_text(&asked.plan, &[]);
        }
        text
    }

    fn sums(&self) -> String {
        let warnings = self.count(Level::Warning);
        let mut parts = vec![
            human::count(self.list.entries.len(), "image"),
            human::count(self.count(Level::Note), "note"),
        ];
        if warnings > 0 {
            parts.push(human::count(warnings, "warning"));
        }
        parts.push(human::count(self.count(Level::Error), "error"));
        parts.join(", ")
    }
}

fn tell_text(linted: &[Linted]) {
    for one in linted {
        let about = match linted.len() {
            1 => String::new(),
            _ => format!("{}: ", one.path.display()),
        };
        out::result(&format!("{}{about}{}\n", one.text(), one.sums()));
    }
}

/// One document for one list, as ever; several together.
fn tell_json(linted: &[Linted]) {
    let document = match linted {
        [one] => one.document(),
        several => json!({"lists": several.iter().map(Linted::document).collect::<Vec<_>>()}),
    };
    out::result(&format!("{document:#}\n"));
}
