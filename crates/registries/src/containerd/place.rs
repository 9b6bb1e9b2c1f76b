//! One directory of certs.d as containerd loads it.

use super::choose::Source;
use super::endpoint::{Endpoint, Load};
use super::log::LogLine;
use super::release::Behaviour;
use super::setup::Flavour;
use crate::go::path;
use crate::hosts::{HostDir, HostsError, HostsToml};

/// What a directory comes to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) log: Vec<LogLine>,
    pub(super) source: Source,
}

impl Place {
    /// No directory at all, or one that only exists because of what is below it.
    pub(super) fn bare(source: Source) -> Self {
        Self {
            endpoints: vec![Endpoint::implicit()],
            log: Vec::new(),
            source,
        }
    }

    pub(super) fn load(dir: &HostDir, base: &str, load: &mut Load<'_>) -> Self {
        let files = load.files;
        let certificates = |source| Self {
            endpoints: vec![Endpoint::with_certificates(&dir.files, base, files)],
            log: Vec::new(),
            source,
        };
        let file = match &dir.hosts_toml {
            None => return certificates(Source::NoHostsToml),
            Some(file) if file.text.is_empty() => return certificates(Source::EmptyHostsToml(file.source)),
            Some(file) => file,
        };
        let dialect = load.behaviour.dialect(load.flavour == Flavour::K3s);
        match HostsToml::parse(file.source, &file.text, dialect) {
            Ok(read) => Self {
                endpoints: endpoints(&read, base, load),
                log: Vec::new(),
                source: Source::HostsToml(file.source),
            },
            Err(error) => {
                let mut place = certificates(Source::BrokenHostsToml(file.source));
                place.log.push(broken(base, load.behaviour, &error));
                place
            }
        }
    }
}

fn broken(base: &str, behaviour: Behaviour, error: &HostsError) -> LogLine {
    let name = match behaviour.log_names_file {
        true => path::join(&[base, "hosts.toml"]),
        false => "hosts.toml".to_owned(),
    };
    LogLine::new(format!("failed to decode {name}: {error}"), Some(error.span))
}

/// The hosts in the order of their trial; then `server`, or the registry itself.
fn endpoints(read: &HostsToml, base: &str, load: &mut Load<'_>) -> Vec<Endpoint> {
    let with_server = load.flavour == Flavour::Upstream || read.server_on_top || read.hosts.is_empty();
    let mut of = |target, span, settings| Endpoint::of(target, span, settings, base, load);
    let mut all: Vec<Endpoint> = read
        .hosts
        .iter()
        .map(|host| of(Some(&host.target), Some(host.url.span), &host.settings))
        .collect();
    if with_server {
        let span = read.server.as_ref().map(|server| server.span);
        let server = of(read.target.as_ref(), span, &read.root);
        all.push(Endpoint {
            server: true,
            ..server
        });
    }
    all
}
