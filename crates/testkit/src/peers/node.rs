//! containerd as a node has it: with its CRI plugin, `config_path`, and credentials in `config.toml`; pulled through
//! the socket that kubelet uses. Debian's release, and the newest one as `scripts/peers` builds it.
//!
//! No network plugin and no sandbox: images are pulled and listed, nothing is run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::cri::{Cri, Listed, Refused};
use super::{Program, containerd, text};
use crate::process;
use crate::{Process, Scratch};

/// Which containerd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12's, 1.6.
    Debian,
    /// 2.4, by the puller within CRI, as K3s sets it (`use_local_image_pull`).
    Newest,
    /// 2.4, by the transfer service, its default when no credentials stand in `config.toml`.
    NewestTransfer,
}

impl Release {
    fn program(self) -> Program {
        match self {
            Self::Debian => containerd::PROGRAM,
            Self::Newest | Self::NewestTransfer => containerd::NEWEST,
        }
    }

    /// The plugin whose tables hold `registry`.
    pub fn images_plugin(self) -> &'static str {
        match self {
            Self::Debian => "io.containerd.grpc.v1.cri",
            Self::Newest | Self::NewestTransfer => "io.containerd.cri.v1.images",
        }
    }

    fn version(self) -> u32 {
        match self {
            Self::Debian => 2,
            Self::Newest | Self::NewestTransfer => 3,
        }
    }
}

/// A credential of `config.toml`; empty texts are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// `host[:port]`.
    pub host: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Base64 of `user:password`.
    pub auth: String,
    /// A refresh token.
    pub identity_token: String,
}

/// How the node is set up.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Which containerd.
    pub release: Release,
    /// Where its folder goes: in memory, it is faster.
    pub within: &'a Path,
    /// The file that stands for the system's authorities (PEM).
    pub system_authorities: Option<&'a Path>,
    /// What `config.toml` says about registries.
    pub registry: Registry<'a>,
}

/// The registry sections of `config.toml`.
#[derive(Clone, Copy, Debug)]
pub enum Registry<'a> {
    /// [`Node::certs`] is `config_path`, and these tables follow ([`accounts`]).
    Own(&'a str),
    /// Just this, `config_path` included.
    Given(&'a str),
}

/// A running containerd with CRI.
#[derive(Debug)]
pub struct Node {
    process: Process,
    certs: PathBuf,
    socket: PathBuf,
    scratch: Scratch,
}

impl Node {
    /// Starts it.
    #[track_caller]
    pub fn start(options: &Options<'_>) -> Self {
        let scratch = Scratch::within(options.within);
        let certs = scratch.folder("certs.d");
        let socket = scratch.join("c.sock");
        let config = scratch.write("config.toml", config(options, &scratch, &socket, &certs));
        let mut command = options.release.program().command();
        command.arg("--config").arg(config);
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env_remove(proxy);
        }
        if let Some(path) = options.system_authorities {
            command
                .env("SSL_CERT_FILE", path)
                .env("SSL_CERT_DIR", "/nonexistent");
        }
        let mut process = Process::spawn("containerd", &mut command, &scratch.join("log"));
        // It listens before its CRI plugin is ready to answer.
        let answers = || wait(async { Cri::connect(&socket).await.images().await }).is_ok();
        process.expect_ready(|| process::answers_on(&socket) && answers());
        Self {
            process,
            certs,
            socket,
            scratch,
        }
    }

    /// A connection to its image service.
    pub async fn cri(&self) -> Cri {
        Cri::connect(&self.socket).await
    }

    /// Pulls an image, for those who do one thing after the other.
    ///
    /// # Errors
    /// The runtime's.
    pub fn pull(&self, image: &str) -> Result<String, Refused> {
        wait(async { self.cri().await.pull(image).await })
    }

    /// The images that it has.
    #[track_caller]
    pub fn images(&self) -> Vec<Listed> {
        wait(async { self.cri().await.images().await }).expect("images are listed")
    }

    /// `certs.d`.
    pub fn certs(&self) -> &Path {
        &self.certs
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A folder of the node, for certificates and the like.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The lines of its log that contain this text.
    pub fn log_of(&self, part: &str) -> String {
        let log = fs::read_to_string(self.scratch.join("log")).unwrap_or_default();
        let mut out = String::new();
        for line in log.lines().filter(|line| line.contains(part)) {
            let _ = writeln!(out, "{line}");
        }
        out
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for one call").block_on(future)
}

/// The tables that hold these credentials.
pub fn accounts(release: Release, accounts: &[Account]) -> String {
    let mut out = String::new();
    for account in accounts {
        let plugin = release.images_plugin();
        let _ = writeln!(
            out,
            "[plugins.{plugin:?}.registry.configs.{:?}.auth]",
            account.host
        );
        let Account {
            username,
            password,
            auth,
            identity_token,
            ..
        } = account;
        let fields = [
            ("username", username),
            ("password", password),
            ("auth", auth),
            ("identitytoken", identity_token),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(out, "  {name} = {value:?}");
        }
    }
    out
}

fn config(options: &Options<'_>, scratch: &Scratch, socket: &Path, certs: &Path) -> String {
    let release = options.release;
    let path = |name: &str| text(&scratch.join(name));
    let mut out = format!(
        "version = {version}\nroot = {root:?}\nstate = {state:?}\noom_score = 0\n\
         disabled_plugins = {disabled:?}\n\
         [grpc]\n  address = {socket:?}\n[ttrpc]\n  address = \"{socket}.ttrpc\"\n[debug]\n  level = \"debug\"\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\n  path = {opt:?}\n",
        version = release.version(),
        root = path("root"),
        state = path("state"),
        opt = path("opt"),
        disabled = DISABLED,
        socket = text(socket),
    );
    // One blob at a time, so that requests have an order.
    let plugins = match release {
        Release::Debian => format!(
            "[plugins.\"io.containerd.grpc.v1.cri\"]\n  max_concurrent_downloads = 1\n  \
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\n    bin_dir = {cni:?}\n    conf_dir = {cni:?}\n",
            cni = path("cni")
        ),
        Release::Newest | Release::NewestTransfer => format!(
            "[plugins.\"io.containerd.cri.v1.images\"]\n  max_concurrent_downloads = 1\n  \
             use_local_image_pull = {local}\n\
             [plugins.\"io.containerd.cri.v1.runtime\".cni]\n  bin_dirs = [{cni:?}]\n  conf_dir = {cni:?}\n\
             [plugins.\"io.containerd.transfer.v1.local\"]\n  max_concurrent_downloads = 1\n  \
             config_path = {certs:?}\n\
             [plugins.\"io.containerd.nri.v1.nri\"]\n  disable = true\n",
            local = release == Release::Newest,
            cni = path("cni"),
            certs = text(certs),
        ),
    };
    out += &plugins;
    match options.registry {
        Registry::Given(text) => out += text,
        Registry::Own(tables) => {
            let (images, certs) = (release.images_plugin(), text(certs));
            let _ = writeln!(
                out,
                "[plugins.{images:?}.registry]\n  config_path = {certs:?}\n{tables}"
            );
        }
    }
    out
}

/// What would only warn, take time or reach outside the node's folder.
const DISABLED: [&str; 9] = [
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.restart",
];
