//! From what a configuration wants to the files of one node's certs.d.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use landfall_diag::{Sources, Spanned};
use landfall_node::apply::{FileMode, Wanted, WantedDirectory, WantedFile};
use landfall_registries::Loss;
use landfall_registries::hosts::{HostSettings, HostsToml};
use landfall_registries::intent::Intent;
use landfall_registries::runtimes::containerd::{Release, tree};
use landfall_registries::runtimes::{Body, OutFile};

use super::configuration;

/// The tree that is wanted, and what it does not say.
pub(super) struct Tree {
    pub(super) wanted: Wanted,
    pub(super) losses: Vec<Loss>,
    /// Certificate and key files that it names and that are not on this machine.
    pub(super) missing: BTreeSet<String>,
    pub(super) sources: Sources,
}

impl Tree {
    /// `root` is certs.d. `beside` is the folder that relative paths of the configuration begin in, where they do not
    /// begin in a folder of certs.d.
    pub(super) fn new(
        configured: configuration::Wanted,
        release: Release,
        root: &Path,
        beside: Option<&Path>,
    ) -> Self {
        let (files, written) = tree(&configured.intent, release);
        let mut tree = Self {
            wanted: Wanted::default(),
            losses: configured.losses,
            missing: BTreeSet::new(),
            sources: configured.sources,
        };
        tree.losses.extend(written);
        tree.losses.extend(credentials(&configured.intent));
        for (name, mut file) in files {
            let mut folder = Folder {
                path: root.join(&name),
                beside,
                extracted: &configured.extracted,
                files: BTreeMap::new(),
                missing: &mut tree.missing,
            };
            folder.hosts_toml(&mut file);
            let directory = WantedDirectory {
                files: folder.files,
                hosts_toml: WantedFile {
                    mode: match has_headers(&file) {
                        true => FileMode::Private,
                        false => FileMode::Public,
                    },
                    content: file.to_string().into_bytes(),
                },
            };
            tree.wanted.directories.insert(name, directory);
        }
        tree
    }
}

/// Headers may be credentials.
fn has_headers(file: &HostsToml) -> bool {
    let hosts = file.hosts.iter().map(|host| &host.settings);
    std::iter::once(&file.root)
        .chain(hosts)
        .any(|settings| !settings.header.is_empty())
}

/// certs.d holds no credentials: each is told with where it can go instead.
fn credentials(intent: &Intent) -> Vec<Loss> {
    let told = |scope: &Spanned<landfall_registries::intent::Scope>| {
        Loss {
        span: Some(scope.span),
        what: format!("the credential for `{}`", scope.value),
        why: "hosts.toml has no field for it; containerd reads credentials from config.toml, at its start".to_owned(),
        advice: "leave it where the node has it now; or put it into containerd's config.toml (`landfall registries \
                 render FILE --for containerd` writes that part) and restart containerd; or give it to the kubelet: a \
                 credential provider, or an imagePullSecret"
            .to_owned(),
    }
    };
    let credentials = intent.credentials.iter();
    credentials
        .filter(|credential| !credential.auth.is_empty())
        .map(|credential| told(&credential.scope))
        .collect()
}

/// One folder while its file's paths are looked through.
struct Folder<'a> {
    path: std::path::PathBuf,
    beside: Option<&'a Path>,
    extracted: &'a [OutFile],
    files: BTreeMap<String, WantedFile>,
    missing: &'a mut BTreeSet<String>,
}

impl Folder<'_> {
    fn hosts_toml(&mut self, file: &mut HostsToml) {
        let hosts = file.hosts.iter_mut().map(|host| &mut host.settings);
        for settings in std::iter::once(&mut file.root).chain(hosts) {
            self.settings(settings);
        }
    }

    fn settings(&mut self, settings: &mut HostSettings) {
        if let Some(ca) = &mut settings.ca {
            ca.value.iter_mut().for_each(|path| self.certificate(path));
        }
        if let Some(client) = &mut settings.client {
            for pair in &mut client.value {
                self.certificate(&mut pair.cert);
                pair.key.iter_mut().for_each(|path| self.certificate(path));
            }
        }
    }

    /// What stood inline becomes a file beside hosts.toml; what is a file must be found from there.
    fn certificate(&mut self, path: &mut Spanned<String>) {
        let inline = self.extracted.iter().find(|file| file.path == path.value);
        if let Some(OutFile {
            body: Body::Text(text),
            secret,
            ..
        }) = inline
        {
            let mut parts = path.value.rsplitn(3, '/');
            let (name, host) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let name = format!("{}-{name}", host.replace([':', '[', ']'], "_"));
            let file = match secret {
                true => WantedFile::private(text.as_bytes()),
                false => WantedFile::public(text.as_bytes()),
            };
            self.files.insert(name.clone(), file);
            path.value = name;
            return;
        }
        if let Some(beside) = self
            .beside
            .filter(|_| path.value.starts_with(|first| first != '/'))
            && let Ok(whole) = std::path::absolute(Path::new(&path.value))
            && Path::new(&path.value).starts_with(beside)
        {
            path.value = whole.display().to_string();
        }
        let whole = self.path.join(&path.value);
        if !path.value.is_empty() && !whole.exists() {
            self.missing.insert(whole.display().to_string());
        }
    }
}
