//! SIGHUP: what can be changed without a restart is read again; what is wrong is said, and the old stays.

use std::path::PathBuf;
use std::sync::Arc;

use landfall_net::server::Manager;
use landfall_server::AccessControl;

use super::{Settings, upkeep};
use crate::control::Workshop;
use crate::failure::Failure;
use crate::logs::Logs;

/// Everything that a SIGHUP reaches.
pub(super) struct Reload {
    /// What was typed: it wins over the file again.
    pub(super) typed: Settings,
    pub(super) file: Option<PathBuf>,
    /// What the program was started with.
    pub(super) started_with: Settings,
    pub(super) access: Option<Arc<AccessControl>>,
    pub(super) workshop: Option<Arc<Workshop>>,
    pub(super) logs: Logs,
    pub(super) manager: Arc<Manager>,
}

impl Reload {
    /// Reads everything again. Certificates are looked at by themselves, every few seconds.
    pub(super) async fn run(&self) {
        self.manager.reloading();
        self.logs.reopen();
        if let Some(access) = &self.access
            && let Err(error) = access.reload().await
        {
            tracing::error!(target: "landfall::reload", %error, "the old rights stay in force");
        }
        match self.settings().await {
            Ok(()) => tracing::info!(target: "landfall::reload", "reloaded"),
            Err(failure) => {
                tracing::error!(target: "landfall::reload", %failure, "the old settings stay in force");
            }
        }
        self.manager.ready();
    }

    async fn settings(&self) -> Result<(), Failure> {
        let (typed, file) = (self.typed.clone(), self.file.clone());
        let read = tokio::task::spawn_blocking(move || typed.over_file(file.as_deref()));
        let new = read.await.map_err(super::setup)??;
        if let Some(workshop) = &self.workshop {
            workshop.store.set_immutable(new.immutable.clone());
            workshop.set_policy(upkeep::policy(&new)?);
        }
        let left = new.needs_restart(&self.started_with);
        if !left.is_empty() {
            let keys = left.join(", ");
            tracing::warn!(target: "landfall::reload", %keys, "changed in the file; takes effect at the next start");
        }
        Ok(())
    }
}
