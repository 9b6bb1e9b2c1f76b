//! The guide's registries in a network of the test's own: a trusted one, one with an authority of its own, one
//! without TLS, a mirror of Docker Hub, and an empty Docker Hub.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use landfall_diag::SourceId;
use landfall_diag::yaml::YamlError;
use landfall_registries::k3s::{Behaviours, Options, Program, Rendering, Version};
use landfall_registries::registries_yaml::{self, RegistriesYaml};
use landfall_testkit::fake_registry::{Auth, Bearer, Builder, Kind};
use landfall_testkit::peers::Node;
use landfall_testkit::peers::node::{self, Registry, Release};
use landfall_testkit::{Authority, FakeRegistry, Namespace, Scratch, Workload};

use super::super::serving::Serving;
use crate::place::Place;

const ACCOUNT: (&str, &str) = ("admin", "Harbor12345");
/// Where the guide puts the authority of the second registry.
const CERTS: &str = "/opt";
const ADDRESS: &str = "10.201.170.187";

/// The registries that have names.
const NAMES: [(&str, &str); 4] = [
    ("public.kingsd.top", "127.0.1.1"),
    ("self-signed.kingsd.top", "127.0.1.2"),
    ("fogjl973.mirror.aliyuncs.com", "127.0.1.3"),
    ("registry-1.docker.io", "127.0.1.4"),
];

/// All of it.
pub(super) struct World {
    namespace: Namespace,
    release: Release,
    registries: Vec<(&'static str, FakeRegistry)>,
    system: PathBuf,
    /// How many nodes there were.
    nodes: Cell<u32>,
    _scratch: Scratch,
}

/// Reads a file, or says why K3s does not start.
pub(super) fn read(yaml: &str) -> Result<RegistriesYaml, YamlError> {
    registries_yaml::read(SourceId(0), yaml).registries
}

impl World {
    /// Inside the network of the test; `None` when the test has run there.
    pub(super) fn enter(test: &str, release: Release) -> Option<Self> {
        let namespace = Namespace::enter(test, &[ADDRESS])?;
        let (trusted, own) = (Authority::new(), Authority::new());
        let scratch = Scratch::within(namespace.fast());
        let system = scratch.write("system.pem", trusted.certificate());
        namespace.cover(Path::new(CERTS));
        let ca = Path::new(CERTS).join("certs/ca.crt");
        fs::create_dir_all(ca.parent().unwrap()).unwrap();
        fs::write(ca, own.certificate()).unwrap();
        namespace.hosts(&NAMES);
        let registries = registries(&trusted, &own);
        Some(Self {
            namespace,
            release,
            registries,
            system,
            nodes: Cell::new(0),
            _scratch: scratch,
        })
    }

    /// A node with this registries.yaml, as K3s sets it up.
    pub(super) fn node(&self, yaml: &str) -> Node {
        let number = self.nodes.replace(self.nodes.get() + 1);
        let data = self.namespace.fast().join(format!("k3s-{number}"));
        let mut options = Options::new(Program::K3s);
        if self.is_debian() {
            // The last line with a containerd before 2.
            options.behaviours = Behaviours::of(Version { minor: 30, patch: 14 });
        }
        options.data_dir = Some(data.to_str().unwrap().to_owned());
        let rendering = Rendering::new(&read(yaml).unwrap(), &options);
        assert_eq!(rendering.error, None);
        for file in &rendering.hosts {
            let path = Path::new(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.rendered.text).unwrap();
        }
        Node::start(&node::Options {
            release: self.release,
            within: self.namespace.fast(),
            system_authorities: Some(&self.system),
            registry: Registry::Given(&rendering.config_toml.text),
        })
    }

    /// A gateway to the registries of this registries.yaml, and a node whose only mirror it is.
    pub(super) fn gateway(&self, yaml: &str, args: &[&str]) -> ((Serving, Place), Node) {
        let place = Place::new();
        place.scratch.write("registries.yaml", yaml);
        let mut all = vec!["--root", "store", "--upstreams", "registries.yaml"];
        all.extend(args);
        let serving = Serving::start_with(&place, &all, |command| {
            command.env("SSL_CERT_FILE", &self.system);
        });
        let node = Node::start(&node::Options {
            release: self.release,
            within: self.namespace.fast(),
            system_authorities: Some(&self.system),
            registry: Registry::Own(""),
        });
        let folder = node.certs().join("_default");
        fs::create_dir_all(&folder).unwrap();
        // As the server too, or else containerd asks the registry itself for what the gateway has not. The server alone
        // is not enough: Debian's containerd does not read a file without a host.
        let url = serving.url();
        let hosts = format!("server = {url:?}\n[host.{url:?}]\n  capabilities = [\"pull\", \"resolve\"]\n");
        fs::write(folder.join("hosts.toml"), hosts).unwrap();
        ((serving, place), node)
    }

    /// Whether it is the old containerd.
    pub(super) fn is_debian(&self) -> bool {
        self.release == Release::Debian
    }

    /// Forgets what was asked so far.
    pub(super) fn forget(&self) {
        for (_, registry) in &self.registries {
            registry.clear_requests();
        }
    }

    /// Which registries were asked what the name means, in order.
    pub(super) fn asked(&self) -> Vec<&'static str> {
        let mut first: Vec<_> = Vec::new();
        for (name, registry) in &self.registries {
            let requests = registry.requests();
            let head = requests
                .iter()
                .position(|request| request.kind == Kind::ManifestHead);
            first.extend(head.map(|at| (registry.started() + requests[at].at, *name)));
        }
        first.sort();
        first.into_iter().map(|(_, name)| name).collect()
    }

    /// All that was asked.
    pub(super) fn told(&self) -> String {
        let mut out = String::new();
        for (name, registry) in &self.registries {
            for request in registry.requests() {
                let _ = writeln!(out, "{name}: {}", request.line());
            }
        }
        out
    }
}

/// The registries, each on the port that its URL means.
fn registries(trusted: &Authority, own: &Authority) -> Vec<(&'static str, FakeRegistry)> {
    let (user, password) = ACCOUNT;
    let bearer = || Auth::Bearer(Bearer::account(user, password));
    let [public, self_signed, mirror, hub] = NAMES;
    let plain = holding(&["demo/nginx:1.27", "demo/ubuntu:24.04"])
        .auth(Auth::basic(user, password))
        .start_on(format!("{ADDRESS}:80").parse().unwrap());
    let public_has = ["demo/nginx:1.27", "demo/ubuntu:20.04"];
    let self_signed_has = ["demo/nginx:1.27", "demo/ubuntu:22.04"];
    vec![
        secure(public, trusted, bearer(), &public_has),
        secure(self_signed, own, bearer(), &self_signed_has),
        secure(mirror, trusted, Auth::None, &["library/busybox:1.36"]),
        secure(hub, trusted, Auth::None, &[]),
        (ADDRESS, plain),
    ]
}

fn secure(
    (name, address): (&'static str, &str),
    authority: &Authority,
    auth: Auth,
    images: &[&str],
) -> (&'static str, FakeRegistry) {
    let builder = holding(images)
        .tls(authority.issue(&[name]))
        .public_url(format!("https://{name}"))
        .auth(auth);
    (name, builder.start_on(format!("{address}:443").parse().unwrap()))
}

/// A registry with small images, each of which says its own name.
fn holding(images: &[&str]) -> Builder {
    let mut builder = FakeRegistry::builder();
    for image in images {
        builder = builder.workload(&Workload::hello(image, image));
    }
    builder
}
