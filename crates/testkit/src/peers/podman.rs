//! Debian's podman, rootful, on a storage of its own.
//!
//! What holds here (podman 4.3, runc, no systemd): the `vfs` driver (overlay works too, and needs unmounting);
//! `--cgroup-manager cgroupfs` and `--events-backend file` because there is no systemd; limits must be given with
//! `--ulimit`, else runc asks for more open files than this machine allows.

use std::path::Path;
use std::process::Command;

use super::{Program, text};
use crate::process::Outcome;
use crate::{Scratch, run};

/// The program.
pub const PROGRAM: Program = Program::new("podman", "apt-get install podman");

/// Podman with a storage of its own.
#[derive(Debug)]
pub struct Podman {
    scratch: Scratch,
}

impl Podman {
    /// An empty storage.
    #[track_caller]
    pub fn new() -> Self {
        PROGRAM.available().unwrap_or_else(|missing| panic!("{missing}"));
        let scratch = Scratch::new();
        scratch.write("policy.json", super::skopeo::POLICY);
        scratch.write("auth.json", "{}");
        scratch.write("registries.conf", "unqualified-search-registries = []\n");
        Self { scratch }
    }

    /// `podman` for this storage.
    #[track_caller]
    pub fn podman(&self) -> Command {
        let mut command = PROGRAM.command();
        command
            .args([
                "--storage-driver",
                "vfs",
                "--cgroup-manager",
                "cgroupfs",
                "--events-backend",
                "file",
            ])
            .arg("--root")
            .arg(self.scratch.join("root"))
            .arg("--runroot")
            .arg(self.scratch.join("run"))
            .arg("--tmpdir")
            .arg(self.scratch.join("tmp"))
            .env("CONTAINERS_REGISTRIES_CONF", self.scratch.join("registries.conf"))
            .env("REGISTRY_AUTH_FILE", self.scratch.join("auth.json"));
        command
    }

    fn policy(&self) -> String {
        text(&self.scratch.join("policy.json"))
    }

    /// `podman login`.
    #[track_caller]
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Outcome {
        let account = ["--username", user, "--password", password];
        run(self
            .podman()
            .args(["login", "--tls-verify=false"])
            .args(account)
            .arg(registry))
    }

    /// `podman pull`, without a check of the certificate.
    #[track_caller]
    pub fn pull(&self, reference: &str) -> Outcome {
        let policy = self.policy();
        let options = [
            "pull",
            "--quiet",
            "--tls-verify=false",
            "--signature-policy",
            &policy,
        ];
        run(self.podman().args(options).arg(reference))
    }

    /// `podman load`.
    #[track_caller]
    pub fn load(&self, archive: &Path) -> Outcome {
        let policy = self.policy();
        run(self
            .podman()
            .args(["load", "--quiet", "--signature-policy", &policy, "--input"])
            .arg(archive))
    }

    /// `podman save` in one of its formats (`docker-archive`, `oci-archive`).
    #[track_caller]
    pub fn save(&self, format: &str, references: &[&str], archive: &Path) -> Outcome {
        let mut command = self.podman();
        command.args(["save", "--quiet", "--format", format]);
        if references.len() > 1 {
            command.arg("--multi-image-archive");
        }
        run(command.arg("--output").arg(archive).args(references))
    }

    /// `podman push` to another name.
    #[track_caller]
    pub fn push(&self, reference: &str, target: &str) -> Outcome {
        let policy = self.policy();
        let options = [
            "push",
            "--quiet",
            "--tls-verify=false",
            "--signature-policy",
            &policy,
        ];
        run(self.podman().args(options).args([reference, target]))
    }

    /// The names of the images that it has.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let out = run(self
            .podman()
            .args(["images", "--format", "{{.Repository}}:{{.Tag}}"]))
        .ok();
        out.lines().map(str::to_owned).collect()
    }

    /// Runs a container of an image to its end and returns what it printed.
    #[track_caller]
    pub fn run(&self, reference: &str) -> Outcome {
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        run(self
            .podman()
            .args(["run", "--rm", "--network", "none"])
            .args(limits)
            .arg(reference))
    }
}

impl Default for Podman {
    fn default() -> Self {
        Self::new()
    }
}
