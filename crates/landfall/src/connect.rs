//! From flags to a registry client: credentials, trust, patience.

use std::io::BufRead;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use landfall_client::Client;
use landfall_hash::HashService;
use landfall_oci::Registry;

use crate::args::RegistryArgs;
use crate::failure::Failure;

/// What every transfer works with.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) client: Client,
    pub(crate) hash: HashService,
}

/// Whom `--username` is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// This registry, and no other will see it.
    Registry(Registry),
    /// Nobody can say.
    Unclear,
}

impl Audience {
    /// The one registry that all names share, if they do.
    pub(crate) fn of<'a>(mut registries: impl Iterator<Item = &'a Registry>) -> Self {
        match registries.next() {
            Some(first) if registries.all(|registry| registry == first) => Self::Registry(first.clone()),
            _ => Self::Unclear,
        }
    }
}

/// Hash threads: as many as there are cores.
pub(crate) fn hash_service() -> HashService {
    HashService::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// `path` with something put behind its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
