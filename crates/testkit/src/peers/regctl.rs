//! regctl, from regclient.

use std::process::Command;

use super::Program;
use crate::process::Outcome;
use crate::{Scratch, run};

/// The program.
pub const PROGRAM: Program = Program::new(
    "regctl",
    "go install github.com/regclient/regclient/cmd/regctl@v0.11.7",
);

/// regctl with a configuration of its own; it must be told of every registry that has no TLS.
#[derive(Debug)]
pub struct Regctl {
    scratch: Scratch,
}

impl Regctl {
    /// Ready to use.
    #[track_caller]
    pub fn new() -> Self {
        PROGRAM.available().unwrap_or_else(|missing| panic!("{missing}"));
        Self {
            scratch: Scratch::new(),
        }
    }

    /// `regctl`.
    #[track_caller]
    pub fn regctl(&self) -> Command {
        let mut command = PROGRAM.command();
        command
            .env("REGCTL_CONFIG", self.scratch.join("regctl.json"))
            .env("DOCKER_CONFIG", self.scratch.path());
        command
    }

    /// `regctl registry set --tls disabled` (plain HTTP) or `insecure` (no check of the certificate).
    #[track_caller]
    pub fn set_tls(&self, registry: &str, mode: &str) {
        // Once it has noted that, it asks the registry, and fails where a login is needed first.
        run(self.regctl().args(["registry", "set", registry, "--tls", mode]));
    }

    /// `regctl registry login`.
    #[track_caller]
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Outcome {
        run(self
            .regctl()
            .args(["registry", "login", registry, "--user", user, "--pass", password]))
    }

    /// `regctl image copy`; a folder is `ocidir://PATH:TAG`.
    #[track_caller]
    pub fn copy(&self, from: &str, to: &str) -> Outcome {
        run(self.regctl().args(["image", "copy", from, to]))
    }

    /// `regctl image export` to a tar (an OCI layout with Docker's manifest.json).
    #[track_caller]
    pub fn export(&self, reference: &str, archive: &str) -> Outcome {
        run(self.regctl().args(["image", "export", reference, archive]))
    }

    /// `regctl image import` of a tar.
    #[track_caller]
    pub fn import(&self, reference: &str, archive: &str) -> Outcome {
        run(self.regctl().args(["image", "import", reference, archive]))
    }

    /// `regctl manifest get --format raw-body`.
    #[track_caller]
    pub fn raw_manifest(&self, reference: &str) -> Outcome {
        run(self
            .regctl()
            .args(["manifest", "get", "--format", "raw-body", reference]))
    }
}

impl Default for Regctl {
    fn default() -> Self {
        Self::new()
    }
}
