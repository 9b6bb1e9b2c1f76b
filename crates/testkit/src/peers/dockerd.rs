//! Debian's Docker daemon on a containerd of its own, without a network of its own: it pulls, saves, loads, runs.
//!
//! What holds here (docker.io 20.10): `overlay2` works below `/tmp` on ext4; loopback registries need no
//! `--insecure-registry`; containers run with `--network none`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Containerd, Program};
use crate::process::{self, Outcome};
use crate::{Process, Scratch, run};

/// The daemon.
pub const PROGRAM: Program = Program::new("dockerd", "apt-get install docker.io");
/// Its client.
pub const DOCKER: Program = Program::new("docker", "apt-get install docker.io");

/// A running dockerd. Fields end in this order: the daemon, its containerd, its folder.
#[derive(Debug)]
pub struct Dockerd {
    process: Process,
    containerd: Containerd,
    socket: PathBuf,
    scratch: Scratch,
}

impl Dockerd {
    /// Starts it.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more options (`--insecure-registry`, `--registry-mirror`).
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        let containerd = Containerd::start();
        let scratch = Scratch::new();
        let socket = scratch.join("docker.sock");
        let mut command = PROGRAM.command();
        command
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--bridge=none",
                "--log-level=warn",
            ])
            .arg("--containerd")
            .arg(containerd.socket())
            .arg("--data-root")
            .arg(scratch.join("data"))
            .arg("--exec-root")
            .arg(scratch.join("exec"))
            .arg("--pidfile")
            .arg(scratch.join("pid"))
            // The machine's own configuration is not ours.
            .arg("--config-file")
            .arg(scratch.write("daemon.json", "{}"))
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .args(options);
        let mut process = Process::spawn("dockerd", &mut command, &scratch.join("log"));
        process.expect_ready(|| process::answers_on(&socket));
        Self {
            process,
            containerd,
            socket,
            scratch,
        }
    }

    /// The process ids of the daemon and of its containerd.
    pub fn ids(&self) -> [u32; 2] {
        [self.process.id(), self.containerd.id()]
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `docker` for this daemon, with a configuration folder of its own.
    #[track_caller]
    pub fn docker(&self) -> Command {
        let mut command = DOCKER.command();
        command
            .arg("--host")
            .arg(format!("unix://{}", self.socket.display()));
        command
            .env("DOCKER_CONFIG", self.scratch.folder("config"))
            .env_remove("DOCKER_HOST");
        command
    }

    /// `docker login`.
    #[track_caller]
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Outcome {
        run(self
            .docker()
            .args(["login", "--username", user, "--password", password, registry]))
    }

    /// `docker pull`.
    #[track_caller]
    pub fn pull(&self, reference: &str) -> Outcome {
        run(self.docker().args(["pull", "--quiet", reference]))
    }

    /// `docker push`.
    #[track_caller]
    pub fn push(&self, reference: &str) -> Outcome {
        run(self.docker().args(["push", "--quiet", reference]))
    }

    /// `docker tag`.
    #[track_caller]
    pub fn tag(&self, from: &str, to: &str) -> Outcome {
        run(self.docker().args(["tag", from, to]))
    }

    /// `docker save`.
    #[track_caller]
    pub fn save(&self, references: &[&str], archive: &Path) -> Outcome {
        run(self
            .docker()
            .args(["save", "--output"])
            .arg(archive)
            .args(references))
    }

    /// `docker load`.
    #[track_caller]
    pub fn load(&self, archive: &Path) -> Outcome {
        run(self.docker().args(["load", "--input"]).arg(archive))
    }

    /// `docker rmi`.
    #[track_caller]
    pub fn remove(&self, reference: &str) -> Outcome {
        run(self.docker().args(["rmi", "--force", reference]))
    }

    /// The names of the images that it has.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let out = run(self
            .docker()
            .args(["images", "--format", "{{.Repository}}:{{.Tag}}"]))
        .ok();
        out.lines().map(str::to_owned).collect()
    }

    /// Runs a container of an image to its end and returns what it printed.
    #[track_caller]
    pub fn run(&self, reference: &str) -> Outcome {
        run(self
            .docker()
            .args(["run", "--rm", "--network", "none", reference]))
    }
}
