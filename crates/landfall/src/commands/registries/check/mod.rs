//! `registries check`: what is wrong in files, where, what comes of it on the node, and how to mend it.

mod examine;
mod mend;
mod on_disk;
mod others;
mod print;
mod replace;
mod veil;

use std::path::Path;

use landfall_diag::{Diagnostic, Severity, Sources};

use self::examine::Subject;
use self::mend::Mended;
use crate::args::{Check, CheckOutput, Format};
use crate::commands::registries::gather::Gathered;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// One file or folder, looked at.
struct Examined {
    /// As it was typed.
    name: String,
    /// The texts without passwords.
    sources: Sources,
    findings: Vec<Diagnostic>,
    /// With `--fix`: how much was mended, and how it reads.
    mended: Option<Mended>,
}

impl Examined {
    fn count(&self, severity: Severity) -> usize {
        let all = self.findings.iter();
        all.filter(|found| found.severity == severity).count()
    }
}

pub(super) fn run(args: &Check) -> Result<Exit, Failure> {
    let is_filter = args.fix && !args.dry_run && args.files.iter().any(|path| is_stdin(path));
    if is_filter && (args.files.len() > 1 || args.output != CheckOutput::Text) {
        return Err(Failure::usage(
            "--fix of standard input writes the mended text to standard output: give no other file and no --output",
        ));
    }
    let mut all = Vec::new();
    let mut failed = None;
    for path in &args.files {
        match examine(path, args) {
            Ok(examined) => all.push(examined),
            // The other files are looked at all the same.
            Err(failure) => {
                out::error(&failure);
                failed = failed.max(Some(failure.exit as u8));
            }
        }
    }
    print::all(&all, args, is_filter);
    if let Some(code) = failed {
        return Ok(Exit::from_code(code));
    }
    let counted = |examined: &Examined| match args.deny_warnings {
        true => examined.count(Severity::Error) + examined.count(Severity::Warning),
        false => examined.count(Severity::Error),
    };
    Ok(match all.iter().all(|examined| counted(examined) == 0) {
        true => Exit::Complete,
        false => Exit::Partial,
    })
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Looks at one file or folder; mends it if that is wanted.
fn examine(path: &Path, args: &Check) -> Result<Examined, Failure> {
    let gathered = Gathered::read(&[path.to_owned()], args.format.format)?;
    if gathered.format != Format::RegistriesYaml {
        return others::examine(path, gathered, args);
    }
    let subject = Subject::new(path, gathered.only()?, args)?;
    let looked = subject.look(&subject.bytes);
    if !args.fix {
        return Ok(subject.examined(looked, None));
    }
    let (looked, mended) = mend::mend(&subject, looked);
    if !args.dry_run && mended.applied > 0 && !is_stdin(path) {
        replace::replace(path, &subject.bytes, mended.text.as_bytes())?;
    }
    Ok(subject.examined(looked, Some(mended)))
}
