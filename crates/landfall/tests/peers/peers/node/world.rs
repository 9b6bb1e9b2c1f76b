//! The guide's registries in a network of the test's own: a trusted one, one with an authority of its own, one
//! without TLS, a mirror of Docker Hub, and an empty Docker Hub.

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

/// All of it.
pub(super) struct World {
    namespace: Namespace,
    release: Release,
    registries: Vec<(&'static str, FakeRegistry)>,
    system: PathBuf,
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
        let (user, password) = ACCOUNT;
        let bearer = || Auth::Bearer(Bearer::account(user, password));
        let secure =
            |name: &'static str, address: &str, authority: &Authority, auth: Auth, images: &[&str]| {
                let builder = holding(images)
                    .tls(authority.issue(&[name]))
                    .public_url(format!("https://{name}"))
                    .auth(auth)
                    .listen(format!("{address}:443").parse().unwrap());
                (name, builder.start())
            };
        let plain = holding(&["demo/nginx:1.27", "demo/ubuntu:24.04"])
            .auth(Auth::basic(user, password))
            .listen(format!("{ADDRESS}:80").parse().unwrap());
        let names = [
            ("public.kingsd.top", "127.0.1.1"),
            ("self-signed.kingsd.top", "127.0.1.2"),
            ("fogjl973.mirror.aliyuncs.com", "127.0.1.3"),
            ("registry-1.docker.io", "127.0.1.4"),
        ];
        namespace.hosts(&names);
        let [public, own_name, mirror, hub] = names;
        let registries = vec![
            secure(
                public.0,
                public.1,
                &trusted,
                bearer(),
                &["demo/nginx:1.27", "demo/ubuntu:20.04"],
            ),
            secure(
                own_name.0,
                own_name.1,
                &own,
                bearer(),
                &["demo/nginx:1.27", "demo/ubuntu:22.04"],
            ),
            secure(
                mirror.0,
                mirror.1,
                &trusted,
                Auth::None,
                &["library/busybox:1.36"],
            ),
            secure(hub.0, hub.1, &trusted, Auth::None, &[]),
            (ADDRESS, plain.start()),
        ];
        Some(Self {
            namespace,
            release,
            registries,
            system,
            _scratch: scratch,
        })
    }

    /// A node with this registries.yaml, as K3s sets it up.
    pub(super) fn node(&self, yaml: &str) -> Node {
        let data = Scratch::within(self.namespace.fast());
        let mut options = Options::new(Program::K3s);
        if self.release == Release::Debian {
            // The last line with a containerd before 2.
            options.behaviours = Behaviours::of(Version { minor: 30, patch: 14 });
        }
        // Not below the scratch folder, which would go before the node does.
        options.data_dir = Some(data.path().to_str().unwrap().to_owned() + "-k3s");
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
        let hosts = format!(
            "[host.{:?}]\n  capabilities = [\"pull\", \"resolve\"]\n",
            serving.url()
        );
        fs::write(folder.join("hosts.toml"), hosts).unwrap();
        ((serving, place), node)
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

/// A registry with small images, each of which says its own name.
fn holding(images: &[&str]) -> Builder {
    let mut builder = FakeRegistry::builder();
    for image in images {
        builder = builder.workload(&Workload::hello(image, image));
    }
    builder
}
