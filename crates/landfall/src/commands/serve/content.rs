//! What is served: bundles and foreign stores in the order given, then the directory.

use std::sync::Arc;

use landfall_bundle::mount_with;
use landfall_store::{DirectoryOptions, DirectoryStore, Overlay, Store, StoreError};

use super::{Settings, setup};
use crate::archives::workshop;
use crate::args::SpoolArgs;
use crate::control::{self, Claimed};
use crate::failure::Failure;

/// What is served, and the directory of it that can be written.
pub(super) struct Content {
    pub(super) store: Arc<dyn Store>,
    pub(super) directory: Option<Arc<DirectoryStore>>,
    /// What else it is served with.
    pub(super) mounted: Vec<Arc<dyn Store>>,
}

impl Content {
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let mut layers: Vec<Arc<dyn Store>> = Vec::new();
        for path in &settings.bundles {
            let path = path.clone();
            let workshop = workshop(&SpoolArgs::default());
            let opened = tokio::task::spawn_blocking(move || mount_with(&path, &workshop));
            layers.push(opened.await.map_err(setup)??);
        }
        let directory = match &settings.root {
            Some(root) => match control::claim(root, options(settings)).await? {
                Claimed::Ours(store) => Some(Arc::new(*store)),
                Claimed::Served(stream) => {
                    let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
                    return Err(control::failure(StoreError::InUse {
                        root: root.clone(),
                        process: process.map(|process| process.to_string()),
                    }));
                }
            },
            None => None,
        };
        let mounted = layers.clone();
        layers.extend(directory.clone().map(|directory| directory as Arc<dyn Store>));
        let store = match layers.len() {
            1 => layers.remove(0),
            _ => Arc::new(Overlay::new(layers).map_err(setup)?),
        };
        Ok(Self {
            store,
            directory,
            mounted,
        })
    }
}

fn options(settings: &Settings) -> DirectoryOptions {
    let default = DirectoryOptions::default();
    DirectoryOptions {
        grace: settings.gc_grace.map_or(default.grace, |age| age.0),
        immutable: settings.immutable.clone(),
        ..default
    }
}
