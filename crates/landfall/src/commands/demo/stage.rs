//! Where the demo plays: a folder, servers that are ended with it, and commands that are shown before they run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

const READY_WITHIN: Duration = Duration::from_secs(20);
/// Enough for a registry that lives a minute.
const BCRYPT_COST: u32 = 6;
/// What `serve` prints once it listens; the address follows.
pub(crate) const LISTENING: &str = "listening on ";

pub(crate) struct Stage {
    folder: PathBuf,
    program: PathBuf,
    servers: BTreeMap<&'static str, Child>,
    notes: BTreeMap<&'static str, String>,
}

impl Stage {
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe();
        let program = program
            .map_err(|error| Failure::new(Exit::Local, format!("cannot find this program: {error}")))?;
        let folder = folder
            .canonicalize()
            .map_err(|error| Failure::local("open", folder, &error))?;
        let stage = Self {
            folder,
            program,
            servers: BTreeMap::new(),
            notes: BTreeMap::new(),
        };
        stage.say(&format!("$ cd {}", stage.folder.display()));
        Ok(stage)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.notes.insert(name, value);
    }

    pub(crate) fn get(&self, name: &'static str) -> String {
        self.notes.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn say(&self, text: &str) {
        out::result(&format!("{text}\n"));
    }

    pub(crate) fn heading(&self, text: &str) {
        self.say(&format!("\n== {text}"));
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), Failure> {
        let path = self.path(name);
        fs::write(&path, content).map_err(|error| Failure::local("write", &path, &error))
    }

    /// A password made now, in the file `password`, and its hash in the file `users`.
    pub(crate) fn password(&self, user: &str) -> Result<String, Failure> {
        let mut random = [0; 12];
        let failed = |error: String| Failure::new(Exit::Local, format!("cannot make a password: {error}"));
        getrandom::fill(&mut random).map_err(|error| failed(error.to_string()))?;
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = bcrypt::hash(&password, BCRYPT_COST).map_err(|error| failed(error.to_string()))?;
        self.write("users", &format!("{user}:{hash}\n"))?;
        self.write("password", &password)?;
        self.say(&format!(
            "(a password for {user} was made: its bcrypt hash is in users, as `htpasswd -B` writes it)"
        ));
        Ok(password)
    }

    /// Runs a Landfall command to its end; anything but success ends the demo.
    pub(crate) fn landfall(&self, args: &[&str]) -> Result<(), Failure> {
        self.landfall_with(args, None)
    }

    /// The same with a file as its standard input.
    pub(crate) fn landfall_with(&self, args: &[&str], input: Option<&str>) -> Result<(), Failure> {
        let redirect = input.map(|input| format!(" < {input}")).unwrap_or_default();
        self.say(&format!("\n$ landfall {}{redirect}", args.join(" ")));
        let mut command = self.command(args);
        if let Some(input) = input {
            let path = self.path(input);
            command.stdin(File::open(&path).map_err(|error| Failure::local("open", &path, &error))?);
        }
        let status = command
            .status()
            .map_err(|error| Failure::local("run", &self.program, &error))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(
                Exit::Partial,
                format!(
                    "the demo stops: `landfall {}` ended with {status}",
                    args.join(" ")
                ),
            )),
        }
    }

    /// Starts a server on a free port of the loopback address and waits until it listens; returns its address.
    pub(crate) fn serve(&mut self, name: &'static str, args: &[&str]) -> Result<String, Failure> {
        self.say(&format!("\n$ landfall {} --listen 127.0.0.1:0 &", args.join(" ")));
        let mut command = self.command(args);
        command
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let log = self.path(&format!("{name}.log"));
        let file = File::create(&log).map_err(|error| Failure::local("create", &log, &error))?;
        let mut child = command
            .stderr(file)
            .spawn()
            .map_err(|error| Failure::local("run", &self.program, &error))?;
        let stdout = child.stdout.take();
        self.servers.insert(name, child);
        let address = stdout.and_then(first_address);
        let Some(url) = address else {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(Failure::new(
                Exit::Local,
                format!("the server did not start: {}", said.trim()),
            ));
        };
        self.say(&format!("{LISTENING}{url}"));
        Ok(url
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .to_owned())
    }

    /// Ends one server, politely, by its pid.
    pub(crate) fn stop(&mut self, name: &'static str) {
        if let Some(child) = self.servers.remove(name) {
            end(child);
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // The demo's own registries must not see what stands in the user's credential files.
        command
            .args(args)
            .current_dir(&self.folder)
            .env("DOCKER_CONFIG", &self.folder)
            .env_remove("REGISTRY_AUTH_FILE");
        command
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (_, child) in std::mem::take(&mut self.servers) {
            end(child);
        }
    }
}

fn first_address(stdout: std::process::ChildStdout) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    lines.find_map(|line| {
        line.ok()?
            .split_once(LISTENING)
            .map(|(_, url)| url.trim().to_owned())
    })
}

/// SIGTERM, and SIGKILL when that does not help.
pub(crate) fn end(mut child: Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
