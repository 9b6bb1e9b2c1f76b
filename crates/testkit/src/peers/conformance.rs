//! The conformance suite of the distribution specification, as a test binary that `scripts/peers` builds.
//!
//! What the Go module proxy has is the suite as it was in November 2023, of specification 1.1. Its last pages, a
//! report for people and one for machines, are kept by whoever runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Program;
use crate::process::Outcome;
use crate::run;

/// The program.
pub const PROGRAM: Program = Program::new(
    "conformance",
    "go test -c github.com/opencontainers/distribution-spec/conformance (see scripts/peers)",
);

/// One run of the suite, before it starts.
#[derive(Debug)]
pub struct Conformance {
    command: Command,
    reports: PathBuf,
}

/// How many of its checks ended how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All that there are.
    pub checks: u64,
    /// Not for this registry, or not asked for.
    pub skipped: u64,
    /// Failed.
    pub failed: u64,
}

impl Conformance {
    /// Against the registry at `url`, with its reports (`report.html`, `junit.xml`) in a folder of their own.
    #[track_caller]
    pub fn new(url: &str, repository: &str, reports: &Path) -> Self {
        let _ = fs::remove_dir_all(reports);
        fs::create_dir_all(reports).unwrap_or_else(|error| panic!("{}: {error}", reports.display()));
        let mut command = PROGRAM.command();
        command
            .env_clear()
            .env("OCI_ROOT_URL", url)
            .env("OCI_NAMESPACE", repository)
            .env("OCI_CROSSMOUNT_NAMESPACE", format!("{repository}-other"))
            .env("OCI_HIDE_SKIPPED_WORKFLOWS", "1")
            .env("OCI_REPORT_DIR", reports)
            .current_dir(reports);
        Self {
            command,
            reports: reports.to_owned(),
        }
    }

    /// One of the suite's variables.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Everything: pull, push with mounts by content, lists and referrers, deletions.
    pub fn all_workflows(&mut self) -> &mut Self {
        self.reading()
            .set("OCI_TEST_PUSH", "1")
            .set("OCI_TEST_CONTENT_MANAGEMENT", "1")
            .set("OCI_AUTOMATIC_CROSSMOUNT", "1")
    }

    /// Pull, lists and referrers.
    pub fn reading(&mut self) -> &mut Self {
        self.set("OCI_TEST_PULL", "1")
            .set("OCI_TEST_CONTENT_DISCOVERY", "1")
    }

    /// Runs it.
    #[track_caller]
    pub fn run(&mut self) -> (Outcome, Counts) {
        let outcome = run(&mut self.command);
        let report = self.reports.join("junit.xml");
        let junit = fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {outcome}"));
        (outcome, counts(&junit))
    }
}

/// Reads the attributes of the one `<testsuite …>`.
#[track_caller]
fn counts(junit: &str) -> Counts {
    let suite = junit
        .split("<testsuite ")
        .nth(1)
        .and_then(|rest| rest.split('>').next());
    let suite = suite.unwrap_or_else(|| panic!("no suite in {junit}"));
    let number = |name: &str| -> u64 {
        let value = suite.split(&format!(" {name}=\"")).nth(1);
        let digits = value.and_then(|rest| rest.split('"').next());
        digits
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {suite}"))
    };
    Counts {
        checks: number("tests"),
        skipped: number("skipped"),
        failed: number("failures") + number("errors"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted() {
        let junit = "<?xml?>\n<testsuites tests=\"9\" failures=\"9\">\n<testsuite name=\"conformance tests\" \
            package=\"/tmp\" tests=\"80\" disabled=\"0\" skipped=\"4\" errors=\"1\" failures=\"2\" time=\"0.7\">";
        let expected = Counts {
            checks: 80,
            skipped: 4,
            failed: 3,
        };
        assert_eq!(counts(junit), expected);
    }
}
