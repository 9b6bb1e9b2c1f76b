//! The files behind it: how they are read, and how it is seen that they changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::htpasswd::Htpasswd;
use super::rules::Rules;
use super::token::Signer;
use super::{AccessOptions, State};
use crate::error::ServerError;

/// Enough of the files' metadata to see that one was replaced, also through the links that Kubernetes swaps.
pub(super) type Seen = Vec<Option<(SystemTime, u64, u64)>>;

/// Where the files are.
pub(super) struct Sources {
    htpasswd: Option<PathBuf>,
    rules: Option<PathBuf>,
    /// With the name of the service.
    key: Option<(PathBuf, String)>,
}

impl Sources {
    pub(super) fn of(options: &AccessOptions) -> Self {
        let tokens = options.tokens.as_ref();
        Self {
            htpasswd: options.htpasswd.clone(),
            rules: options.rules.clone(),
            key: tokens.map(|tokens| (tokens.key_file.clone(), tokens.service.clone())),
        }
    }

    /// How the files look now. To be taken before they are read: a change during the reading is seen the next time.
    pub(super) fn look(&self) -> Seen {
        let key = self.key.as_ref().map(|(path, _)| path);
        [self.htpasswd.as_ref(), self.rules.as_ref(), key]
            .into_iter()
            .flatten()
            .map(|path| {
                let metadata = std::fs::metadata(path).ok()?;
                Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
            })
            .collect()
    }

    /// All files, each of which must be good.
    pub(super) fn read_all(&self) -> Result<State, ServerError> {
        let users = self.htpasswd.as_deref().map(Htpasswd::load).transpose()?;
        let rules = self.rules.as_deref().map(Rules::load).transpose()?;
        let key = self
            .key
            .as_ref()
            .map(|(path, service)| Signer::load(path, service, true));
        Ok(State::new(users.map(Arc::new), rules, key.transpose()?))
    }

    /// What can be read, and what was there before for the rest.
    pub(super) fn read_again(&self, old: &State) -> (State, Vec<ServerError>) {
        let (mut state, mut errors) = (old.clone(), Vec::new());
        match self.htpasswd.as_deref().map(Htpasswd::load).transpose() {
            Ok(Some(users)) => state.users = Some(Arc::new(users)),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match self.rules.as_deref().map(Rules::load).transpose() {
            Ok(Some(rules)) => state.rules = Arc::new(rules),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        let key = self
            .key
            .as_ref()
            .map(|(path, service)| Signer::load(path, service, false));
        match key.transpose() {
            Ok(Some(signer)) => state.signer = Some(Arc::new(signer)),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        (state, errors)
    }
}
