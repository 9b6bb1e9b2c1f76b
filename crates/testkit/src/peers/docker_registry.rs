//! Debian's docker-registry (distribution 2.8): over a folder, on a loopback port, with a password or TLS on demand.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Program, text};
use crate::{Identity, Process, Scratch, Workload, free_port, htpasswd, process};

/// The program.
pub const PROGRAM: Program = Program::new("docker-registry", "apt-get install docker-registry");
/// How often another port is tried when somebody else was quicker.
const ATTEMPTS: usize = 3;

/// How the registry is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// User and password.
    pub account: Option<(String, String)>,
    /// HTTPS with this identity.
    pub tls: Option<Identity>,
    /// Where it keeps its content; a folder of its own when not given.
    pub root: Option<PathBuf>,
    /// Manifests may name layers by urls, which it refuses (500) unless it is configured for them.
    pub takes_urls: bool,
}

/// A running docker-registry.
#[derive(Debug)]
pub struct DockerRegistry {
    process: Process,
    port: u16,
    root: PathBuf,
    scheme: &'static str,
    _scratch: Scratch,
}

impl DockerRegistry {
    /// An empty one.
    #[track_caller]
    pub fn empty() -> Self {
        Self::start(&Options::default())
    }

    /// An empty one that takes manifests with urls.
    #[track_caller]
    pub fn that_takes_urls() -> Self {
        Self::start(&Options {
            takes_urls: true,
            ..Options::default()
        })
    }

    /// One that holds a workload from the start.
    #[track_caller]
    pub fn with(workload: &Workload) -> Self {
        Self::start_with(&Options::default(), workload)
    }

    /// One that holds a workload from the start.
    #[track_caller]
    pub fn start_with(options: &Options, workload: &Workload) -> Self {
        let scratch = Scratch::new();
        let root = options.root.clone().unwrap_or_else(|| scratch.folder("data"));
        workload.write_registry_storage(&root);
        Self::launch(options, scratch, root)
    }

    /// Starts it.
    #[track_caller]
    pub fn start(options: &Options) -> Self {
        let scratch = Scratch::new();
        let root = options.root.clone().unwrap_or_else(|| scratch.folder("data"));
        Self::launch(options, scratch, root)
    }

    #[track_caller]
    fn launch(options: &Options, scratch: Scratch, root: PathBuf) -> Self {
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let config = scratch.write("config.yml", config(options, &scratch, &root, port));
            let mut command = PROGRAM.command();
            command
                .arg("serve")
                .arg(config)
                .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
            let mut process = Process::spawn("docker-registry", &mut command, &scratch.join("log"));
            if process.wait_until(|| process::answers(port)) {
                return Self {
                    process,
                    port,
                    root,
                    scheme: if options.tls.is_some() { "https" } else { "http" },
                    _scratch: scratch,
                };
            }
            eprintln!(
                "docker-registry did not start on port {port}:\n{}",
                process.log_tail()
            );
        }
        panic!("docker-registry did not start in {ATTEMPTS} attempts");
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT` or `https://…`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// The folder with its content.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it complained about.
    pub fn log(&self) -> String {
        self.process.log_tail()
    }

    /// The bytes behind a tag, straight from the folder; `None` when the tag is not there.
    pub fn stored_manifest(&self, repository: &str, tag: &str) -> Option<Vec<u8>> {
        let base = self.root.join("docker/registry/v2");
        let link = base
            .join("repositories")
            .join(repository)
            .join("_manifests/tags")
            .join(tag);
        let digest = fs::read_to_string(link.join("current/link")).ok()?;
        let hex = digest.strip_prefix("sha256:")?;
        fs::read(
            base.join("blobs/sha256")
                .join(hex.get(..2)?)
                .join(hex)
                .join("data"),
        )
        .ok()
    }
}

fn config(options: &Options, scratch: &Scratch, root: &Path, port: u16) -> String {
    let mut out = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage:\n  filesystem: {{rootdirectory: {}, maxthreads: 100}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        text(root)
    );
    if let Some(identity) = &options.tls {
        let (certificate, key) = identity.write(scratch.path(), "server");
        out += &format!(
            "  tls: {{certificate: {}, key: {}}}\n",
            text(&certificate),
            text(&key)
        );
    }
    if options.takes_urls {
        out += "validation:\n  manifests:\n    urls: {allow: [\"^http://127[.]0[.]0[.]1:\"]}\n";
    }
    if let Some((user, password)) = &options.account {
        let path = scratch.write("htpasswd", htpasswd::line(user, password));
        out += &format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", text(&path));
    }
    out
}
