//! containerd, driven with `ctr`: its own root, state and socket; registries by `hosts.toml`. Debian's release, and the
//! newest one as `scripts/peers` builds it.
//!
//! What holds here (containerd 1.6, kernel with cgroup v1, no systemd): the snapshotters `overlayfs` and `native`
//! both work in a folder below `/tmp`; the CRI plugin loads but is switched off to start faster, since `ctr` reads
//! the same `hosts.toml` files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Program, text};
use crate::process::{self, Outcome};
use crate::{Process, Scratch, run};

/// Debian's daemon.
pub const PROGRAM: Program = Program::new("containerd", "apt-get install containerd");
/// Its client.
pub const CTR: Program = Program::new("ctr", "apt-get install containerd");
/// The daemon of the newest release, under a name of its own.
pub const NEWEST: Program = Program::new(
    "containerd-2",
    "GOBIN=/tmp/c go install -tags 'no_btrfs no_devmapper no_zfs' \
     github.com/containerd/containerd/v2/cmd/containerd@v2.4.2 && \
     install /tmp/c/containerd target/peers/bin/containerd-2",
);
/// The newest daemon's client.
pub const NEWEST_CTR: Program = Program::new(
    "ctr-2",
    "GOBIN=/tmp/c go install -tags 'no_btrfs no_devmapper no_zfs' \
     github.com/containerd/containerd/v2/cmd/ctr@v2.4.2 && \
     install /tmp/c/ctr target/peers/bin/ctr-2",
);
/// What runs the containers.
pub const RUNC: Program = Program::new("runc", "apt-get install runc");

/// A running containerd.
#[derive(Debug)]
pub struct Containerd {
    process: Process,
    client: Program,
    hosts: PathBuf,
    socket: PathBuf,
    scratch: Scratch,
}

impl Containerd {
    /// Starts Debian's.
    #[track_caller]
    pub fn start() -> Self {
        Self::launch(PROGRAM, CTR)
    }

    /// Starts the newest release, to pull and unpack. To run containers it would need its own shim: Debian's does not
    /// start for it.
    #[track_caller]
    pub fn start_newest() -> Self {
        Self::launch(NEWEST, NEWEST_CTR)
    }

    #[track_caller]
    fn launch(daemon: Program, client: Program) -> Self {
        RUNC.available().unwrap_or_else(|missing| panic!("{missing}"));
        let scratch = Scratch::new();
        let hosts = scratch.folder("hosts");
        let socket = scratch.join("c.sock");
        let config = scratch.write("config.toml", config(&scratch, &socket));
        let mut command = daemon.command();
        command.arg("--config").arg(config);
        let mut process = Process::spawn("containerd", &mut command, &scratch.join("log"));
        process.expect_ready(|| process::answers_on(&socket));
        Self {
            process,
            client,
            hosts,
            socket,
            scratch,
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The folder of `HOST/hosts.toml` files (`certs.d` on a node).
    pub fn hosts_folder(&self) -> &Path {
        &self.hosts
    }

    /// Sends what is asked of `host` (`docker.io`, `quay.io`, `127.0.0.1:5000`) to the server at `url`.
    pub fn mirror(&self, host: &str, url: &str) {
        let lines = format!("[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
        self.write_hosts(host, &lines);
    }

    /// As [`Self::mirror`], with the authority that the server's certificate is to be checked with (PEM).
    pub fn mirror_tls(&self, host: &str, url: &str, authority: &str) {
        let ca = self
            .scratch
            .write(format!("ca-{}.pem", host.replace(':', "-")), authority);
        let lines = format!(
            "[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n  ca = \"{}\"\n",
            text(&ca)
        );
        self.write_hosts(host, &lines);
    }

    /// Writes a whole `hosts.toml`.
    pub fn write_hosts(&self, host: &str, toml: &str) {
        self.scratch
            .write(Path::new("hosts").join(host).join("hosts.toml"), toml);
    }

    /// `ctr` for this daemon.
    #[track_caller]
    pub fn ctr(&self) -> Command {
        let mut command = self.client.command();
        command.arg("--address").arg(&self.socket);
        command
    }

    /// `ctr images pull`, by the hosts folder; more options before the name (`--all-platforms`, `--user u:p`).
    #[track_caller]
    pub fn pull(&self, reference: &str, options: &[&str]) -> Outcome {
        let mut command = self.ctr();
        command.args(["images", "pull", "--hosts-dir"]).arg(&self.hosts);
        run(command.args(options).arg(reference))
    }

    /// `ctr content fetch`: everything behind a name, unpacking nothing. `ctr images pull --all-platforms` would
    /// also unpack BuildKit's attestations, and fail.
    #[track_caller]
    pub fn fetch(&self, reference: &str, options: &[&str]) -> Outcome {
        let mut command = self.ctr();
        command.args(["content", "fetch", "--hosts-dir"]).arg(&self.hosts);
        run(command.args(options).arg(reference))
    }

    /// `ctr images import`; `--all-platforms` and the like in `options`.
    #[track_caller]
    pub fn import(&self, archive: &Path, options: &[&str]) -> Outcome {
        run(self.ctr().args(["images", "import"]).args(options).arg(archive))
    }

    /// The names of the images that it has.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let out = run(self.ctr().args(["images", "list", "--quiet"])).ok();
        out.lines().map(str::to_owned).collect()
    }

    /// The digest of what a name points at.
    #[track_caller]
    pub fn image_digest(&self, reference: &str) -> Option<String> {
        let out = run(self
            .ctr()
            .args(["images", "list"])
            .arg(format!("name=={reference}")))
        .ok();
        let line = out.lines().nth(1)?;
        line.split_whitespace()
            .find(|word| word.starts_with("sha256:"))
            .map(str::to_owned)
    }

    /// Runs a container of an image to its end and returns what it printed.
    #[track_caller]
    pub fn run(&self, reference: &str, name: &str) -> Outcome {
        self.run_with(reference, name, &[])
    }

    /// As [`Self::run`], with arguments that replace the image's own.
    #[track_caller]
    pub fn run_with(&self, reference: &str, name: &str, arguments: &[&str]) -> Outcome {
        // runc keeps all containers of a machine in one folder, by name, whatever containerd they belong to.
        let folder = self.scratch.path().file_name().unwrap_or_default();
        let name = format!("{}-{name}", folder.to_string_lossy());
        // Into a file: `ctr` sometimes loses the output of a container that ends before it listens.
        let log = self.scratch.write(format!("{name}.log"), "");
        let mut command = self.ctr();
        command.args(["run", "--rm", "--log-uri", &format!("file://{}", text(&log))]);
        let mut outcome = run(command.args([reference, &name]).args(arguments));
        outcome.stdout = fs::read_to_string(&log).unwrap_or_default();
        outcome
    }
}

fn config(scratch: &Scratch, socket: &Path) -> String {
    // What is left out would only warn or take time: other snapshotters, CRI, tracing. 2.4 reads version 2 too.
    let disabled = [
        "io.containerd.grpc.v1.cri",
        "io.containerd.cri.v1.images",
        "io.containerd.cri.v1.runtime",
        "io.containerd.nri.v1.nri",
        "io.containerd.snapshotter.v1.aufs",
        "io.containerd.snapshotter.v1.blockfile",
        "io.containerd.snapshotter.v1.btrfs",
        "io.containerd.snapshotter.v1.devmapper",
        "io.containerd.snapshotter.v1.erofs",
        "io.containerd.snapshotter.v1.zfs",
        "io.containerd.internal.v1.opt",
        "io.containerd.internal.v1.tracing",
        "io.containerd.tracing.processor.v1.otlp",
    ];
    format!(
        "version = 2\nroot = \"{root}\"\nstate = \"{state}\"\noom_score = 0\ndisabled_plugins = {disabled:?}\n\
         [grpc]\n  address = \"{socket}\"\n[ttrpc]\n  address = \"{socket}.ttrpc\"\n[debug]\n  level = \"warn\"\n",
        root = text(&scratch.join("root")),
        state = text(&scratch.join("state")),
        socket = text(socket),
    )
}
