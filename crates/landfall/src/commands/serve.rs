//! `serve`: bundles in place, a directory, or both, as a registry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_bundle::{Bundle, BundleStore};
use landfall_net::server::{Limits, Security, Server, TlsFiles};
use landfall_server::{Access, Htpasswd, Registry, RegistryOptions, self_signed, serve};
use landfall_store::{DirectoryOptions, DirectoryStore, Overlay, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};

use super::demo::LISTENING;
use crate::args::Serve;
use crate::connect::hash_service;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

pub(crate) async fn run(args: Serve) -> Result<Exit, Failure> {
    let security = security(&args).await?;
    let scheme = if matches!(security, Security::Plain) {
        "http"
    } else {
        "https"
    };
    let store = store(&args.bundles, args.root.as_deref()).await?;
    let access = match &args.htpasswd {
        Some(path) => Access::Users(Htpasswd::read(path).await.map_err(setup)?),
        None => Access::Anyone,
    };
    let options = RegistryOptions {
        access,
        read_only: args.read_only,
        sparse: args.allow_sparse,
        ..RegistryOptions::default()
    };
    let registry = Arc::new(Registry::new(store, options));
    let server = Server::bind(args.listen, security, Limits::default())
        .await
        .map_err(setup)?;
    // A signal that comes before this line ends the program at once; after it, the server drains.
    let stop = until_told()?;
    out::result(&format!("{LISTENING}{scheme}://{}\n", server.local_addr()));
    serve(server, registry, stop).await.map_err(setup)?;
    Ok(Exit::Complete)
}

/// TLS from files, self-signed, or none: on loopback by default, elsewhere only when asked for.
async fn security(args: &Serve) -> Result<Security, Failure> {
    let files = |certificate: PathBuf, key: PathBuf| {
        Security::Tls(TlsFiles {
            certificate,
            key,
            client_ca: None,
        })
    };
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        return Ok(files(certificate.clone(), key.clone()));
    }
    if let Some(folder) = &args.tls_self_signed {
        let made = self_signed(folder, &names(args)).await.map_err(setup)?;
        return Ok(files(made.certificate, made.key));
    }
    match args.listen.ip().is_loopback() || args.plain_http {
        true => Ok(Security::Plain),
        false => Err(Failure::usage(format!(
            "{} can be reached from elsewhere: use --tls-self-signed DIR, or --tls-cert and --tls-key, or say --plain-http",
            args.listen
        ))),
    }
}

/// What a self-signed certificate is for: this machine's name, loopback, the address listened on, and what was named.
fn names(args: &Serve) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.extend((!host.is_empty()).then_some(host));
    let address = args.listen.ip();
    names.extend((!address.is_unspecified()).then(|| address.to_string()));
    names.extend(args.tls_name.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Bundles in the order given, then the directory.
async fn store(bundles: &[PathBuf], root: Option<&Path>) -> Result<Arc<dyn Store>, Failure> {
    let mut layers: Vec<Arc<dyn Store>> = Vec::new();
    for path in bundles {
        let path = path.clone();
        let opened = tokio::task::spawn_blocking(move || Bundle::open(&path).map(BundleStore::new));
        layers.push(Arc::new(opened.await.map_err(setup)??));
    }
    if let Some(root) = root {
        let directory = DirectoryStore::open(root, hash_service(), DirectoryOptions::default());
        layers.push(Arc::new(
            directory.await.map_err(|error: StoreError| setup(error))?,
        ));
    }
    Ok(match layers.len() {
        1 => layers.remove(0),
        _ => Arc::new(Overlay::new(layers).map_err(setup)?),
    })
}

/// Ready at the first SIGTERM or SIGINT.
fn until_told() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(setup)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(setup)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn setup(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}
