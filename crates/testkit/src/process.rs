//! Programs as children of a test: started in a folder of their own, waited for, ended by their own pid.
//!
//! A [`Process`] is a daemon; [`run`] is a command that ends by itself. Both have a time limit, and both show what
//! the program wrote when something goes wrong.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a daemon may take to answer.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to end after SIGTERM before SIGKILL follows.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long a command may run.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// How much of a log is shown.
const LOG_TAIL: u64 = 8 * 1024;
const POLL: Duration = Duration::from_millis(10);

/// A port on 127.0.0.1 that was free a moment ago, for programs that cannot bind port 0 and tell.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Whether something listens on this loopback port.
pub fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether something listens on this unix socket.
pub fn answers_on(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// A running daemon. Dropping it ends it: SIGTERM, then SIGKILL.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    #[track_caller]
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Self {
        let out = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let err = out.try_clone().expect("a file handle can be doubled");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        Self {
            name: name.to_owned(),
            child: Some(child),
            log: log.to_owned(),
        }
    }

    /// Waits until `ready` says yes; `false` when the program ended first.
    #[track_caller]
    pub fn wait_until(&mut self, ready: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.has_ended() {
                return false;
            }
            if ready() {
                return true;
            }
            if Instant::now() > deadline {
                let log = self.log_tail();
                panic!(
                    "{} did not answer within {START_LIMIT:?}; its log:\n{log}",
                    self.name
                );
            }
            thread::sleep(POLL);
        }
    }

    /// As [`Self::wait_until`], but a program that ends is a failure.
    #[track_caller]
    pub fn expect_ready(&mut self, ready: impl Fn() -> bool) {
        if !self.wait_until(ready) {
            panic!("{} ended at once; its log:\n{}", self.name, self.log_tail());
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Whether the program has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => true,
        }
    }

    /// The end of what the program printed.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Ends the program at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the program to end (SIGTERM), insists after ten seconds (SIGKILL). Its status where it had one.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        terminate(&child);
        let status = wait_for(&mut child, END_LIMIT);
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of {}:\n{}---", self.name, self.log_tail());
        }
        self.stop();
    }
}

/// What a command that has ended left.
#[derive(Debug)]
pub struct Outcome {
    /// The command, as a person would type it.
    pub command: String,
    /// How it ended; `None` when it was stopped at the time limit.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Outcome {
    /// Whether it ended with 0.
    pub fn is_ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The exit code, where it ended by itself.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// Fails the test unless the command succeeded; what it printed otherwise.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.is_ok(), "{self}");
        self.stdout
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            stdout,
            stderr,
            elapsed,
            ..
        } = self;
        match self.status {
            Some(status) => writeln!(f, "`{command}`: {status} after {elapsed:?}")?,
            None => writeln!(f, "`{command}`: stopped after {elapsed:?}")?,
        }
        write!(f, "--- stdout:\n{stdout}--- stderr:\n{stderr}---")
    }
}

/// Runs a command to its end, at most two minutes.
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    run_within(command, RUN_LIMIT)
}

/// Runs a command to its end or to the limit, whichever comes first.
#[track_caller]
pub fn run_within(command: &mut Command, limit: Duration) -> Outcome {
    let typed = typed(command);
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{typed}`: {error}"));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait_for(&mut child, limit);
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Outcome {
        command: typed,
        status,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
        elapsed: started.elapsed(),
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait_for(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(POLL);
    }
}

fn terminate(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let len = fs::metadata(path)?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_or_else(
        |error| format!("({}: {error})\n", path.display()),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_command_is_limited_in_time_and_keeps_its_words() {
        let outcome = run(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 3"]));
        assert_eq!(
            (outcome.code(), outcome.stdout.as_str(), outcome.stderr.as_str()),
            (Some(3), "a\n", "b\n")
        );
        let outcome = run_within(Command::new("sleep").arg("60"), Duration::from_millis(50));
        assert!(outcome.status.is_none() && !outcome.is_ok());
    }

    #[test]
    fn a_daemon_ends_with_its_handle() {
        let scratch = Scratch::new();
        let mut process = Process::spawn("sleep", Command::new("sleep").arg("60"), &scratch.join("log"));
        let folder = PathBuf::from(format!("/proc/{}", process.id()));
        process.expect_ready(|| true);
        assert!(folder.exists());
        drop(process);
        assert!(!folder.exists());
    }

    #[test]
    fn a_deaf_daemon_is_killed() {
        let scratch = Scratch::new();
        let mut process = Process::spawn(
            "deaf",
            Command::new("sh").args(["-c", "echo here; sleep 0.01; false"]),
            &scratch.join("log"),
        );
        assert!(!process.wait_until(|| false));
        assert_eq!(process.log_tail(), "here\n");
    }
}
