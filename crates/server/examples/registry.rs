//! A registry over a directory, for trying clients by hand: `registry DIR [HTPASSWD [RULES]]`; with rules it gives
//! tokens. Prints where it listens.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use landfall_hash::HashService;
use landfall_net::server::{Limits, Security, Server};
use landfall_server::{
    Access, AccessControl, AccessOptions, Htpasswd, Registry, RegistryOptions, TokenOptions, serve,
};
use landfall_store::{DirectoryOptions, DirectoryStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let root = args.next().ok_or("which directory?")?;
    let access = match (args.next(), args.next()) {
        (Some(users), Some(rules)) => Access::Controlled(
            AccessControl::open(AccessOptions {
                htpasswd: Some(users.into()),
                rules: Some(rules.into()),
                tokens: Some(TokenOptions::new(Path::new(&root).with_extension("key"))),
                ..AccessOptions::default()
            })
            .await?,
        ),
        (Some(users), None) => Access::Users(Htpasswd::read(Path::new(&users)).await?),
        (None, _) => Access::Anyone,
    };
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let hash = HashService::new(threads);
    let store = DirectoryStore::open(Path::new(&root), hash, DirectoryOptions::default()).await?;
    let options = RegistryOptions {
        access,
        ..RegistryOptions::default()
    };
    let registry = Arc::new(Registry::new(Arc::new(store), options));
    let server = Server::bind("127.0.0.1:0".parse()?, Security::Plain, Limits::default()).await?;
    println!("listening on http://{}", server.local_addr());
    // Until it is killed.
    serve(server, registry, std::future::pending()).await?;
    Ok(())
}
