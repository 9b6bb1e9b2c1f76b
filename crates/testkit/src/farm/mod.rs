//! Thousands of small registries in one process: each a socket on an address of its own, with a script that says what
//! it answers, and one log per group of them in which every request stands in the order in which it came.
//!
//! Where [`crate::FakeRegistry`] is one registry with all of its API, a [`Farm`] is the world around a node.

mod script;
mod serve;

use std::collections::HashMap;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

pub use script::{Act, Ask, Desk, Guard, Reaction, Reply, Script, Tiny, Tokens};

/// A registry of the farm.
#[derive(Clone, Debug)]
pub struct Stub {
    /// Whose log its requests go to.
    pub group: usize,
    /// TLS; without it, plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// What it answers.
    pub script: Script,
}

/// Something that came to a registry of the farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it was sent to.
    pub to: SocketAddr,
    /// What it was.
    pub what: What,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A request.
    Request {
        /// Whether it came over TLS.
        tls: bool,
        /// The method.
        method: String,
        /// Path and query as they were sent.
        target: String,
        /// `Host`.
        host: String,
        /// `Authorization`, whole.
        authorization: Option<String>,
        /// The body of a `POST`.
        form: String,
        /// The status that was answered; 0 when the connection was closed instead.
        status: u16,
    },
    /// A TLS handshake with a server that does not speak it.
    TlsToPlain,
    /// A request without TLS to a server that wants it.
    PlainToTls,
    /// A handshake that the client broke off, or was refused.
    BrokenHandshake,
}

/// The running registries.
pub struct Farm {
    runtime: Option<Runtime>,
    log: Log,
    open: Mutex<HashMap<SocketAddr, AbortHandle>>,
}

/// What was seen, by group.
type Log = Arc<Mutex<HashMap<usize, Vec<Seen>>>>;

impl Farm {
    /// An empty one.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("farm")
            .enable_all()
            .build()
            .expect("a runtime for the farm");
        Self {
            runtime: Some(runtime),
            log: Log::default(),
            open: Mutex::default(),
        }
    }

    /// Opens a registry at this address, instead of one that is there.
    #[track_caller]
    pub fn open(&self, at: SocketAddr, stub: Stub) {
        self.close(at);
        let listener = TcpListener::bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
        listener
            .set_nonblocking(true)
            .expect("a socket can be made not to block");
        let runtime = self.runtime.as_ref().expect("a running farm");
        let task = runtime.spawn(serve::accept(at, listener, stub, Arc::clone(&self.log)));
        self.open.lock().unwrap().insert(at, task.abort_handle());
    }

    /// Closes the registry at this address: from now on connections are refused.
    pub fn close(&self, at: SocketAddr) {
        let task = self.open.lock().unwrap().remove(&at);
        if let Some(task) = task {
            task.abort();
            // The socket is closed when the runtime drops the task, which takes a moment.
            while !task.is_finished() {
                std::thread::yield_now();
            }
        }
    }

    /// What a group has seen so far.
    pub fn seen(&self, group: usize) -> Vec<Seen> {
        self.log.lock().unwrap().get(&group).cloned().unwrap_or_default()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Farm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Farm({} registries)", self.open.lock().unwrap().len())
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to;
        match &self.what {
            What::Request {
                tls,
                method,
                target,
                host,
                authorization,
                form,
                status,
            } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{method} {scheme}://{host}{target} -> {status}")?;
                if host.parse::<SocketAddr>().ok() != Some(to) {
                    write!(f, " at {to}")?;
                }
                if let Some(authorization) = authorization {
                    write!(f, " [{authorization}]")?;
                }
                if !form.is_empty() {
                    write!(f, " {{{form}}}")?;
                }
                Ok(())
            }
            What::TlsToPlain => write!(f, "TLS to {to}, which is plain"),
            What::PlainToTls => write!(f, "plain HTTP to {to}, which wants TLS"),
            What::BrokenHandshake => write!(f, "a broken TLS handshake with {to}"),
        }
    }
}
