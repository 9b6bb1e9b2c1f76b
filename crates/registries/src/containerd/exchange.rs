//! One question to one host: challenges answered, refusals repeated, until there is an answer or an error.

use std::collections::BTreeMap;

use super::answers::{Answer, Answers, Authorization, Method, Request, Sent};
use super::credentials;
use super::endpoint::Endpoint;
use super::explain::{Unsent, Wanted, request_url};
use super::setup::{Containerd, Hosts};
use crate::Presented;
use crate::go::{net, quote::quote};

/// What a question came to.
pub(super) enum Reply {
    /// A status that is not repeated, and the method it came to.
    Status(u16, Method),
    /// 200 without a digest.
    NoDigest,
    NoSize,
    /// No answer.
    Error {
        words: String,
        /// The registry does not want us.
        denied: bool,
    },
}

/// How a host was told who we are, until it is told anew.
enum Handler {
    Basic,
    /// What came of fetching a token, and whether it was fetched yet.
    Bearer(Result<(), String>, bool),
}

/// A pull under way.
pub(super) struct Exchange<'a> {
    pub(super) containerd: &'a Containerd,
    pub(super) wanted: Wanted,
    pub(super) hosts: &'a Hosts,
    pub(super) answers: &'a mut dyn Answers,
    pub(super) requests: Vec<Sent>,
    /// By client and host: hosts without certificates of their own share one client.
    handlers: BTreeMap<(usize, String), Handler>,
    /// Clients that have fallen back to plain HTTP.
    fallen: Vec<usize>,
}

/// One question, as far as it has come.
struct Question<'q> {
    index: usize,
    kind: &'q str,
    method: Method,
    last: bool,
    /// The answers so far, with the methods they came to.
    answers: Vec<(u16, Method)>,
    /// Attempts, with those that got no answer.
    sent: usize,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        containerd: &'a Containerd,
        wanted: Wanted,
        hosts: &'a Hosts,
        answers: &'a mut dyn Answers,
    ) -> Self {
        Self {
            containerd,
            wanted,
            hosts,
            answers,
            requests: Vec::new(),
            handlers: BTreeMap::new(),
            fallen: Vec::new(),
        }
    }

    /// Asks a host, as often as it takes.
    pub(super) fn ask(&mut self, index: usize, kind: &str, method: Method, last: bool) -> Reply {
        let behaviour = self.containerd.setup().behaviour;
        let mut question = Question {
            index,
            kind,
            method,
            last,
            answers: Vec::new(),
            sent: 0,
        };
        loop {
            let answer = match self.send(&mut question) {
                Ok(answer) => answer,
                Err(words) => return Reply::Error { words, denied: false },
            };
            let status = answer.status().unwrap_or_default();
            question.answers.push((status, question.method));
            let reply = match answer {
                Answer::NoDigest => Reply::NoDigest,
                Answer::NoSize => Reply::NoSize,
                _ => Reply::Status(status, question.method),
            };
            // Older releases look at the count first, newer ones after they have made up their mind.
            let counted_first = behaviour.budget > 5;
            let spent = match counted_first {
                true => question.answers.len() >= behaviour.budget,
                false => question.sent >= behaviour.budget,
            };
            if counted_first && spent {
                return reply;
            }
            match self.again(&mut question, &answer) {
                Err(error) => return error,
                Ok(true) if !spent => {}
                Ok(_) => return reply,
            }
        }
    }

    /// Whether the question is put again.
    fn again(&mut self, question: &mut Question<'_>, answer: &Answer) -> Result<bool, Reply> {
        let behaviour = self.containerd.setup().behaviour;
        match question.answers.last().map_or(0, |(status, _)| *status) {
            401 => self.challenged(question, answer),
            405 if question.method == Method::Head && question.kind == "manifests" => {
                question.method = Method::Get;
                Ok(true)
            }
            408 | 429 => Ok(true),
            status @ (500 | 503 | 504) if behaviour.last_host_again => {
                let before = question.answers.iter().rev().nth(1).map(|(status, _)| *status);
                Ok(before != Some(status) && question.last)
            }
            _ => Ok(false),
        }
    }

    fn challenged(&mut self, question: &Question<'_>, answer: &Answer) -> Result<bool, Reply> {
        let behaviour = self.containerd.setup().behaviour;
        let key = self.client(question.index);
        match answer {
            Answer::Basic => match self.presented(question.index) {
                Presented::Broken(words) => Err(Reply::Error { words, denied: false }),
                Presented::Basic { password, .. } if !password.is_empty() => {
                    self.handlers.insert(key, Handler::Basic);
                    Ok(true)
                }
                _ if behaviour.basic_needs_credentials => Err(Reply::Error {
                    words: "authorization failed: no basic auth credentials".to_owned(),
                    denied: true,
                }),
                _ => Ok(false),
            },
            Answer::NoRealm => {
                let words = match self.presented(question.index) {
                    Presented::Broken(words) => words,
                    _ => "no realm specified for token auth challenge".to_owned(),
                };
                Err(Reply::Error { words, denied: false })
            }
            Answer::Bearer { error, token } => {
                if let Some(error) = error {
                    if repeated(question) {
                        self.handlers.remove(&key);
                        return Err(Reply::Error {
                            words: format!("server message: {error}: authorization failed"),
                            denied: true,
                        });
                    }
                    if behaviour.token_again {
                        self.handlers.remove(&key);
                    }
                }
                if self.handlers.contains_key(&key) {
                    return Ok(true);
                }
                if let Presented::Broken(words) = self.presented(question.index) {
                    return Err(Reply::Error { words, denied: false });
                }
                self.handlers.insert(key, Handler::Bearer(token.clone(), false));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Sends a request; on the last host again and again, while time runs out or lines are cut.
    fn send(&mut self, question: &mut Question<'_>) -> Result<Answer, String> {
        let behaviour = self.containerd.setup().behaviour;
        loop {
            let outcome = self.once(question);
            question.sent += 1;
            let answer = match outcome? {
                answer if answer.status().is_some() => return Ok(answer),
                answer => answer,
            };
            let words = self.words(&answer, question);
            let transient = matches!(answer, Answer::TimedOut | Answer::Cut);
            let again = behaviour.transport_again && question.last && transient;
            if !again || question.sent >= behaviour.budget {
                return Err(words);
            }
        }
    }

    fn once(&mut self, question: &Question<'_>) -> Result<Answer, String> {
        let endpoint = self.endpoint(question.index);
        let rewritten = endpoint.rules.results(&self.wanted.repository).into_iter().next();
        let repository = rewritten.map_or_else(|| self.wanted.repository.clone(), |new| new.repository);
        let (mut url, unsent) = request_url(endpoint, &self.wanted, question.kind, &repository);
        match unsent {
            Some(Unsent::Url(words)) => return Err(words),
            Some(unsent) => return Err(failed(question.method, &url, &unsent.to_string())),
            None => {}
        }
        let (fallback, host) = (endpoint.http_fallback, endpoint.target.host.clone());
        let secure = endpoint.target.scheme == "https";
        let key = self.client(question.index);
        if let Some(Handler::Bearer(_, fetched @ false)) = self.handlers.get_mut(&key) {
            *fetched = true;
            self.answers.token(&host);
        }
        let authorization = match self.handlers.get(&key) {
            None => Authorization::None,
            Some(Handler::Basic) => Authorization::Basic,
            Some(Handler::Bearer(Ok(()), _)) => Authorization::Bearer,
            Some(Handler::Bearer(Err(words), _)) => return Err(format!("failed to authorize: {words}")),
        };
        if secure && !self.answers.speaks_tls(&host) {
            if !fallback {
                let words = "http: server gave HTTP response to HTTPS client";
                return Err(failed(question.method, &url, words));
            }
            self.fallen.push(question.index);
        }
        if self.fallen.contains(&question.index) {
            url = plain(&url);
        }
        let mut request = Request {
            method: question.method,
            url,
            host,
            authorization,
            presented: self.presented(question.index),
            tls: endpoint.tls.clone(),
        };
        let answer = self.put(&request);
        // Without a port HTTP is another address, which is tried too.
        let elsewhere = matches!(answer, Answer::Refused | Answer::TimedOut)
            && net::split_host_port(&request.host).is_none()
            && request.url.starts_with("https:");
        if !(fallback && elsewhere) {
            return Ok(answer);
        }
        self.fallen.push(question.index);
        request.url = plain(&request.url);
        Ok(self.put(&request))
    }

    fn put(&mut self, request: &Request) -> Answer {
        let answer = self.answers.answer(request);
        self.requests.push(Sent {
            request: request.clone(),
            answer: answer.clone(),
        });
        answer
    }

    fn endpoint(&self, index: usize) -> &'a Endpoint {
        &self.hosts.endpoints[index]
    }

    fn client(&self, index: usize) -> (usize, String) {
        let endpoint = self.endpoint(index);
        let client = if endpoint.own_client { index + 1 } else { 0 };
        (client, endpoint.target.host.clone())
    }

    fn presented(&self, index: usize) -> Presented {
        let setup = self.containerd.setup();
        let host = &self.endpoint(index).target.host;
        credentials::present(&setup.credentials, host, setup.docker_io_alias).0
    }

    /// Go's words for an answer that is none.
    fn words(&self, answer: &Answer, question: &Question<'_>) -> String {
        let url = self.requests.last().map_or("", |sent| &sent.request.url);
        let host = &self.endpoint(question.index).target.host;
        let port = if url.starts_with("http:") { "80" } else { "443" };
        let address = match net::split_host_port(host) {
            Some(_) => host.clone(),
            None => format!("{host}:{port}"),
        };
        let words = match answer {
            Answer::Refused => format!("dial tcp {address}: connect: connection refused"),
            Answer::NoSuchHost => {
                let name = net::split_host_port(host).map_or(host.as_str(), |(name, _)| name);
                format!("dial tcp: lookup {name}: no such host")
            }
            Answer::TimedOut => "net/http: timeout awaiting response headers".to_owned(),
            Answer::Cut => "EOF".to_owned(),
            Answer::Untrusted(why) => format!("tls: failed to verify certificate: {why}"),
            _ => String::new(),
        };
        failed(question.method, &self.named(question.index), &words)
    }

    /// The URL of the last request as errors have it that do not come from an answer: the one that was asked for, not
    /// the one that was fallen back to.
    pub(super) fn named(&self, index: usize) -> String {
        let url = self.requests.last().map_or("", |sent| &sent.request.url);
        match self.endpoint(index).http_fallback {
            true => url.replacen("http:", "https:", 1),
            false => url.to_owned(),
        }
    }
}

fn failed(method: Method, url: &str, words: &str) -> String {
    format!(
        "failed to do request: {} {}: {words}",
        method.in_error(),
        quote(url)
    )
}

fn plain(url: &str) -> String {
    url.replacen("https:", "http:", 1)
}

/// Whether the same request was answered before.
fn repeated(question: &Question<'_>) -> bool {
    matches!(question.answers.as_slice(), [.., (_, a), (_, b)] if a == b)
}
