//! containerd by itself: a certs.d tree, and credentials in config.toml.

mod auth;
mod read;
mod write;

use super::file::Losses;
use super::{OutFile, Rendered};
use crate::Loss;
use crate::hosts::toml::GoToml;
use crate::hosts::{Dialect, HostsToml};
use crate::intent::Intent;
pub use read::read;

/// The root of the tree; `config_path` must name it.
pub const CERTS: &str = "/etc/containerd/certs.d";
/// A part of config.toml, for `imports` or to be copied.
pub const CONFIG: &str = "/etc/containerd/conf.d/50-landfall.toml";

/// Which containerd is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// 2.x: its plugins have other names.
    pub two: bool,
    /// K3s' fork, which rewrites.
    pub fork: bool,
}

impl Release {
    /// How it reads its files.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        Dialect {
            fork: self.fork,
            go_toml: if self.two { GoToml::V2 } else { GoToml::V1 },
            referrers: self.two,
            dial_timeout: self.two,
        }
    }
}

/// The tree alone: each folder's file, by the folder's name below the root.
#[must_use]
pub fn tree(intent: &Intent, release: Release) -> (Vec<(String, HostsToml)>, Vec<Loss>) {
    let mut losses = Losses::default();
    let files = write::tree(intent, release, &mut losses);
    (files, losses.into_vec())
}

/// Writes the tree and the part of config.toml.
#[must_use]
pub fn write(intent: &Intent, release: Release) -> Rendered {
    let mut losses = Losses::default();
    let mut files = tree_files(intent, release, CERTS, &mut losses);
    files.push(auth::write(intent, release, &mut losses));
    Rendered::new(files, losses)
}

/// The tree as files below a root.
pub(super) fn tree_files(intent: &Intent, release: Release, root: &str, losses: &mut Losses) -> Vec<OutFile> {
    let files = write::tree(intent, release, losses).into_iter();
    files
        .map(|(dir, file)| {
            let settings = std::iter::once(&file.root).chain(file.hosts.iter().map(|host| &host.settings));
            // Headers may be credentials.
            let secret = settings.into_iter().any(|settings| !settings.header.is_empty());
            let (path, text) = (format!("{root}/{dir}/hosts.toml"), format!("{HEADER}{file}"));
            match secret {
                true => OutFile::secret(path, text),
                false => OutFile::plain(path, text),
            }
        })
        .collect()
}

const HEADER: &str = "# Written by Landfall.\n";
