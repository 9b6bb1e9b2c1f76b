//! A folder to run the program in, with nothing of this machine's user in reach.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landfall_testkit::{Outcome, Scratch, Workload, run};
use serde_json::Value;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_landfall");

/// A folder and the program in it.
pub(crate) struct Place {
    pub(crate) scratch: Scratch,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            scratch: Scratch::new(),
        }
    }

    /// With the workload's list in `list.txt`.
    pub(crate) fn with_list(workload: &Workload) -> Self {
        let place = Self::new();
        place.scratch.write("list.txt", workload.list());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// The program, in this folder, with an empty environment but for what it needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.scratch.path())
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn landfall(&self, args: &[&str]) -> Outcome {
        run(&mut self.command(args))
    }

    /// Saves `list.txt` from a registry into `out`.
    pub(crate) fn save(&self, from: &str, out: &str, more: &[&str]) -> Outcome {
        let mut args = vec!["save", "-l", "list.txt", "-o", out, "--from", from];
        args.extend(more);
        self.landfall(&args)
    }

    /// An OCI layout with one small image that is like none with another text; gives the digest of its manifest.
    pub(crate) fn layout(&self, name: &str, text: &str) -> String {
        let workload = Workload::hello("small/image:1", text);
        workload.write_layout(&self.path(name));
        workload.images[0].root.to_string()
    }

    /// Pushes such a layout.
    pub(crate) fn push(&self, layout: &str, name: &str) -> Outcome {
        self.landfall(&["push", layout, name, "--attempts", "1"])
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

/// The report of a run with `--output json`: its last line.
pub(crate) fn report(outcome: &Outcome) -> Value {
    let last = outcome
        .stdout
        .lines()
        .last()
        .unwrap_or_else(|| panic!("{outcome}"));
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}\n{outcome}"))
}

/// Names of the failed images in a report, sorted.
pub(crate) fn failed(report: &Value) -> Vec<String> {
    let failed = report["report"]["failed"].as_array().unwrap();
    let mut names: Vec<_> = failed
        .iter()
        .map(|failure| failure["asked"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Whether two files hold the same bytes.
pub(crate) fn same_bytes(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}
