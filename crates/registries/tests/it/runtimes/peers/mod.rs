//! The real programs, on a network and with an `/etc` of their own, under the names and ports that the files speak of.

mod docker;
mod podman;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use landfall_diag::Spanned;
use landfall_oci::Secret;
use landfall_registries::intent::{
    Credential, Endpoint, Intent, Match, Registry, Scope, Subject, Trust, Upstream,
};
use landfall_registries::runtimes::{Body, OutFile};
use landfall_registries::{Auth, Tls};
use landfall_testkit::fake_registry::{self, Builder, FakeRegistry, Kind};
use landfall_testkit::{Authority, Workload, run};

use super::generated::{HERE, at};

/// Replaces the folders that are written to by empty ones, for this namespace alone.
fn own_folders() {
    for folder in ["/etc/containers", "/etc/docker", "/root"] {
        fs::create_dir_all(folder).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder])).ok();
    }
    // What we trust lies where a node would have it.
    fs::create_dir_all("/root/pki").unwrap();
}

/// Puts files where they belong.
fn install(files: &[OutFile]) {
    for file in files {
        let path = Path::new(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match &file.body {
            Body::Link(target) => symlink(target, path).unwrap(),
            Body::Text(text) => {
                fs::write(path, text).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).unwrap();
            }
        }
    }
}

/// A registry that holds small images under these names.
fn holding(names: &[&str]) -> Builder {
    let start = FakeRegistry::builder();
    names.iter().fold(start, |builder, name| {
        builder.workload(&Workload::hello(name, name))
    })
}

fn basic(user: &str, password: &str) -> fake_registry::Auth {
    fake_registry::Auth::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

/// The manifests that were asked for and found, by path.
fn found(registry: &FakeRegistry) -> Vec<String> {
    let asked = registry.requests().into_iter();
    let mut paths: Vec<String> = asked
        .filter(|request| request.kind == Kind::Manifest && request.status() == 200)
        .map(|request| request.path)
        .collect();
    paths.dedup();
    paths
}

fn credential(scope: &str, user: &str, password: &str) -> Credential {
    Credential {
        scope: at(Scope::parse(scope)),
        auth: Auth {
            username: Some(at(user.to_owned())),
            password: Some(at(Secret::new(password))),
            ..Auth::default()
        },
    }
}

/// An authority that a host is trusted by, as a file on the node.
fn trusted(host: &str, authority: &Authority) -> Trust {
    let path = "/root/pki/ca.pem";
    fs::write(path, authority.certificate()).unwrap();
    Trust {
        subject: at(Subject::Host(host.to_owned())),
        tls: Tls {
            ca: vec![at(path.to_owned())],
            ..Tls::default()
        },
        plain_http: None,
    }
}

fn unchecked(host: &str) -> Trust {
    Trust {
        subject: at(Subject::Host(host.to_owned())),
        tls: Tls {
            skip_verify: Some(at(true)),
            ..Tls::default()
        },
        plain_http: Some(at(true)),
    }
}

fn registry(host: &str, upstream: Upstream, endpoints: Vec<Endpoint>) -> Registry {
    Registry {
        matches: Spanned::new(Match::Exact(host.to_owned()), HERE),
        upstream: at(upstream),
        endpoints,
    }
}

fn intent(registries: Vec<Registry>, credentials: Vec<Credential>, trust: Vec<Trust>) -> Intent {
    Intent {
        registries,
        credentials,
        trust,
    }
}
