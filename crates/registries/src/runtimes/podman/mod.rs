//! Podman, CRI-O, Buildah and skopeo: registries.conf with its drop-ins, auth.json, certs.d.

use super::auths::{self, Flavour};
use super::file::Losses;
use super::{Import, InFile, Options, OutFile, Rendered, certs_dir, registries_conf};
use crate::intent::Intent;

/// Where containers/image looks for our drop-in.
pub const CONF: &str = "/etc/containers/registries.conf.d/50-landfall.conf";
/// Where it looks for certificates first, before Docker's folder.
pub const CERTS: &str = "/etc/containers/certs.d";
/// Where root's Podman looks for credentials, and finds them after a reboot too.
pub const AUTH: &str = "/root/.config/containers/auth.json";
/// Where CRI-O is told to look.
pub const CRIO_AUTH: &str = "/etc/crio/landfall-auth.json";
/// What tells it.
pub const CRIO_CONF: &str = "/etc/crio/crio.conf.d/50-landfall.conf";

/// Which of them is written for; they read alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Root's Podman, Buildah and skopeo.
    Podman,
    /// CRI-O, which is told of credentials in a file of its own.
    Crio,
}

/// Reads `registries.conf`, `registries.conf.d/*.conf`, `auth.json` (and Docker's `config.json`) and all below `certs.d`.
/// Of two files with credentials the first given wins, as the runtimes search them in an order.
#[must_use]
pub fn read(files: &[InFile<'_>]) -> Import {
    let mut import = Import::default();
    let (certificates, others): (Vec<InFile<'_>>, Vec<InFile<'_>>) =
        files.iter().partition(|file| file.path.contains("certs.d/"));
    registries_conf::read(&others, &mut import);
    for file in others.iter().filter(|file| file.name().ends_with(".json")) {
        auths::read(file, &mut import);
    }
    certs_dir::read(&certificates, &mut import);
    import
}

/// Writes a drop-in, the credentials and links to the certificates.
#[must_use]
pub fn write(intent: &Intent, engine: Engine, options: &Options) -> Rendered {
    let mut losses = Losses::default();
    let conf = registries_conf::write(intent, options, &mut losses);
    let mut files = vec![OutFile::plain(CONF, conf)];
    if let Some(text) = auths::write(intent, Flavour::Podman, &mut losses) {
        match engine {
            Engine::Podman => files.push(OutFile::secret(AUTH, text)),
            Engine::Crio => {
                files.push(OutFile::secret(CRIO_AUTH, text));
                let conf = format!("[crio.image]\nglobal_auth_file = \"{CRIO_AUTH}\"\n");
                files.push(OutFile::plain(CRIO_CONF, conf));
            }
        }
    }
    files.extend(certs_dir::write(intent, CERTS, &mut losses));
    Rendered::new(files, losses)
}
