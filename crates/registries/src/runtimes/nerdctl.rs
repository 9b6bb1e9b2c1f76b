//! nerdctl: containerd's tree, read by the command itself, and Docker's file of credentials.

use super::auths::{self, Flavour};
use super::containerd::{self, Release};
use super::file::Losses;
use super::tree::Walker;
use super::{Import, InFile, OutFile, Rendered, docker, toml};
use crate::hosts::{CertsD, Dialect};
use crate::intent::{Intent, Match, canonical_host};

/// The command's settings.
pub const CONFIG: &str = "/etc/nerdctl/nerdctl.toml";

/// nerdctl is built with a recent containerd's libraries, whatever daemon it talks to.
const RELEASE: Release = Release {
    two: true,
    fork: false,
};

/// Reads `nerdctl.toml`, `config.json` and the trees that `hosts_dir` names (containerd's and Docker's by default).
#[must_use]
pub fn read(files: &[InFile<'_>]) -> Import {
    let mut settings = Import::default();
    let mut roots = vec![containerd::CERTS.to_owned(), docker::CERTS.to_owned()];
    for file in files.iter().filter(|file| file.name() == "nerdctl.toml") {
        if let Some(named) = nerdctl_toml(file, &mut settings) {
            roots = named;
        }
    }
    // The first root that has a folder for a registry is the only one.
    let mut tree = CertsD::new(roots.first().cloned().unwrap_or_default());
    for root in roots.iter().rev() {
        for (dir, found) in folders(files, root) {
            tree.dirs.insert(dir, found);
        }
    }
    let mut import = containerd::read(
        &tree,
        Dialect {
            fork: false,
            ..RELEASE.dialect()
        },
    );
    import.losses.extend(settings.losses);
    import.diagnostics.extend(settings.diagnostics);
    for file in files.iter().filter(|file| file.name() == "config.json") {
        auths::read(file, &mut import);
    }
    import
}

fn folders(files: &[InFile<'_>], root: &str) -> Vec<(String, crate::hosts::HostDir)> {
    let mut tree = CertsD::new(root);
    for file in files {
        let below = file
            .path
            .strip_prefix(root)
            .and_then(|path| path.strip_prefix('/'));
        let Some((dir, name)) = below.and_then(|path| path.rsplit_once('/')) else {
            continue;
        };
        if name == "hosts.toml" {
            tree.put(dir, file.source, file.text);
        } else {
            tree.dirs
                .entry(dir.to_owned())
                .or_default()
                .files
                .push(name.to_owned());
        }
    }
    tree.dirs.into_iter().collect()
}

fn nerdctl_toml(file: &InFile<'_>, import: &mut Import) -> Option<Vec<String>> {
    let root = match toml::parse(file.source, file.text) {
        Ok(root) => root,
        Err(diagnostic) => {
            import.diagnostics.push(*diagnostic);
            return None;
        }
    };
    let mut losses = Losses::default();
    let mut walker = Walker {
        code: "N01",
        consequence: "nerdctl does not run",
        typed: true,
        diagnostics: &mut import.diagnostics,
    };
    let mut roots = None;
    for (key, value) in walker.pairs(&root, "the file") {
        match key.as_str() {
            "hosts_dir" => {
                let items = walker.items(value, "hosts_dir").iter();
                roots = Some(
                    items
                        .filter_map(|item| Some(walker.text(item, "hosts_dir")?.value))
                        .collect(),
                );
            }
            "insecure_registry" if walker.bool(value, "insecure_registry").is_some_and(|on| on.value) => {
                losses.add(
                    key.span,
                    "`insecure_registry`",
                    "it is for every registry there is, and other runtimes are told for each host",
                    "name the hosts that need it",
                )
            }
            _ => {}
        }
    }
    import.losses.extend(losses.into_vec());
    roots
}

/// Writes the tree, nerdctl.toml and config.json.
#[must_use]
pub fn write(intent: &Intent) -> Rendered {
    let mut losses = Losses::default();
    let mut files = containerd::tree_files(intent, RELEASE, containerd::CERTS, &mut losses);
    let config = format!(
        "# Written by Landfall.\nhosts_dir = [\"{}\"]\n",
        containerd::CERTS
    );
    files.push(OutFile::plain(CONFIG, config));
    mirrors_without_credentials(intent, &mut losses);
    if let Some(text) = auths::write(intent, Flavour::Docker, &mut losses) {
        files.push(OutFile::secret(docker::CONFIG, text));
    }
    Rendered::new(files, losses)
}

/// nerdctl looks for the credential of the registry in the image's name only.
fn mirrors_without_credentials(intent: &Intent, losses: &mut Losses) {
    for registry in &intent.registries {
        for endpoint in &registry.endpoints {
            let own = matches!(&registry.matches.value, Match::Exact(host)
                if canonical_host(host) == canonical_host(&endpoint.host));
            let credential = intent.credential_of(&endpoint.host).filter(|_| !own);
            if let Some(credential) = credential {
                losses.add(
                    credential.scope.span,
                    format!("the credential of `{}`, when it is asked as a mirror", endpoint.host),
                    "nerdctl shows the credential of the registry in the image's name, and that to this host alone",
                    "let the mirror be read without a credential, or name images by the mirror",
                );
            }
        }
    }
}
