//! `serve`: bundles in place, a directory, or both, as a registry.

mod content;
mod security;
mod settings;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use landfall_net::server::{Limits, Security, Server};
use landfall_server::{Access, Htpasswd, Registry, RegistryOptions, Wanted, serve};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::content::Content;
pub(crate) use self::settings::{Settings, retention_of};
use super::demo::LISTENING;
use crate::args::Serve;
use crate::control::{self, Workshop};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// How often what was learnt in between is written down.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: Serve) -> Result<Exit, Failure> {
    let (typed, file) = (args.settings, args.config);
    let settings = tokio::task::spawn_blocking(move || typed.over_file(file.as_deref()));
    let settings = settings.await.map_err(setup)??;
    if args.print_config {
        out::result(&settings.to_toml());
        return Ok(Exit::Complete);
    }
    // A signal that comes before this ends the program at once; after it, the server drains.
    let mut signals = Signals::new()?;
    let security = security::security(&settings).await?;
    let scheme = if matches!(security, Security::Plain) {
        "http"
    } else {
        "https"
    };
    let content = Content::open(&settings).await?;
    let wanted = wanted(&settings).await?;
    if let (Some(root), Some(store)) = (&settings.root, content.directory) {
        let workshop = Arc::new(Workshop {
            store,
            wanted: wanted.clone(),
            collect: upkeep::collect_options(&settings),
            retention: settings.retention()?,
        });
        control::listen(root, Arc::clone(&workshop))
            .map_err(|error| Failure::local("listen on the socket in", root, &error))?;
        upkeep::start(workshop, &settings);
    }
    let access = match &settings.htpasswd {
        Some(path) => Access::Users(Htpasswd::read(path).await.map_err(setup)?),
        None => Access::Anyone,
    };
    let options = RegistryOptions {
        access,
        read_only: settings.read_only.unwrap_or_default(),
        wanted: Some(Arc::new(wanted.clone())),
        ..RegistryOptions::default()
    };
    let registry = Arc::new(Registry::new(content.store, options));
    let server = Server::bind(settings.listen(), security, Limits::default())
        .await
        .map_err(setup)?;
    out::result(&format!("{LISTENING}{scheme}://{}\n", server.local_addr()));
    let (stopped, stop) = tokio::sync::oneshot::channel();
    let keeping = tokio::spawn(async move { wanted.keep(WRITTEN_EVERY, async { drop(stop.await) }).await });
    let served = serve(server, registry, signals.end()).await.map_err(setup);
    let _ = stopped.send(());
    let _ = keeping.await;
    served.map(|()| Exit::Complete)
}

/// The list of missing images: beside the directory, or in memory where there is none.
async fn wanted(settings: &Settings) -> Result<Wanted, Failure> {
    match &settings.root {
        Some(root) => Wanted::open(&control::wanted_file(root)).await.map_err(setup),
        None => Ok(Wanted::in_memory()),
    }
}

/// What the server is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(setup)?,
            interrupt: signal(SignalKind::interrupt()).map_err(setup)?,
            hang_up: signal(SignalKind::hangup()).map_err(setup)?,
        })
    }

    /// Ready at the first SIGTERM or SIGINT; a SIGHUP before that reloads.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {}
            }
        }
    }
}

fn setup(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}
