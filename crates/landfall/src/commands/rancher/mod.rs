//! `rancher-save-images` and `rancher-load-images`: Rancher's scripts as users know them, with the truth at the end.
//!
//! The words, defaults, names and message lines are the scripts' ([`words`], [`ops`]); the work is that of `save` and
//! `load`. Different on purpose: no Docker, the last line without a newline counts, names are compared whole, and the
//! exit code is not 0 when something is missing.

mod charts;
mod lines;
mod load;
mod ops;
mod save;
mod usage;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use landfall_images::Entry;
use landfall_oci::Reference;
use landfall_transfer::windows::{self, WindowsOptions};
use landfall_transfer::{Report, Success};

use self::lines::Lines;
use self::words::{Dialect, Script, Words};
use super::Context;
use crate::args::{IndexFormat, PlanFormat, RancherExtra};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Output;
use crate::{connect, out};

pub(super) async fn save(words: Vec<OsString>, context: Context) -> Result<Exit, Failure> {
    run(Script::Save, words, context).await
}

pub(super) async fn load(words: Vec<OsString>, context: Context) -> Result<Exit, Failure> {
    run(Script::Load, words, context).await
}

/// What was typed, understood.
struct Call {
    words: Words,
    extra: RancherExtra,
    quiet: bool,
}

async fn run(script: Script, words: Vec<OsString>, context: Context) -> Result<Exit, Failure> {
    let call = match Call::read(script, &words, context) {
        Ok(call) => call,
        Err(misuse) => {
            out::result(usage::text(script));
            return Err(misuse);
        }
    };
    if call.words.help {
        out::result(usage::text(script));
        return Ok(Exit::Complete);
    }
    let forgiving = call.extra.compat_exit_zero;
    let ended = match script {
        Script::Save => save::run(call).await,
        Script::Load => load::run(call).await,
    };
    match ended {
        Ok(_) if forgiving => Ok(Exit::Complete),
        Err(failure) if forgiving => {
            out::error(&failure);
            Ok(Exit::Complete)
        }
        // The scripts know no 2.
        Err(Failure {
            exit: Exit::Usage, ..
        }) => ended.map_err(|failure| failure.with_exit(Exit::Partial)),
        ended => ended,
    }
}

impl Call {
    fn read(script: Script, words: &[OsString], context: Context) -> Result<Self, Failure> {
        let misuse = |message: String| Failure::new(Exit::Partial, message);
        let text = |word: &OsString| {
            let text = word.to_str().map(str::to_owned);
            text.ok_or_else(|| misuse(format!("{} is not text", Path::new(word).display())))
        };
        let texts = words.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let command = RancherExtra::command();
        let ours: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| Some((argument.get_long()?, argument.get_action().takes_values())))
            .collect();
        let words = Words::read(script, &texts, &ours).map_err(|error| misuse(error.to_string()))?;
        let extra = RancherExtra::try_parse_from(&words.ours).map_err(|error| {
            let text = error.to_string();
            let message = text.lines().next().unwrap_or_default();
            misuse(message.trim_start_matches("error: ").to_owned())
        })?;
        let call = Self {
            quiet: context.quiet || extra.quiet,
            words,
            extra,
        };
        let needs_registry = script == Script::Load && call.words.registry.is_empty() && !call.words.help;
        match (needs_registry, call.words.dialect) {
            (false, _) => Ok(call),
            (true, Dialect::Shell) => Err(misuse("where to? give the registry with -r".to_owned())),
            (true, Dialect::PowerShell) => {
                out::result("Registry address is required\n");
                Err(misuse("give the registry with -r".to_owned()))
            }
        }
    }

    /// Whether only the docker calls are asked for.
    fn wants_ops(&self) -> bool {
        self.extra.dry_run && self.extra.format == PlanFormat::Ops
    }

    /// A line for who greps for the scripts' messages. Among JSON it is not.
    fn tell(&self, line: &str) {
        match self.extra.output.output {
            Output::Text => out::result(&format!("{line}\n")),
            Output::Json => out::progress(line),
        }
    }

    fn images(&self) -> &Path {
        Path::new(&self.words.images)
    }

    fn failed_list(&self) -> PathBuf {
        let beside = || connect::beside(self.images(), ".failed.txt");
        self.extra.failed_list.clone().unwrap_or_else(beside)
    }

    /// What stands behind a Windows image's tag, when the words are those of the PowerShell script.
    fn suffix(&self) -> Result<String, Failure> {
        match (self.words.dialect, self.words.os_release.as_str()) {
            (Dialect::Shell, _) => Ok(String::new()),
            (Dialect::PowerShell, "") => Err(Failure::usage(
                "-o is needed: the release of Windows cannot be read from a registry here (-o 1809, -o ltsc2022)",
            )),
            (Dialect::PowerShell, release) => Ok(format!("-windows-{release}")),
        }
    }

    /// The list; the PowerShell scripts put each image's release behind its name.
    fn list(&self) -> Result<Lines, Failure> {
        let path = Path::new(&self.words.list);
        if self.words.dialect == Dialect::PowerShell && !path.exists() {
            self.tell(&format!("Could not find '{}' file", path.display()));
        }
        connect::check_stdin(&self.extra.registry, path)?;
        let suffix = self.suffix()?;
        Ok(Lines::read(path, self.quiet)?.named(|text| format!("{text}{suffix}")))
    }

    fn windows_list(&self) -> Result<Lines, Failure> {
        match (self.words.dialect, self.words.windows_list.as_str()) {
            (Dialect::PowerShell, _) | (_, "") => Ok(Lines::default()),
            (_, path) => Lines::read(Path::new(path), self.quiet),
        }
    }

    fn windows(&self, list: Vec<Entry>) -> Result<Option<WindowsOptions>, Failure> {
        let words = self.words.windows_versions.split(',').map(str::trim);
        let versions = words.filter(|word| !word.is_empty()).map(str::parse);
        let versions = versions.collect::<Result<Vec<_>, _>>();
        let options = WindowsOptions {
            versions: versions.map_err(|error: windows::VersionError| Failure::usage(error.to_string()))?,
            format: match self.extra.index_format {
                IndexFormat::Docker => windows::IndexFormat::Docker,
                IndexFormat::Oci => windows::IndexFormat::Oci,
            },
            allow_missing_members: self.extra.allow_missing_members,
            list,
        };
        Ok((!options.list.is_empty()).then_some(options))
    }
}

fn done<'a>(report: &'a Report, reference: &Reference) -> Option<&'a Success> {
    report.done.iter().find(|success| success.reference == *reference)
}
