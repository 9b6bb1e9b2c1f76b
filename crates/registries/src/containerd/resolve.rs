//! A whole pull in simulation: which name resolves where, and where its content is fetched.

use landfall_oci::{Digest, Reference};

use super::answers::{Answers, Method, Trace, shown};
use super::exchange::{Exchange, Reply};
use super::explain::Wanted;
use super::log::LogLine;
use super::release::{ErrorRule, ForbiddenBody, StatusWords};
use super::setup::{Containerd, Hosts};

/// Errors by how much they say; of those that say most the first is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Connection,
    NotFound,
    Status,
}

/// The search for a name.
struct Search<'a> {
    exchange: Exchange<'a>,
    error: Option<(Class, String)>,
    log: Vec<LogLine>,
}

/// How a search ended.
enum End {
    Found(String),
    Failed(String),
}

/// Something that a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its digest.
    pub digest: Digest,
    /// A manifest or an index; else a blob.
    pub manifest: bool,
}

impl Containerd {
    /// Plays the resolution of an image against given answers. (The content is then fetched object by object, each
    /// from the first host on: [`Self::fetch`].)
    #[must_use]
    pub fn simulate(&self, image: &Reference, answers: &mut dyn Answers) -> Trace {
        let wanted = Wanted::new(image);
        let hosts = self.hosts(&wanted.registry);
        if let Some(fault) = &hosts.fault {
            return Trace {
                resolve_error: Some(fault.text.clone()),
                log: hosts.log,
                ..Trace::default()
            };
        }
        let mut search = Search {
            exchange: Exchange::new(self, wanted.clone(), &hosts, answers),
            error: None,
            log: hosts.log.clone(),
        };
        let end = search.run(&wanted, &hosts);
        let mut trace = Trace {
            requests: search.exchange.requests,
            log: search.log,
            ..Trace::default()
        };
        match end {
            End::Found(host) => (trace.resolved, trace.served_by) = (true, Some(host)),
            End::Failed(words) => trace.resolve_error = Some(words),
        }
        trace
    }

    /// Plays the fetching of objects after the image was resolved: each by GET from the first host on. All hosts are
    /// asked, also those that may not pull, as long as one may.
    #[must_use]
    pub fn fetch(&self, image: &Reference, objects: &[Object], answers: &mut dyn Answers) -> Trace {
        let wanted = Wanted::new(image);
        let hosts = self.hosts(&wanted.registry);
        let mut trace = Trace {
            resolve_error: hosts.fault.as_ref().map(|fault| fault.text.clone()),
            ..Trace::default()
        };
        if trace.resolve_error.is_none() && !hosts.endpoints.iter().any(|endpoint| endpoint.pull) {
            trace.resolve_error = Some("no pull hosts: not found".to_owned());
        }
        // Tokens and the fall back to plain HTTP last for all objects; those of the resolution are forgotten.
        let mut exchange = Exchange::new(self, wanted, &hosts, answers);
        for object in objects {
            if trace.resolve_error.is_some() {
                break;
            }
            exchange.wanted.object = object.digest.to_string();
            let kind = if object.manifest { "manifests" } else { "blobs" };
            let mut first = None;
            trace.served_by = None;
            for (index, endpoint) in hosts.endpoints.iter().enumerate() {
                let last = index + 1 == hosts.endpoints.len();
                let reply = exchange.ask(index, kind, Method::Get, last);
                let words = match self.not_fetched(&exchange, index, reply, object) {
                    Some(words) => words,
                    None => {
                        trace.served_by = Some(endpoint.target.host.clone());
                        break;
                    }
                };
                first.get_or_insert(words);
            }
            if trace.served_by.is_none() {
                trace.resolve_error = first;
            }
        }
        trace.requests = exchange.requests;
        trace.resolved = trace.resolve_error.is_none();
        trace
    }

    /// Why a host did not give an object.
    fn not_fetched(
        &self,
        exchange: &Exchange<'_>,
        index: usize,
        reply: Reply,
        object: &Object,
    ) -> Option<String> {
        let url = exchange.requests.last().map_or("", |sent| &sent.request.url);
        Some(match reply {
            Reply::NoDigest | Reply::NoSize | Reply::Status(..=299, _) => return None,
            Reply::Status(404, _) if object.manifest => {
                format!("content at {} not found: not found", exchange.named(index))
            }
            Reply::Status(404, _) => {
                format!(
                    "could not fetch content descriptor {} from remote: not found",
                    object.digest
                )
            }
            Reply::Status(status, method) => match self.setup().behaviour.status_words {
                StatusWords::PullingFromHost => format!("unexpected status code {url}: {}", shown(status)),
                StatusWords::UnexpectedStatus => status_of_request(method, url, status),
            },
            Reply::Error { words, .. } => words,
        })
    }
}

fn status_of_request(method: Method, url: &str, status: u16) -> String {
    format!(
        "unexpected status from {} request to {url}: {}",
        method.as_str(),
        shown(status)
    )
}

impl Search<'_> {
    fn run(&mut self, wanted: &Wanted, hosts: &Hosts) -> End {
        let behaviour = self.exchange.containerd.setup().behaviour;
        let asked: Vec<usize> = hosts
            .endpoints
            .iter()
            .enumerate()
            .filter(|(_, endpoint)| endpoint.skipped(wanted).is_none())
            .map(|(index, _)| index)
            .collect();
        if asked.is_empty() {
            return End::Failed("no resolve hosts: not found".to_owned());
        }
        for kind in wanted.rounds() {
            let worst = self.error.as_ref().map(|(class, _)| *class);
            if behaviour.status_ends_search && worst == Some(Class::Status) {
                break;
            }
            for (place, &index) in asked.iter().enumerate() {
                let last = place + 1 == asked.len();
                if let Some(end) = self.host(wanted, hosts, index, kind, last) {
                    return end;
                }
            }
        }
        let error = self.error.take().map(|(_, words)| words);
        End::Failed(error.unwrap_or_else(|| format!("{}: not found", wanted.text)))
    }

    /// Asks one host; `None` sends the search on to the next.
    fn host(&mut self, wanted: &Wanted, hosts: &Hosts, index: usize, kind: &str, last: bool) -> Option<End> {
        let host = hosts.endpoints.get(index)?.target.host.clone();
        let span = hosts.endpoints.get(index)?.span;
        let reply = self.exchange.ask(index, kind, Method::Head, last);
        let (class, words, status) = match reply {
            Reply::Error { words, denied } => {
                let denied = if denied { DENIED } else { "" };
                (Class::Connection, format!("{denied}{words}"), None)
            }
            Reply::NoDigest if wanted.digest => return Some(End::Found(host)),
            Reply::NoDigest | Reply::NoSize => return Some(self.by_content(wanted, index, kind, &host)),
            Reply::Status(..=299, _) => return Some(End::Found(host)),
            Reply::Status(status @ 300..=399, method) => {
                return Some(End::Failed(self.status(
                    wanted,
                    kind,
                    &host,
                    status,
                    method,
                    "unexpected ",
                )));
            }
            Reply::Status(404, _) => (Class::NotFound, format!("{}: not found", wanted.text), Some(404)),
            Reply::Status(status, method) => {
                let words = self.status(wanted, kind, &host, status, method, "");
                if status == 403 {
                    self.forbidden(index, kind, method);
                }
                (Class::Status, words, Some(status))
            }
        };
        let line = self.line(last, status, &words);
        self.log.push(LogLine::new(line, span));
        self.remember(class, words);
        None
    }

    fn remember(&mut self, class: Class, words: String) {
        let rule = self.exchange.containerd.setup().behaviour.errors;
        let better = match (rule, &self.error) {
            (ErrorRule::FirstButNotFound, known) => known.is_none() && class != Class::NotFound,
            (ErrorRule::HighestClass, None) => true,
            (ErrorRule::HighestClass, Some((known, _))) => class > *known,
        };
        if better {
            self.error = Some((class, words));
        }
    }

    /// The GET that is to bring the registry's words about a 403.
    fn forbidden(&mut self, index: usize, kind: &str, method: Method) {
        let wanted = match self.exchange.containerd.setup().behaviour.forbidden_body {
            ForbiddenBody::Never => false,
            ForbiddenBody::OfHead => method == Method::Head,
            ForbiddenBody::UntilWorst => !matches!(self.error, Some((Class::Status, _))),
        };
        if wanted {
            let _ = self.exchange.ask(index, kind, Method::Get, false);
        }
    }

    /// Without a digest in the answer the manifest itself is fetched; its failure is the end.
    fn by_content(&mut self, wanted: &Wanted, index: usize, kind: &str, host: &str) -> End {
        let checked = self.exchange.containerd.setup().behaviour.get_status_checked;
        match self.exchange.ask(index, kind, Method::Get, true) {
            Reply::Error { words, .. } => End::Failed(words),
            Reply::Status(status @ 400.., method) if checked => {
                End::Failed(self.status(wanted, kind, host, status, method, ""))
            }
            _ => End::Found(host.to_owned()),
        }
    }

    fn status(
        &self,
        wanted: &Wanted,
        kind: &str,
        host: &str,
        status: u16,
        method: Method,
        unexpected: &str,
    ) -> String {
        match self.exchange.containerd.setup().behaviour.status_words {
            StatusWords::PullingFromHost => {
                let status = shown(status);
                let what = format!("[{kind} {}]", wanted.object);
                format!("pulling from host {host} failed with {unexpected}status code {what}: {status}")
            }
            StatusWords::UnexpectedStatus => {
                let url = self.exchange.requests.last().map_or("", |sent| &sent.request.url);
                status_of_request(method, url, status)
            }
        }
    }

    fn line(&self, last: bool, status: Option<u16>, words: &str) -> String {
        let rule = self.exchange.containerd.setup().behaviour.errors;
        match (rule, status) {
            (ErrorRule::FirstButNotFound, Some(404)) => {
                "trying next host - response was http.StatusNotFound".to_owned()
            }
            (ErrorRule::FirstButNotFound, _) => format!("trying next host: {words}"),
            (ErrorRule::HighestClass, status) => {
                let next = if last { "fetch failed" } else { "trying next host" };
                match status {
                    Some(status) => format!("{next} after status: {}", shown(status)),
                    None => format!("{next}: {words}"),
                }
            }
        }
    }
}

const DENIED: &str = "pull access denied, repository does not exist or may require authorization: ";
