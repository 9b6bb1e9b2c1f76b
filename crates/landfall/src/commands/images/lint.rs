//! `images lint`: what is in a list, and what is odd about it.

use serde_json::json;

use crate::args::Lint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{human, lists, out};

pub(super) fn run(args: &Lint) -> Result<Exit, Failure> {
    let list = lists::read_raw(&args.list)?;
    let errors = list.errors().count();
    match args.output.output {
        Output::Json => {
            let images: Vec<_> = list.entries.iter().map(|entry| entry.text.as_str()).collect();
            let references: Vec<_> = list.entries.iter().map(|entry| &entry.reference).collect();
            let document = json!({
                "list": args.list.display().to_string(),
                "images": images, "references": references, "notes": list.notes, "errors": errors,
            });
            out::result(&format!("{document:#}\n"));
        }
        Output::Text => {
            for note in &list.notes {
                let level = if note.is_error() { "error" } else { "note" };
                out::result(&format!(
                    "{}:{}: {level}: {}\n",
                    args.list.display(),
                    note.line,
                    note.message
                ));
            }
            let (images, notes) = (list.entries.len(), list.notes.len() - errors);
            let parts = [
                human::count(images, "image"),
                human::count(notes, "note"),
                human::count(errors, "error"),
            ];
            out::result(&format!("{}\n", parts.join(", ")));
        }
    }
    Ok(if errors == 0 {
        Exit::Complete
    } else {
        Exit::Partial
    })
}
