//! Configurations from a seed: every feature of hosts.toml and of the directory tree, mixed as nobody would, with
//! enough that works for pulls to get far.

mod hosts;
mod script;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use landfall_testkit::farm::Tiny;
use landfall_testkit::peers::node::Account;
use landfall_testkit::workload::seeded::Random;

use super::case::{Case, Dir, Server};
use super::pki::{Material, Security};

/// How many of a hundred cases share names (docker.io, `_default`) and run alone.
const ALONE: u64 = 8;

/// Makes one case.
pub(super) struct Generator {
    random: Random,
    index: usize,
    /// Where the files of [`Material`] are on the node.
    pki: PathBuf,
    image: Arc<Tiny>,
    servers: Vec<Server>,
    accounts: Vec<Account>,
}

/// `host[:port]` as a URL has it, and whether TLS is spoken there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    host: String,
    security: Security,
}

/// The case of a seed.
pub(crate) fn case(seed: u64, index: usize, pki: PathBuf) -> Case {
    let seed = seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
    let generator = Generator {
        random: Random::new(seed),
        index,
        pki,
        image: Arc::new(Tiny::new(index as u64)),
        servers: Vec::new(),
        accounts: Vec::new(),
    };
    generator.build()
}

/// The names of a case, for `/etc/hosts`.
pub(crate) fn names(index: usize) -> Vec<(String, String)> {
    let own = (format!("c{index}.test"), address(index, 0).to_string());
    let others = (1..16).map(|number| {
        (
            format!("e{number}.c{index}.test"),
            address(index, number).to_string(),
        )
    });
    std::iter::once(own).chain(others).collect()
}

/// Names that all cases share.
pub(crate) const SHARED: [(&str, &str); 3] = [
    ("registry-1.docker.io", "127.0.2.1"),
    ("docker.io", "127.0.2.2"),
    ("index.docker.io", "127.0.2.3"),
];

/// Credentials that all cases share: those of registry-1.docker.io count, the other does not.
fn shared_accounts() -> [Account; 2] {
    let all = [
        ("registry-1.docker.io", "admin", "Harbor12345"),
        ("docker.io", "nobody", "nothing"),
    ];
    all.map(|(host, username, password)| Account {
        host: host.to_owned(),
        username: username.to_owned(),
        password: password.to_owned(),
        ..Account::default()
    })
}

/// Sixteen addresses for each case.
fn address(index: usize, number: usize) -> Ipv4Addr {
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 0));
    Ipv4Addr::from(first + u32::try_from(index * 16 + number).unwrap())
}

impl Generator {
    fn build(mut self) -> Case {
        let alone = self.chance(ALONE);
        let registry = if alone && self.chance(50) {
            self.docker_hub()
        } else {
            self.registry()
        };
        let dirs = self.dirs(&registry, alone);
        let image = self.reference(&registry);
        self.accounts_of_nobody();
        if alone {
            self.accounts.extend(shared_accounts());
        }
        Case {
            index: self.index,
            image,
            alone,
            dirs,
            accounts: self.accounts,
            servers: self.servers,
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.random.below(from.len() as u64);
        from[usize::try_from(at).unwrap()]
    }

    /// The registry of the image: its name, and mostly a server behind it.
    fn registry(&mut self) -> Place {
        let ip = address(self.index, 0);
        let name = format!("c{}.test", self.index);
        let own = u16::try_from(20_000 + self.index).unwrap();
        let (host, at) = match self.random.below(12) {
            0..=3 => (name.clone(), None),
            4 | 5 => (format!("{name}:5000"), Some(5000)),
            6 => (format!("{name}:443"), Some(443)),
            7 => (format!("{name}:80"), Some(80)),
            8 => (format!("{ip}:5000"), Some(5000)),
            9 => (format!("{ip}:{}", self.pick(&[80, 443])), None),
            10 => (ip.to_string(), None),
            _ => {
                let place = format!("localhost:{own}");
                let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), own);
                let security = self.security();
                return self.serve(&place, "localhost", Some(at), security);
            }
        };
        let security = self.security();
        let port = at.or_else(|| host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()));
        let port = port.unwrap_or(if security == Security::Plain { 80 } else { 443 });
        self.serve(&host, &name, Some(SocketAddr::new(ip.into(), port)), security)
    }

    /// Docker Hub, with servers behind some of its names.
    fn docker_hub(&mut self) -> Place {
        for (name, address) in SHARED {
            if self.chance(70) {
                let at = SocketAddr::new(address.parse().unwrap(), self.pick(&[443, 443, 443, 80]));
                let security = match at.port() {
                    80 => Security::Plain,
                    _ => Security::System,
                };
                self.serve(name, name, Some(at), security);
            }
        }
        Place {
            host: "docker.io".to_owned(),
            security: Security::System,
        }
    }

    /// A host for a `[host]` table or `server`.
    fn endpoint(&mut self, number: usize) -> Place {
        let ip = address(self.index, number);
        let name = format!("e{number}.c{}.test", self.index);
        let security = self.security();
        let port = match self.random.below(10) {
            0..=3 => None,
            4 => Some(80),
            5 => Some(443),
            _ => Some(5000 + u16::try_from(number).unwrap()),
        };
        let shown = if self.chance(30) {
            ip.to_string()
        } else {
            name.clone()
        };
        let host = port.map_or(shown.clone(), |port| format!("{shown}:{port}"));
        let port = port.unwrap_or(if security == Security::Plain { 80 } else { 443 });
        let exists = !self.chance(8);
        self.serve(
            &host,
            &name,
            exists.then(|| SocketAddr::new(ip.into(), port)),
            security,
        )
    }

    fn serve(&mut self, host: &str, name: &str, at: Option<SocketAddr>, security: Security) -> Place {
        let place = Place {
            host: host.to_owned(),
            security,
        };
        if let Some(at) = at {
            let script = self.script(&place);
            self.servers.push(Server {
                name: name.to_owned(),
                at,
                security,
                script,
            });
        }
        place
    }

    fn security(&mut self) -> Security {
        match self.random.below(20) {
            0..=6 => Security::Plain,
            7..=12 => Security::System,
            13..=15 => Security::Known,
            16 | 17 => Security::SelfSigned,
            _ => Security::Mutual,
        }
    }

    fn reference(&mut self, registry: &Place) -> String {
        let host = &registry.host;
        let index = self.index;
        let digest = self.image.digest;
        let name = match self.random.below(8) {
            0 if host == "docker.io" => format!("case{index}"),
            0 => format!("{host}/one{index}"),
            1 => format!("{host}/a/b/c{index}/app"),
            2 => format!("{host}/a_b/c-{index}.x"),
            _ => format!("{host}/c{index}/app"),
        };
        let other = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        match self.random.below(12) {
            0 => name,
            1..=3 => format!("{name}@{digest}"),
            4 => format!("{name}@{other}"),
            5 => format!("{name}:1.0@{digest}"),
            _ => format!("{name}:{}", self.pick(&["1.0", "latest", "v1_2-x.y"])),
        }
    }

    /// The directories of the registry: mostly one with hosts.toml.
    fn dirs(&mut self, registry: &Place, alone: bool) -> Vec<Dir> {
        let host = registry.host.clone();
        let mut names = match host.rsplit_once(':') {
            Some((before, port)) => {
                let under = format!("{before}_{port}_");
                match self.random.below(10) {
                    0..=5 => vec![host],
                    6 | 7 => vec![under],
                    8 => vec![host, under],
                    _ if before == "localhost" => vec![host],
                    _ => vec![before.to_owned()],
                }
            }
            None => vec![host],
        };
        if self.chance(5) {
            names.clear();
        }
        if alone && self.chance(60) {
            if self.chance(70) {
                names.clear();
            }
            names.push("_default".to_owned());
        }
        names
            .into_iter()
            .enumerate()
            .map(|(nth, name)| self.dir(name, registry, nth))
            .collect()
    }

    fn dir(&mut self, name: String, registry: &Place, nth: usize) -> Dir {
        let hosts_toml = (!self.chance(8)).then(|| self.hosts_toml(registry, nth));
        let mut files = Vec::new();
        if hosts_toml.is_none() || self.chance(5) {
            let ca = self.pick(&[
                Material::KnownCa,
                Material::KnownCa,
                Material::OtherCa,
                Material::Junk,
            ]);
            let choices = [
                ("ca.crt", ca),
                ("client.cert", Material::Cert),
                ("client.key", Material::Key),
                ("notes.txt", Material::Junk),
            ];
            files.extend(
                choices
                    .into_iter()
                    .filter(|_| self.random.below(2) == 0)
                    .map(|(n, m)| (n.to_owned(), m)),
            );
        }
        // Named relative to the directory by some.
        if hosts_toml
            .as_ref()
            .is_some_and(|text| text.contains("\"near.pem\""))
        {
            files.push(("near.pem".to_owned(), Material::KnownCa));
        }
        Dir {
            name,
            hosts_toml,
            files,
        }
    }

    fn accounts_of_nobody(&mut self) {
        if self.chance(5) {
            self.accounts.push(Account {
                host: format!("nobody{}.test", self.index),
                username: "nobody".to_owned(),
                ..Account::default()
            });
        }
    }
}
