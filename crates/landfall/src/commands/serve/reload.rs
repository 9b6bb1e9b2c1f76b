//! SIGHUP: what can be changed without a restart is read again; what is wrong is said, and the old stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

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
    /// What the server was started with: what only a start takes up is compared with this.
    pub(super) started_with: Settings,
    /// When that was: a file of upstreams that is younger waits for a start.
    pub(super) started_at: SystemTime,
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
            Ok(late) => {
                if !late.is_empty() {
                    let keys = late.join(", ");
                    tracing::warn!(target: "landfall::reload", %keys, "changed in the file; takes effect at the next start");
                }
                tracing::info!(target: "landfall::reload", "reloaded");
            }
            Err(failure) => {
                tracing::error!(target: "landfall::reload", %failure, "the old settings stay in force");
            }
        }
        self.manager.ready();
    }

    /// Takes up what can be; gives the keys that wait for a start.
    async fn settings(&self) -> Result<Vec<String>, Failure> {
        let (typed, file) = (self.typed.clone(), self.file.clone());
        let read = tokio::task::spawn_blocking(move || typed.over_file(file.as_deref()));
        let new = read.await.map_err(super::setup)??;
        if let Some(workshop) = &self.workshop {
            let policy = upkeep::policy(&new)?;
            workshop.store.set_immutable(new.immutable.clone());
            workshop.set_policy(policy);
        }
        let mut late = new.needs_restart(&self.started_with);
        if let Some(upstreams) = &new.upstreams
            && let Ok(about) = tokio::fs::metadata(upstreams).await
            && about.modified().is_ok_and(|changed| changed > self.started_at)
        {
            late.push(format!("what {} says", upstreams.display()));
        }
        Ok(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_a_start_is_said_each_time_until_it_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        let write = |rest: &str| std::fs::write(&path, format!("root = \"/srv\"\n{rest}")).unwrap();
        write("");
        let reload = Reload {
            typed: Settings::default(),
            file: Some(path.clone()),
            started_with: Settings::default().over_file(Some(&path)).unwrap(),
            started_at: SystemTime::UNIX_EPOCH,
            access: None,
            workshop: None,
            logs: Logs::off(),
            manager: Arc::default(),
        };
        write("read-only = true\ngc-grace = \"2h\"\n");
        for _ in 0..2 {
            assert_eq!(reload.settings().await.unwrap(), ["read-only"]);
        }
        write("");
        assert!(reload.settings().await.unwrap().is_empty());
        let upstreams = folder.path().join("registries.yaml");
        std::fs::write(&upstreams, "mirrors: {}\n").unwrap();
        write("upstreams = \"registries.yaml\"\n");
        let late = reload.settings().await.unwrap();
        assert_eq!(
            late,
            [
                "upstreams".to_owned(),
                format!("what {} says", upstreams.display())
            ]
        );
        write("listen = 1\n");
        reload.settings().await.unwrap_err();
    }
}
