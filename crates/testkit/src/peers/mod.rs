//! The real programs that Landfall must get along with, as the tests use them.
//!
//! Each runner keeps the program's state in a folder of its own, so several can run beside each other and beside
//! the machine's own daemons. A program that is not installed fails the test, with the words that install it.

pub mod conformance;
pub mod containerd;
pub mod crane;
pub mod cri;
pub mod docker_registry;
pub mod dockerd;
pub mod helm;
pub mod nginx;
pub mod node;
pub mod podman;
pub mod regctl;
pub mod skopeo;
pub mod zot;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use conformance::Conformance;
pub use containerd::Containerd;
pub use crane::Crane;
pub use cri::Cri;
pub use docker_registry::DockerRegistry;
pub use dockerd::Dockerd;
pub use nginx::Nginx;
pub use node::Node;
pub use podman::Podman;
pub use regctl::Regctl;
pub use skopeo::Skopeo;
pub use zot::Zot;

/// Where `scripts/peers` puts what it builds, below the workspace's root or named by this variable.
const BIN_VARIABLE: &str = "LANDFALL_PEERS";
const BIN_FOLDER: &str = "target/peers/bin";

/// A program that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{program}` is not installed: run scripts/peers, or by hand: {install}")]
pub struct Missing {
    /// The program.
    pub program: &'static str,
    /// What installs it.
    pub install: &'static str,
}

/// A program and what installs it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// The command that installs it.
    pub install: &'static str,
}

impl Program {
    /// A program of one of Debian's packages.
    pub const fn new(name: &'static str, install: &'static str) -> Self {
        Self { name, install }
    }

    /// Where it is. Debian's folders come before `PATH`: the tests mean Debian's version, not whatever else a
    /// machine may hold.
    ///
    /// # Errors
    /// [`Missing`], which says how to install it.
    pub fn available(&self) -> Result<PathBuf, Missing> {
        let built =
            std::env::var_os(BIN_VARIABLE).map_or_else(|| workspace_root().join(BIN_FOLDER), PathBuf::from);
        let debian = ["/usr/bin", "/usr/sbin"].map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [built]
            .into_iter()
            .chain(debian)
            .chain(std::env::split_paths(&path));
        let mut candidates = folders.map(|folder| folder.join(self.name));
        candidates.find(|candidate| candidate.is_file()).ok_or(Missing {
            program: self.name,
            install: self.install,
        })
    }

    /// The program as a command; fails the test when it is not there.
    #[track_caller]
    pub fn command(&self) -> Command {
        let path = self.available().unwrap_or_else(|missing| panic!("{missing}"));
        Command::new(path)
    }
}

/// The workspace's root folder.
fn workspace_root() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap_or(crate_folder)
}

/// A path as text, for arguments that contain one.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("the paths of tests are text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_how_to_install_it() {
        let missing = Program::new("no-such-program", "apt-get install no-such")
            .available()
            .unwrap_err();
        let message = missing.to_string();
        assert!(
            message.contains("scripts/peers") && message.contains("apt-get install no-such"),
            "{message}"
        );
    }
}
