//! The world of a case as the simulation meets it: the same registries, answering by the same scripts.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{SourceId, Span, Spanned};
use landfall_oci::{Digest, Reference};
use landfall_registries::containerd::{
    Answer, Answers, Authorization, Containerd, Credential, FileState, Flavour, Object, Release, Request,
    Setup,
};
use landfall_registries::hosts::{CertsD, HostDir, HostsFile, NOWHERE};
use landfall_registries::{Auth, Presented, TlsUse};
use landfall_testkit::farm::{Act, Ask, Desk, Reply, Tiny, Tokens};
use landfall_testkit::peers::node::Account;

use super::case::{Case, Server};
use super::generate::SHARED;
use super::pki::{Material, Security};
use super::tokens::Flow;

/// The error of an image whose manifest was an empty page.
const EMPTY_PAGE: &str = "unable to fetch descriptor \
    (sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855) \
    which reports content size of zero: invalid argument";

/// What we say will happen.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The requests that reach a registry.
    pub(crate) requests: Vec<String>,
    /// The error, behind containerd's introduction.
    pub(crate) error: Option<String>,
    /// The whole story, for people.
    pub(crate) story: Vec<String>,
}

/// The configuration of a case on a node whose `certs.d` is here.
pub(crate) fn setup(case: &Case, release: Release, certs: &Path, pki: &Path) -> Setup {
    let mut setup = Setup::new(Flavour::Upstream);
    setup.behaviour = release.behaviour();
    let mut root = CertsD::new(certs.to_str().unwrap());
    for dir in &case.dirs {
        let mut files: Vec<String> = dir.files.iter().map(|(name, _)| name.clone()).collect();
        files.sort();
        for (name, material) in &dir.files {
            let path = format!("{}/{}/{name}", root.path, dir.name);
            setup.files.insert(path, state(*material));
        }
        let hosts_toml = dir.hosts_toml.as_ref().map(|text| HostsFile {
            source: SourceId(0),
            text: text.clone(),
        });
        root.dirs.insert(dir.name.clone(), HostDir { hosts_toml, files });
    }
    setup.roots.push(root);
    for material in [Material::Junk, Material::Missing, Material::Cert] {
        let path = material.within(pki).to_str().unwrap().to_owned();
        setup.files.insert(path, state(material));
    }
    setup.credentials = case.accounts.iter().cloned().map(credential).collect();
    setup
}

fn state(material: Material) -> FileState {
    match material {
        Material::Junk => FileState::NoPem,
        Material::Missing => FileState::Missing,
        Material::Cert => FileState::NoKey,
        _ => FileState::Fine,
    }
}

fn credential(account: Account) -> Credential {
    let plain =
        |text: &str| Some(Spanned::new(text.to_owned(), NOWHERE)).filter(|text| !text.value.is_empty());
    let secret = |text: &str| plain(text).map(|text| text.map(Into::into));
    Credential {
        key: Spanned::new(account.host.clone(), NOWHERE),
        auth: Auth {
            username: plain(&account.username),
            password: secret(&account.password),
            auth: secret(&account.auth),
            identity_token: secret(&account.identity_token),
        },
        span: Span { start: 1, ..NOWHERE },
    }
}

/// Plays the whole pull.
pub(crate) fn tell(case: &Case, containerd: &Containerd, image: &Tiny, pki: &Path) -> Told {
    let reference = Reference::parse(&case.image).unwrap().with_default_tag();
    let mut world = World {
        case,
        pki,
        names: names(case),
        desks: case
            .servers
            .iter()
            .map(|server| (server.at, Desk::new(server.script.clone())))
            .collect(),
        repository: reference.repository().to_string(),
        flows: HashMap::new(),
        lines: Vec::new(),
    };
    let trace = containerd.simulate(&reference, &mut world);
    let mut told = Told {
        story: trace.requests.iter().map(ToString::to_string).collect(),
        error: trace
            .resolve_error
            .map(|words| format!("failed to resolve reference {:?}: {words}", full(&reference))),
        ..Told::default()
    };
    // Some errors' pages are taken for the manifest; ours are empty.
    let status = trace.requests.last().and_then(|sent| sent.answer.status());
    if trace.resolved && status.is_some_and(|status| status >= 300) {
        told.error = Some(EMPTY_PAGE.to_owned());
    } else if trace.resolved {
        let by_blob = trace
            .requests
            .last()
            .is_some_and(|sent| sent.request.url.contains("/blobs/"));
        let fetched = containerd.fetch(&reference, &objects(image, by_blob), &mut world);
        told.story.push("fetch:".to_owned());
        told.story
            .extend(fetched.requests.iter().map(ToString::to_string));
        told.error = fetched.resolve_error;
    }
    told.story.extend(told.error.clone());
    told.requests = world.lines;
    told
}

/// Whether an error holds words that the world would have had to say: of certificates, sockets, token servers.
pub(crate) fn is_vague(error: &str) -> bool {
    ["no token", "x509", "no TLS", "dial tcp"]
        .iter()
        .any(|part| error.contains(part))
}

/// The reference as containerd shows it.
fn full(reference: &Reference) -> String {
    match reference.digest() {
        Some(digest) => format!("{}@{digest}", reference.name()),
        None => format!("{}:{}", reference.name(), reference.tag().unwrap()),
    }
}

/// What is fetched, in order: manifest, config, layer. A root that was found as a blob has no children.
fn objects(image: &Tiny, by_blob: bool) -> Vec<Object> {
    let root = Object {
        digest: image.digest,
        manifest: !by_blob,
    };
    let blob = |digest: Digest| Object {
        digest,
        manifest: false,
    };
    let children = image.blobs_in_order();
    std::iter::once(root)
        .chain(children.into_iter().filter(|_| !by_blob).map(blob))
        .collect()
}

fn names(case: &Case) -> HashMap<String, IpAddr> {
    let own = super::generate::names(case.index);
    let shared = SHARED.map(|(name, address)| (name.to_owned(), address.to_owned()));
    let all = own
        .into_iter()
        .chain(shared)
        .chain([("localhost".to_owned(), "127.0.0.1".to_owned())]);
    all.map(|(name, address)| (name, address.parse().unwrap()))
        .collect()
}

struct World<'a> {
    case: &'a Case,
    pki: &'a Path,
    names: HashMap<String, IpAddr>,
    desks: BTreeMap<SocketAddr, Desk>,
    repository: String,
    /// By host: where a token is fetched, and by which requests.
    flows: HashMap<String, Flow>,
    lines: Vec<String>,
}

impl World<'_> {
    /// Where a host of a URL is; `None`: nowhere.
    fn place(&self, host: &str, default_port: u16) -> Option<SocketAddr> {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok()?),
            None => (host, default_port),
        };
        let address = name.parse().ok().or_else(|| self.names.get(name).copied())?;
        Some(SocketAddr::new(address, port))
    }

    fn server(&self, at: SocketAddr) -> Option<&Server> {
        // A later server at an address takes the place of an earlier one.
        self.case.servers.iter().rev().find(|server| server.at == at)
    }

    /// Whether the two shake hands.
    fn handshake(&self, server: &Server, tls: &TlsUse) -> bool {
        let known = Material::KnownCa.within(self.pki);
        let knows =
            |path: &String| Path::new(path) == known || path.ends_with("/near.pem") || self.is_known(path);
        let trusted = tls.skip_verify
            || match server.security {
                Security::Known => tls.ca.iter().any(knows),
                Security::SelfSigned => false,
                _ => true,
            };
        trusted && (server.security != Security::Mutual || !tls.client.is_empty())
    }

    /// A file of the directory that holds the known authority.
    fn is_known(&self, path: &str) -> bool {
        let mut files = self
            .case
            .dirs
            .iter()
            .flat_map(|dir| dir.files.iter().map(move |file| (dir, file)));
        files.any(|(dir, (name, material))| {
            *material == Material::KnownCa && path.ends_with(&format!("/{}/{name}", dir.name))
        })
    }

    fn authorization(&self, request: &Request, tokens: &Tokens) -> Option<String> {
        match request.authorization {
            Authorization::None => None,
            Authorization::Bearer if tokens.useless => Some("Bearer bad-token".to_owned()),
            Authorization::Bearer => Some("Bearer good-token".to_owned()),
            Authorization::Basic => match &request.presented {
                Presented::Basic { username, password } => Some(format!(
                    "Basic {}",
                    STANDARD.encode(format!("{username}:{}", password.expose()))
                )),
                other => panic!("{other:?} as Basic"),
            },
        }
    }

    /// A registry's answer in the simulation's words.
    fn read(&mut self, reply: &Reply, request: &Request, server: &Server) -> Answer {
        let header = |name: &'static str| {
            reply
                .headers
                .iter()
                .filter(move |(key, _)| *key == name)
                .map(|(_, text)| text)
        };
        match reply.status {
            200 if header("docker-content-digest").next().is_none() => Answer::NoDigest,
            401 => {
                let challenges: Vec<&String> = header("www-authenticate").collect();
                if let Some(bearer) = challenges.iter().find(|text| text.starts_with("Bearer")) {
                    if !bearer.contains("realm=") {
                        return Answer::NoRealm;
                    }
                    let error = bearer
                        .split_once(r#"error=""#)
                        .map(|(_, rest)| rest.trim_end_matches('"').to_owned());
                    let flow = Flow::new(
                        bearer,
                        &server.script.tokens,
                        &request.presented,
                        &self.repository,
                    );
                    let token = flow.outcome.clone();
                    self.flows.insert(request.host.clone(), flow);
                    return Answer::Bearer { error, token };
                }
                match challenges.iter().any(|text| text.starts_with("Basic")) {
                    true => Answer::Basic,
                    false => Answer::Status(401),
                }
            }
            status => Answer::Status(status),
        }
    }
}

impl Answers for World<'_> {
    fn answer(&mut self, request: &Request) -> Answer {
        let secure = request.url.starts_with("https:");
        let after = request.url.split_once("://").map_or("", |(_, rest)| rest);
        let Some(at) = self.place(&request.host, if secure { 443 } else { 80 }) else {
            return Answer::NoSuchHost;
        };
        let Some(server) = self.server(at).cloned() else {
            return Answer::Refused;
        };
        match (secure, server.security) {
            (false, Security::Plain) => {}
            (false, _) => {
                self.lines.push(format!("plain HTTP to {at}, which wants TLS"));
                return Answer::Status(400);
            }
            (true, Security::Plain) => return Answer::Untrusted("no TLS".to_owned()),
            (true, _) if self.handshake(&server, &request.tls) => {}
            (true, _) => return Answer::Untrusted("x509".to_owned()),
        }
        let path = after.find('/').map_or("/", |at| &after[at..]);
        let path = path.split('?').next().unwrap_or_default();
        let authorization = self.authorization(request, &server.script.tokens);
        let kind = authorization
            .as_deref()
            .unwrap_or("-")
            .split(' ')
            .next()
            .unwrap_or_default();
        self.lines
            .push(format!("{} {} {kind}", request.method.as_str(), request.url));
        let ask = Ask {
            method: request.method.as_str(),
            path,
            authorization: authorization.as_deref(),
            form: "",
        };
        match self.desks.get_mut(&at).unwrap().decide(&ask) {
            Act::Hangup => Answer::Cut,
            Act::Answer(reply) => self.read(&reply, request, &server),
        }
    }

    fn token(&mut self, host: &str) {
        self.lines.extend(self.flows[host].lines.iter().cloned());
    }

    fn speaks_tls(&mut self, host: &str) -> bool {
        let at = self.place(host, 443);
        at.and_then(|at| self.server(at))
            .is_none_or(|server| server.security != Security::Plain)
    }
}
