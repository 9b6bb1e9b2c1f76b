//! The demo's last step: a real containerd of its own pulls from the private registry and runs a container.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stage::{Stage, end};
use crate::exit::Exit;
use crate::failure::Failure;

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Pulls and runs Landfall's own image with containerd, where there is one and we may start it.
pub(crate) fn run(stage: &mut Stage, user: &str, password: &str) -> Result<(), Failure> {
    stage.heading("A node: containerd pulls from the private registry and runs a container");
    let missing = ["containerd", "ctr", "runc"]
        .into_iter()
        .find(|program| !is_on_path(program));
    if !rustix::process::geteuid().is_root() {
        stage.say("Skipped: it takes root to start a containerd.");
        return Ok(());
    }
    if let Some(missing) = missing {
        stage.say(&format!(
            "Skipped: there is no {missing} on this machine (apt-get install containerd runc)."
        ));
        return Ok(());
    }
    let node = Node::start(stage)?;
    let registry = stage.get("private");
    let image = format!("{registry}/landfall/landfall:demo");
    // What a node's certs.d would hold: without it, containerd talks plain HTTP to loopback addresses.
    let hosts = format!(
        "[host.\"https://{registry}\"]\n  ca = \"{}\"\n",
        stage.path("tls/ca.crt").display()
    );
    stage.say(&format!("hosts/{registry}/hosts.toml:\n{hosts}"));
    let folder = stage.path(&format!("hosts/{registry}"));
    fs::create_dir_all(&folder).map_err(|error| Failure::local("create", &folder, &error))?;
    stage.write(&format!("hosts/{registry}/hosts.toml"), &hosts)?;
    let hosts_dir = stage.path("hosts").to_string_lossy().into_owned();
    let user = format!("{user}:{password}");
    let pull = [
        "images",
        "pull",
        "--hosts-dir",
        &hosts_dir,
        "--user",
        &user,
        &image,
    ]
    .map(str::to_owned);
    node.ctr(stage, &pull, &password_hidden(&pull, password))?;
    // runc keeps all containers of a machine in one folder, by name, whatever containerd they belong to.
    let container = format!("landfall-demo-{}", std::process::id());
    let run = [
        "run",
        "--rm",
        &image,
        &container,
        crate::own_files::PROGRAM,
        "--version",
    ]
    .map(str::to_owned);
    if let Err(failure) = node.ctr(stage, &run, &run) {
        // Pulling is our part; whether this machine lets anybody start containers is not.
        stage.say(&format!(
            "The image is on the node, but this machine does not run containers: {failure}"
        ));
    }
    Ok(())
}

fn password_hidden(args: &[String], password: &str) -> Vec<String> {
    args.iter()
        .map(|arg| arg.replace(password, "$(cat password)"))
        .collect()
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A containerd with its own root, state and socket; ended with this value.
struct Node {
    child: Option<Child>,
    socket: String,
}

impl Node {
    fn start(stage: &Stage) -> Result<Self, Failure> {
        let socket = stage.path("c.sock").to_string_lossy().into_owned();
        let (root, state) = (stage.path("containerd"), stage.path("containerd-state"));
        let config = format!(
            "version = 2\nroot = {root:?}\nstate = {state:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n\
             [grpc]\n  address = {socket:?}\n"
        );
        stage.write("containerd.toml", &config)?;
        stage.say("\n$ containerd -c containerd.toml &");
        let log = stage.path("containerd.log");
        let file = File::create(&log).map_err(|error| Failure::local("create", &log, &error))?;
        let child = Command::new("containerd")
            .arg("-c")
            .arg(stage.path("containerd.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|error| Failure::local("run", Path::new("containerd"), &error))?;
        let node = Self {
            child: Some(child),
            socket,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while UnixStream::connect(&node.socket).is_err() {
            if Instant::now() > deadline {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default().to_owned();
                return Err(Failure::new(
                    Exit::Local,
                    format!("containerd did not start: {last}"),
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(node)
    }

    fn ctr(&self, stage: &Stage, args: &[String], shown: &[String]) -> Result<(), Failure> {
        stage.say(&format!("\n$ ctr -a c.sock {}", shown.join(" ")));
        let output = Command::new("ctr")
            .args(["-a", &self.socket])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::local("run", Path::new("ctr"), &error))?;
        // ctr redraws its progress all the time; its last line says it all.
        let out = String::from_utf8_lossy(&output.stdout);
        stage.say(out.trim_end().lines().last().unwrap_or_default());
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(Failure::new(
                    Exit::Partial,
                    format!("the demo stops: ctr ended with {}: {said}", output.status),
                ))
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
    }
}
