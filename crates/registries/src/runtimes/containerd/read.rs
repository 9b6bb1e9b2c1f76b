//! A certs.d tree as an intent: what containerd makes of it, said in the common words.

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, Severity, Span, Spanned};
use landfall_oci::Secret;

use super::super::Import;
use crate::hosts::{
    Capability, CertsD, Dialect, HostDir, HostEntry, HostSettings, HostsToml, NOWHERE, Target,
};
use crate::intent::{
    Asked, BLOCKED_HOST, Base, Endpoint, Header, Intent, Match, Registry, Rule, RuleKind, Scheme, Subject,
    Trust, Upstream, asked_host, canonical_host,
};
use crate::{Loss, Tls};

/// Reads a tree. Credentials are not in it: they are in config.toml.
#[must_use]
pub fn read(tree: &CertsD, dialect: Dialect) -> Import {
    let mut import = Import::default();
    for (name, dir) in &tree.dirs {
        let folder = format!("{}/{name}", tree.path);
        let Some(matches) = matching(name) else {
            import.losses.push(loss(
                place(dir),
                format!("the directory `{name}`"),
                "directories are named after a registry's host; one with a path never matches an image",
                "use the host alone",
            ));
            continue;
        };
        Reader {
            folder,
            matches,
            dialect,
            import: &mut import,
        }
        .dir(dir);
    }
    import
}

/// `host`, `host:port`, `host_port_`, `_default`.
fn matching(name: &str) -> Option<Match> {
    if name == "_default" {
        return Some(Match::Wildcard);
    }
    if name.contains('/') {
        return None;
    }
    let with_port = name.strip_suffix('_').and_then(|name| name.rsplit_once('_'));
    Some(Match::Exact(match with_port {
        Some((host, port)) => format!("{host}:{port}"),
        None => name.to_owned(),
    }))
}

fn place(dir: &HostDir) -> Span {
    dir.hosts_toml
        .as_ref()
        .map_or(NOWHERE, |file| Span::new(file.source, 0..0))
}

fn loss(span: Span, what: impl Into<String>, why: impl Into<String>, advice: impl Into<String>) -> Loss {
    Loss {
        span: Some(span),
        what: what.into(),
        why: why.into(),
        advice: advice.into(),
    }
}

struct Reader<'a> {
    folder: String,
    matches: Match,
    dialect: Dialect,
    import: &'a mut Import,
}

impl Reader<'_> {
    fn dir(&mut self, dir: &HostDir) {
        let span = place(dir);
        let parsed = dir
            .hosts_toml
            .as_ref()
            .map(|file| HostsToml::parse(file.source, &file.text, self.dialect));
        let (endpoints, upstream) = match parsed {
            Some(Ok(file)) => self.file(&file, span),
            Some(Err(error)) => {
                let diagnostic = Diagnostic::at("H01", Severity::Error, error.span, error.to_string())
                    .consequence("containerd throws the whole file away and asks the registry itself");
                self.import.diagnostics.push(diagnostic);
                self.docker_files(&dir.files);
                (Vec::new(), Spanned::new(Upstream::Allow, span))
            }
            None => {
                self.docker_files(&dir.files);
                (Vec::new(), Spanned::new(Upstream::Allow, span))
            }
        };
        self.import.intent.registries.push(Registry {
            matches: Spanned::new(self.matches.clone(), span),
            upstream,
            endpoints,
        });
    }

    fn file(&mut self, file: &HostsToml, span: Span) -> (Vec<Endpoint>, Spanned<Upstream>) {
        let mut endpoints: Vec<Endpoint> = file.hosts.iter().filter_map(|host| self.host(host)).collect();
        let upstream = match (&file.server, &file.target) {
            (None, _) if self.dialect.fork && !file.hosts.is_empty() => Upstream::Deny,
            (Some(server), Some(target)) if target.host == BLOCKED_HOST && endpoints.is_empty() => {
                return (endpoints, Spanned::new(Upstream::Blocked, server.span));
            }
            (Some(server), Some(target)) => match self.endpoint(server.span, target, &file.root) {
                Some(last) if self.is_own(&last) => Upstream::Allow,
                last => {
                    endpoints.extend(last);
                    Upstream::Deny
                }
            },
            _ => {
                if let Some(host) = self.matches.host().map(str::to_owned) {
                    self.trust(&host, &file.root);
                }
                Upstream::Allow
            }
        };
        let span = file.server.as_ref().map_or(span, |server| server.span);
        (endpoints, Spanned::new(upstream, span))
    }

    /// Whether this is what is asked where nothing is said.
    fn is_own(&self, endpoint: &Endpoint) -> bool {
        let own = self.matches.host().map(asked_host);
        own == Some(endpoint.host.as_str())
            && endpoint.scheme == Scheme::Https
            && endpoint.base == Base::V2(String::new())
            && endpoint.asked.value == Asked::Always
            && endpoint.rewrites.is_empty()
            && endpoint.headers.is_empty()
            && endpoint.dial_timeout.is_none()
    }

    fn host(&mut self, host: &HostEntry) -> Option<Endpoint> {
        self.endpoint(host.url.span, &host.target, &host.settings)
    }

    fn endpoint(&mut self, span: Span, target: &Target, settings: &HostSettings) -> Option<Endpoint> {
        let mut lose = |why: &str, advice: &str| {
            let what = format!("the host `{}`", target.host);
            self.import.losses.push(loss(span, what, why, advice));
        };
        if target.host.is_empty() {
            lose(
                "it names no host, so that it can only fail",
                "write `https://host[:port]`",
            );
            return None;
        }
        let asked = match (settings.can(Capability::Pull), settings.can(Capability::Resolve)) {
            (true, true) => Asked::Always,
            (true, false) => Asked::ByDigest,
            (false, resolves) => {
                let why = match resolves {
                    true => {
                        "it says only what a tag points at and gives no content: no other runtime can do that"
                    }
                    false => "nothing is pulled from it",
                };
                lose(why, "allow `pull` too");
                return None;
            }
        };
        let listed = settings.capabilities.as_ref();
        let (mut scheme, mut plain_http) = match target.scheme.as_str() {
            "http" => (Scheme::Http, None),
            _ => (Scheme::Https, None),
        };
        if scheme == Scheme::Http
            && !target.host.ends_with(":80")
            && let Some(tls) = settings.tls_span()
        {
            // HTTP with TLS settings is HTTPS first.
            (scheme, plain_http) = (Scheme::Https, Some(Spanned::new(true, tls)));
        }
        self.trust(&target.host, settings);
        self.plain_http(&target.host, plain_http);
        Some(Endpoint {
            scheme,
            base: Base::parse(&target.path),
            rewrites: self.rewrites(settings),
            asked: Spanned::new(asked, listed.map_or(span, |listed| listed.span)),
            push: listed
                .filter(|listed| listed.contains(&Capability::Push))
                .map(|listed| listed.span),
            headers: settings.header.iter().map(header).collect(),
            dial_timeout: settings.dial_timeout.clone(),
            ..Endpoint::new(target.host.clone(), span)
        })
    }

    fn rewrites(&self, settings: &HostSettings) -> Vec<Rule> {
        if !self.dialect.fork {
            return Vec::new();
        }
        let rules = settings.rewrite.iter();
        rules
            .map(|rule| Rule {
                kind: RuleKind::from_go(&rule.pattern, &rule.replacement),
                span: rule.pattern.span.to(rule.replacement.span),
            })
            .collect()
    }

    fn plain_http(&mut self, host: &str, truth: Option<Spanned<bool>>) {
        let Some(truth) = truth else { return };
        let trust = trust_of(&mut self.import.intent, host, truth.span);
        trust.plain_http = Some(truth);
    }

    /// TLS belongs to one host in one file here, and to the host everywhere in an intent: what differs is lost.
    fn trust(&mut self, host: &str, settings: &HostSettings) {
        let Some(span) = settings.tls_span() else {
            return;
        };
        let tls = self.tls(settings);
        let canonical = canonical_host(host);
        match self.import.intent.trust_of(host) {
            Some(known) if known.tls == tls => {}
            Some(known) if known.tls != Tls::default() => self.import.losses.push(loss(
                span,
                format!("the certificates for `{canonical}` in this file"),
                "other files of the tree name other ones, and other runtimes know one set for each host",
                "make them the same",
            )),
            _ => trust_of(&mut self.import.intent, canonical, span).tls = tls,
        }
    }

    fn tls(&self, settings: &HostSettings) -> Tls {
        let path = |path: &Spanned<String>| {
            let absolute = path.is_empty() || path.starts_with('/');
            let shown = match absolute {
                true => path.value.clone(),
                false => format!("{}/{}", self.folder, path.value),
            };
            Spanned::new(shown, path.span)
        };
        let pairs = settings.client.iter().flat_map(|client| &client.value);
        Tls {
            ca: settings.ca.iter().flat_map(|ca| &ca.value).map(path).collect(),
            client: pairs
                .map(|pair| {
                    let none = Spanned::new(String::new(), pair.cert.span);
                    (path(&pair.cert), pair.key.as_ref().map_or(none, path))
                })
                .collect(),
            skip_verify: settings.skip_verify.clone(),
        }
    }

    /// Without a usable hosts.toml the folder is read as Docker does.
    fn docker_files(&mut self, files: &[String]) {
        let Some(host) = self.matches.host().map(str::to_owned) else {
            return;
        };
        let at = |name: &str| Spanned::new(format!("{}/{name}", self.folder), NOWHERE);
        let mut tls = Tls::default();
        let pairs: BTreeMap<&str, &String> = files
            .iter()
            .filter_map(|name| Some((name.strip_suffix(".cert")?, name)))
            .collect();
        tls.ca = files
            .iter()
            .filter(|name| name.ends_with(".crt"))
            .map(|name| at(name))
            .collect();
        tls.client = pairs
            .into_iter()
            .map(|(stem, name)| (at(name), at(&format!("{stem}.key"))))
            .collect();
        if tls != Tls::default() && self.import.intent.trust_of(&host).is_none() {
            trust_of(&mut self.import.intent, &host, NOWHERE).tls = tls;
        }
    }
}

fn trust_of<'i>(intent: &'i mut Intent, host: &str, span: Span) -> &'i mut Trust {
    let subject = Subject::Host(canonical_host(host).to_owned());
    let at = intent
        .trust
        .iter()
        .position(|trust| trust.subject.value == subject)
        .unwrap_or_else(|| {
            intent.trust.push(Trust {
                subject: Spanned::new(subject, span),
                tls: Tls::default(),
                plain_http: None,
            });
            intent.trust.len() - 1
        });
    &mut intent.trust[at]
}

fn header((name, values): &(Spanned<String>, Vec<Spanned<String>>)) -> Header {
    let secret = |value: &Spanned<String>| value.clone().map(Secret::from);
    Header {
        name: name.clone(),
        values: values.iter().map(secret).collect(),
    }
}
