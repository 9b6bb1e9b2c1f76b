//! Where log lines go: what happens to standard error, requests and changes to files of their own when asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use crate::failure::Failure;

/// Lines that may wait for the disk before requests do.
const WAITING_LINES: usize = 8192;
/// What is written as lines of its own.
const TARGETS: [&str; 2] = ["landfall::access", "landfall::audit"];

/// The logs that can be turned on after the start.
pub(crate) struct Logs {
    /// By [`TARGETS`].
    outlets: [Outlet; 2],
}

/// A log that is off until it has a file.
struct Outlet {
    target: &'static str,
    filter: reload::Handle<Targets, Registry>,
    writer: Arc<OnceLock<NonBlocking>>,
    reopen: Arc<AtomicBool>,
    guard: OnceLock<WorkerGuard>,
}

/// Sets up logging for the whole program: to standard error by `-v` or `LANDFALL_LOG`.
pub(crate) fn start(verbose: u8) -> Logs {
    let level = match verbose {
        0 => "warn",
        1 => "landfall=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("LANDFALL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let (access, access_layer) = outlet(TARGETS[0]);
    let (audit, audit_layer) = outlet(TARGETS[1]);
    let terminal = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_filter(filter);
    tracing_subscriber::registry()
        .with(vec![access_layer, audit_layer])
        .with(terminal)
        .init();
    Logs {
        outlets: [access, audit],
    }
}

fn outlet(target: &'static str) -> (Outlet, Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>) {
    let off = Targets::new().with_default(LevelFilter::OFF);
    let (filter, handle) = reload::Layer::new(off);
    let writer = Arc::new(OnceLock::new());
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(Behind(Arc::clone(&writer)))
        .with_filter(filter)
        .boxed();
    let outlet = Outlet {
        target,
        filter: handle,
        writer,
        reopen: Arc::default(),
        guard: OnceLock::new(),
    };
    (outlet, layer)
}

impl Logs {
    /// Writes a line for each request into this file; `-` is standard error.
    pub(crate) fn write_access(&self, path: &Path) -> Result<(), Failure> {
        self.outlets[0].open(path)
    }

    /// Writes a line for each change into this file; `-` is standard error.
    pub(crate) fn write_audit(&self, path: &Path) -> Result<(), Failure> {
        self.outlets[1].open(path)
    }

    /// Logs that write nothing, beside whatever subscriber there is.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self {
            outlets: TARGETS.map(|target| outlet(target).0),
        }
    }

    /// Opens the files anew, for whoever has moved them away (logrotate).
    pub(crate) fn reopen(&self) {
        for outlet in &self.outlets {
            outlet.reopen.store(true, Ordering::Release);
        }
    }
}

impl Outlet {
    fn open(&self, path: &Path) -> Result<(), Failure> {
        let sink: Box<dyn Write + Send> = match path.as_os_str() == "-" {
            true => Box::new(io::stderr()),
            false => Box::new(LogFile::open(path, Arc::clone(&self.reopen))?),
        };
        // No line is lost: where the disk is slower than the requests, they wait for it.
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(WAITING_LINES)
            .thread_name("log")
            .finish(sink);
        let _ = self.writer.set(writer);
        let _ = self.guard.set(guard);
        let on = Targets::new().with_target(self.target, LevelFilter::INFO);
        let turned = self.filter.reload(on);
        turned.map_err(|error| Failure::new(crate::exit::Exit::Local, error.to_string()))
    }
}

/// Lines for a writer that comes later.
struct Behind(Arc<OnceLock<NonBlocking>>);

impl<'a> MakeWriter<'a> for Behind {
    type Writer = Box<dyn Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match self.0.get() {
            Some(writer) => Box::new(writer.clone()),
            None => Box::new(io::sink()),
        }
    }
}

/// A file that is opened anew when that is asked for.
struct LogFile {
    path: PathBuf,
    file: File,
    reopen: Arc<AtomicBool>,
    failing: bool,
}

impl LogFile {
    fn open(path: &Path, reopen: Arc<AtomicBool>) -> Result<Self, Failure> {
        let file = append(path).map_err(|error| Failure::local("write", path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            reopen,
            failing: false,
        })
    }

    /// Opens the file anew, if that was asked for and not done yet.
    fn reopen(&mut self) -> io::Result<()> {
        if self.reopen.swap(false, Ordering::AcqRel) {
            let opened = append(&self.path).inspect_err(|_| self.reopen.store(true, Ordering::Release));
            self.file = opened?;
        }
        Ok(())
    }

    /// Says on standard error what is wrong: once, not for each line that is lost.
    fn complain(&mut self, error: Option<&io::Error>) {
        let failed_before = std::mem::replace(&mut self.failing, error.is_some());
        if let Some(error) = error.filter(|_| !failed_before) {
            let path = self.path.display();
            tracing::error!(target: "landfall::log", %path, %error,
                "this log cannot be written or opened anew; trying again with each line");
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let reopened = self.reopen();
        let written = self.file.write(bytes);
        self.complain(reopened.as_ref().err().or(written.as_ref().err()));
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What is said meanwhile, as on standard error.
    fn said(work: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Heard(Arc::clone(&heard)))
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let lines = lines.lock().unwrap();
        String::from_utf8(lines.clone()).unwrap()
    }

    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_said_once() {
        let said = said(|| {
            let mut log = LogFile::open(Path::new("/dev/full"), Arc::default()).unwrap();
            for _ in 0..3 {
                log.write_all(b"line\n").unwrap_err();
            }
        });
        assert_eq!(said.matches("cannot be written").count(), 1, "{said}");
        assert!(said.contains("/dev/full"), "{said}");
    }

    #[test]
    fn what_cannot_be_opened_anew_is_said_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (logs, away) = (folder.path().join("logs"), folder.path().join("away"));
        std::fs::create_dir(&logs).unwrap();
        let asked = Arc::new(AtomicBool::new(false));
        let said = said(|| {
            let mut log = LogFile::open(&logs.join("access.log"), Arc::clone(&asked)).unwrap();
            log.write_all(b"1\n").unwrap();
            std::fs::rename(&logs, &away).unwrap();
            asked.store(true, Ordering::Release);
            log.write_all(b"2\n").unwrap();
            std::fs::create_dir(&logs).unwrap();
            log.write_all(b"3\n").unwrap();
        });
        assert_eq!(said.matches("opened anew").count(), 1, "{said}");
        let read = |folder: &Path| std::fs::read_to_string(folder.join("access.log")).unwrap();
        assert_eq!((read(&away).as_str(), read(&logs).as_str()), ("1\n2\n", "3\n"));
    }
}
