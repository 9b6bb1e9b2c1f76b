//! `registries rewrite`: what rules make of names, where they overlap, what Go refuses.

mod findings;
mod names;
mod report;
mod rules;

use landfall_diag::{Diagnostic, Severity};
use landfall_oci::Reference;

use self::names::Names;
use self::rules::Rules;
use crate::args::Rewrite;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{lists, out};

/// Everything that was found out.
struct Tried {
    rules: Rules,
    findings: Vec<Diagnostic>,
    names: Names,
}

impl Tried {
    fn is_sound(&self) -> bool {
        let is_error = |found: &Diagnostic| found.severity == Severity::Error;
        !self.findings.iter().any(is_error) && self.names.are_sound()
    }
}

pub(super) fn run(args: &Rewrite) -> Result<Exit, Failure> {
    let rules = Rules::read(args)?;
    let tried = Tried {
        findings: findings::all(&rules),
        names: Names::of(&images(args)?, &rules.entries),
        rules,
    };
    match args.output.output {
        Output::Json => out::result(&format!("{:#}\n", report::json(&tried))),
        Output::Text => out::result(&report::text(&tried)),
    }
    Ok(match tried.is_sound() {
        true => Exit::Complete,
        false => Exit::Partial,
    })
}

/// Names as they were typed, then those of the list.
fn images(args: &Rewrite) -> Result<Vec<(String, Reference)>, Failure> {
    let mut entries = lists::from_names(&args.names)?;
    if let Some(list) = &args.list {
        entries.extend(lists::read(list, args.output.output == Output::Json)?);
    }
    let pairs = entries.into_iter().map(|entry| (entry.text, entry.reference));
    Ok(pairs.collect())
}
