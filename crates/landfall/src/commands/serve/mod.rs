//! `serve`: bundles in place, a directory, or both, as a registry.

mod content;
mod contradictions;
mod file;
mod guard;
mod listeners;
mod reload;
mod security;
mod settings;
mod upkeep;
mod upstreams;

use std::sync::Arc;
use std::time::SystemTime;

use landfall_net::server::{Manager, Security, Server};
use landfall_server::{Access, Metrics, Registry, RegistryOptions, Wanted, serve, serve_status};
use landfall_store::{DirectoryStore, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use self::content::Content;
pub(crate) use self::file::retention_of;
use self::reload::Reload;
pub(crate) use self::settings::Settings;
use super::demo::LISTENING;
use crate::args::Serve;
use crate::control::{self, Workshop};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs::Logs;
use crate::out;

pub(crate) async fn run(args: Serve, logs: Logs) -> Result<Exit, Failure> {
    let (typed, file) = (args.settings.clone(), args.config.clone());
    let settings = tokio::task::spawn_blocking(move || typed.over_file(file.as_deref()));
    let settings = settings.await.map_err(setup)??;
    if args.print_config {
        out::result(&settings.to_toml());
        return Ok(Exit::Complete);
    }
    listeners::make_room(&settings);
    let handed = listeners::handed()?;
    // A signal that comes before this ends the program at once; after it, the server drains.
    let mut signals = Signals::new()?;
    let manager = Arc::new(Manager::new(std::env::var_os("NOTIFY_SOCKET")).map_err(setup)?);
    if let Some(path) = &settings.access_log {
        logs.write_access(path)?;
    }
    if let Some(path) = &settings.audit_log {
        logs.write_audit(path)?;
    }
    let security = security::security(&settings, &listeners::addresses(&settings, &handed)?).await?;
    let scheme = scheme(&security);
    let content = Content::open(&settings).await?;
    let wanted = wanted(&settings).await?;
    let access = guard::access(&settings).await?;
    let control = match &access {
        Access::Controlled(control) => Some(Arc::clone(control)),
        _ => None,
    };
    let mut options = options(&settings, access, &wanted);
    options.gateway = upstreams::gateway(&settings).await?;
    let metrics = Arc::clone(&options.metrics);
    let registry = Arc::new(Registry::new(content.store, options));
    let server = listeners::registry(&settings, handed, security).await?;
    let status = listeners::status(&settings).await?;
    let workshop = match content.directory {
        Some(directory) => Some(look_after(
            directory,
            content.mounted,
            wanted,
            &settings,
            &metrics,
        )?),
        None => None,
    };
    if let Some(control) = &control {
        tokio::spawn(Arc::clone(control).watch());
    }
    let reload = Reload {
        typed: args.settings,
        file: args.config,
        started_with: settings,
        started_at: SystemTime::now(),
        access: control,
        workshop,
        logs,
        manager: Arc::clone(&manager),
    };
    out::result(&format!("{LISTENING}{scheme}://{}\n", server.local_addr()));
    manager.ready();
    let stop = async {
        signals.end(reload).await;
        manager.stopping();
    };
    answer(server, status, registry, stop)
        .await
        .map(|()| Exit::Complete)
}

/// Looks after the directory, on a schedule and when asked to over its socket.
fn look_after(
    directory: Arc<DirectoryStore>,
    mounted: Vec<Arc<dyn Store>>,
    wanted: Wanted,
    settings: &Settings,
    metrics: &Metrics,
) -> Result<Arc<Workshop>, Failure> {
    let mut workshop = Workshop::new(directory, wanted, upkeep::policy(settings)?);
    workshop.below = mounted;
    workshop.read_only = settings.read_only.unwrap_or_default();
    let workshop = Arc::new(workshop);
    if let Some(root) = &settings.root {
        control::listen(root, Arc::clone(&workshop))
            .map_err(|error| Failure::local("listen on the socket in", root, &error))?;
    }
    upkeep::start(&workshop, settings, metrics);
    Ok(workshop)
}

fn scheme(security: &Security) -> &'static str {
    match security {
        Security::Plain => "http",
        Security::Tls(_) => "https",
    }
}

fn options(settings: &Settings, access: Access, wanted: &Wanted) -> RegistryOptions {
    RegistryOptions {
        access,
        read_only: settings.read_only.unwrap_or_default(),
        deletes: !settings.no_deletes.unwrap_or_default(),
        sparse: settings.allow_sparse.unwrap_or_default(),
        wanted: Some(Arc::new(wanted.clone())),
        metrics: Arc::new(Metrics::default()),
        metrics_endpoint: settings.metrics.unwrap_or_default(),
        drain_delay: settings.drain_delay.map(|age| age.0).unwrap_or_default(),
        requests_per_second: settings.requests_per_second,
        ..RegistryOptions::default()
    }
}

/// Answers until told to stop; the status listener outlasts the registry, so that the draining is seen.
async fn answer(
    server: Server,
    status: Option<Server>,
    registry: Arc<Registry>,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (ended, end) = oneshot::channel::<()>();
    let watched = async {
        match status {
            Some(status) => serve_status(status, Arc::clone(&registry), async { drop(end.await) }).await,
            None => Ok(()),
        }
    };
    let served = async {
        let served = serve(server, Arc::clone(&registry), stop).await;
        drop(ended);
        served
    };
    let (served, watched) = tokio::join!(served, watched);
    served.and(watched).map_err(setup)
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
    async fn end(&mut self, reload: Reload) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload.run().await,
            }
        }
    }
}

fn setup(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}
