//! crane, from go-containerregistry.

use std::path::Path;
use std::process::Command;

use super::Program;
use crate::process::Outcome;
use crate::{Scratch, run};

/// The program.
pub const PROGRAM: Program = Program::new(
    "crane",
    "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1",
);

/// crane with a configuration folder of its own. Loopback registries are plain HTTP to it without being told.
#[derive(Debug)]
pub struct Crane {
    scratch: Scratch,
}

impl Crane {
    /// Ready to use.
    #[track_caller]
    pub fn new() -> Self {
        PROGRAM.available().unwrap_or_else(|missing| panic!("{missing}"));
        Self {
            scratch: Scratch::new(),
        }
    }

    /// `crane`.
    #[track_caller]
    pub fn crane(&self) -> Command {
        let mut command = PROGRAM.command();
        command
            .env("DOCKER_CONFIG", self.scratch.path())
            .env_remove("REGISTRY_AUTH_FILE");
        command
    }

    /// `crane auth login`.
    #[track_caller]
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Outcome {
        run(self.crane().args([
            "auth",
            "login",
            registry,
            "--username",
            user,
            "--password",
            password,
        ]))
    }

    /// `crane pull` of several images in one of its formats (`oci`: a folder; `tarball`, `legacy`: a file).
    #[track_caller]
    pub fn pull(&self, format: &str, references: &[&str], to: &Path) -> Outcome {
        run(self
            .crane()
            .args(["pull", "--insecure", "--format", format])
            .args(references)
            .arg(to))
    }

    /// `crane push` of a folder or file; `--index` where a layout holds several.
    #[track_caller]
    pub fn push(&self, from: &Path, reference: &str, options: &[&str]) -> Outcome {
        run(self
            .crane()
            .args(["push", "--insecure"])
            .args(options)
            .arg(from)
            .arg(reference))
    }

    /// `crane copy` from registry to registry.
    #[track_caller]
    pub fn copy(&self, from: &str, to: &str) -> Outcome {
        run(self.crane().args(["copy", "--insecure", from, to]))
    }

    /// `crane validate --remote`: fetches everything and checks every digest. Images with BuildKit's attestations
    /// never pass: crane takes the statement for a layer.
    #[track_caller]
    pub fn validate(&self, reference: &str) -> Outcome {
        run(self
            .crane()
            .args(["validate", "--insecure", "--remote", reference]))
    }

    /// `crane digest`.
    #[track_caller]
    pub fn digest(&self, reference: &str) -> String {
        run(self.crane().args(["digest", "--insecure", reference]))
            .ok()
            .trim()
            .to_owned()
    }

    /// `crane ls`.
    #[track_caller]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let out = run(self.crane().args(["ls", "--insecure", repository])).ok();
        out.lines().map(str::to_owned).collect()
    }
}

impl Default for Crane {
    fn default() -> Self {
        Self::new()
    }
}
