//! `serve`: bundles in place, a directory, or both, as a registry.

use std::path::PathBuf;
use std::sync::Arc;

use landfall_bundle::{Bundle, BundleStore};
use landfall_hash::HashService;
use landfall_net::server::{Limits, Security, Server, TlsFiles};
use landfall_server::{Access, Options, Registry};
use landfall_store::{DirectoryOptions, DirectoryStore, Overlay, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};

use super::demo::LISTENING;
use crate::args::Serve;
use crate::connect::hash_service;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

pub(crate) async fn run(args: Serve) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() && args.tls_cert.is_none() && args.tls_self_signed.is_none() && !args.plain_http {
        return Err(Failure::usage(format!(
            "{} can be reached from elsewhere: use --tls-self-signed DIR or --tls-cert and --tls-key, or say --plain-http",
            args.listen
        )));
    }
    let store = store(args.bundles.clone(), args.root.clone()).await?;
    todo!()
}
