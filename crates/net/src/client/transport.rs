//! Sending: the loop of tries around the loop of redirects around one exchange.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connector::Connector;
use super::error::NetError;
use super::options::{PlainHttp, TransportOptions};
use super::pace::{Lane, Pace, Permit};
use super::redirect::{self, MAX_REDIRECTS};
use super::request::Request;
use super::response::{Response, reasons};
use super::retry::{Backoff, Chance, is_retryable, retry_after};
use super::scheme::{Schemes, with_scheme};
use super::shown::ShownUrl;
use super::tls;
use super::trace::TraceEvent;
use super::upload::{Control, Outgoing, StopOnDrop};

/// The transport of one run. Cloning shares connections, pace and everything else.
#[derive(Clone)]
pub struct Transport {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<TransportOptions>,
    user_agent: HeaderValue,
    connector: Connector,
    pool: legacy::Client<Connector, Outgoing>,
    pace: Pace,
    schemes: Schemes,
    chance: Chance,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// Reads the certificate files; to be called before the run, not within it.
    ///
    /// # Errors
    /// [`NetError::TlsFile`] when a file is not usable.
    pub fn new(options: TransportOptions) -> Result<Self, NetError> {
        let options = Arc::new(options);
        let user_agent = HeaderValue::from_str(&options.user_agent).map_err(|_| NetError::InvalidUrl {
            url: "User-Agent".to_owned(),
            reason: "it holds characters that no header may".to_owned(),
        })?;
        let connector = Connector::new(Arc::clone(&options))?;
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(options.timeouts.idle)
            .pool_max_idle_per_host(32)
            .http1_max_buf_size(options.read_buffer_bytes.max(16 * 1024))
            .build(connector.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                user_agent,
                connector,
                pool,
                pace: Pace::default(),
                schemes: Schemes::default(),
                chance: Chance::new(options.retry.jitter),
                options,
            }),
        })
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &TransportOptions {
        &self.inner.options
    }

    /// HTTPS or HTTP, as far as it is known for this host (`host` or `host:port`) now.
    #[must_use]
    pub fn scheme(&self, authority: &str) -> Scheme {
        self.inner.schemes.first(&self.inner.options, authority)
    }

    /// A counter of failures under this transport's retry policy, for work that spans several requests.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        Backoff::new(self.inner.options.retry, self.inner.chance.clone())
    }

    /// Sends a request; follows redirects of GET and HEAD; tries again what may be sent again, while it is worth it.
    /// A response with a bad status is a response: what it means is the caller's affair.
    ///
    /// # Errors
    /// [`NetError`] when no response came, with the number of tries.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, NetError> {
        let mut backoff = self.backoff();
        loop {
            let outcome = self.inner.follow(request).await;
            let asked = match &outcome {
                Ok(response) if is_retryable(response.status()) => {
                    retry_after(response.headers(), SystemTime::now())
                }
                Err(error) if error.is_transient() => None,
                _ => return with_attempts(outcome, backoff.attempts_with_this()),
            };
            let attempts = backoff.attempts_with_this();
            let delay = request.repeatable.then(|| backoff.next_delay(asked)).flatten();
            let Some(delay) = delay else {
                return with_attempts(outcome, attempts);
            };
            match outcome {
                Ok(response) => {
                    tracing::debug!(url = %ShownUrl::new(&request.url), status = %response.status(), ?delay, "again");
                    response.discard().await;
                }
                Err(error) => tracing::debug!(%error, ?delay, "again"),
            }
            tokio::time::sleep(delay).await;
        }
    }
}

fn with_attempts(outcome: Result<Response, NetError>, attempts: u32) -> Result<Response, NetError> {
    match outcome {
        Ok(mut response) => {
            response.attempts = attempts;
            Ok(response)
        }
        Err(error) => Err(error.after_attempts(attempts)),
    }
}

impl Inner {
    /// One try, with its redirects.
    async fn follow(&self, request: &Request<'_>) -> Result<Response, NetError> {
        let mut url = request.url.clone();
        let mut headers = request.headers.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(request, &url, &headers).await?;
            if request.stays {
                return Ok(response);
            }
            let allows_plain = |to: &Uri| {
                to.authority()
                    .is_some_and(|authority| Schemes::allows_plain(&self.options, authority.as_str()))
            };
            let from = response.url().clone();
            let next = redirect::next(
                &request.method,
                &from,
                response.status(),
                response.headers(),
                allows_plain,
            )?;
            let Some(to) = next else {
                return Ok(response);
            };
            self.options.trace.tell(|| TraceEvent::Redirect {
                from: ShownUrl::new(&from),
                to: ShownUrl::new(&to),
            });
            response.discard().await;
            redirect::strip_secrets(&mut headers, &from, &to);
            url = to;
        }
        Err(NetError::TooManyRedirects {
            url: ShownUrl::new(&request.url),
            limit: MAX_REDIRECTS,
        })
    }

    /// One request and the head of its answer; on loopback perhaps a second one without TLS.
    async fn exchange(
        &self,
        request: &Request<'_>,
        url: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, NetError> {
        let authority = url
            .authority()
            .map(|authority| authority.as_str())
            .unwrap_or_default();
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        if !is_https && !Schemes::allows_plain(&self.options, authority) {
            return Err(NetError::PlainHttpRefused {
                url: ShownUrl::new(url),
            });
        }
        let can_fall_back = is_https && self.schemes.may_fall_back(&self.options, authority);
        let is_known_plain = can_fall_back && self.schemes.first(&self.options, authority) == Scheme::HTTP;
        let plain = || with_scheme(url, Scheme::HTTP);
        if is_known_plain {
            return self.once(request, plain(), headers).await;
        }
        let outcome = match self.once(request, url.clone(), headers).await {
            Err(error) if can_fall_back && self.has_no_tls(url, &error) => {
                self.once(request, plain(), headers).await
            }
            outcome => outcome,
        };
        if let Ok(response) = &outcome {
            self.schemes.learn(&self.options, response.url());
        }
        outcome
    }

    /// Whether an HTTPS request failed as it does where there is no HTTPS.
    fn has_no_tls(&self, url: &Uri, error: &NetError) -> bool {
        let authority = url.authority().map(|authority| authority.as_str());
        let either = self.options.host(authority.unwrap_or_default()).plain_http == PlainHttp::Fallback;
        let is_silent = matches!(error.root(), NetError::Connect { .. } | NetError::Timeout { .. });
        error.is_not_tls() || either && url.port().is_none() && is_silent
    }

    async fn once(&self, request: &Request<'_>, url: Uri, headers: &HeaderMap) -> Result<Response, NetError> {
        let authority = url
            .authority()
            .map(|authority| authority.as_str())
            .unwrap_or_default();
        let lane = match request.method {
            Method::GET | Method::HEAD => Lane::Read,
            _ => Lane::Write,
        };
        let source_failed = |source: io::Error| NetError::Source {
            url: ShownUrl::new(&url),
            source: Arc::new(source),
        };
        // The source is opened before the place in the schedule is taken: it may itself be a request to this host.
        let (body, control) = Outgoing::open(request.body).await.map_err(source_failed)?;
        let upload = StopOnDrop(Arc::clone(&control));
        let permit = self
            .pace
            .enter(authority, self.options.host(authority).concurrency, lane)
            .await;
        let outgoing = self.outgoing(request, &url, headers, body)?;
        let begun = tokio::time::Instant::now();
        let outcome = self.exchange_in_time(request, &url, outgoing, &control).await;
        self.options.trace.tell(|| TraceEvent::Response {
            method: request.method.clone(),
            url: ShownUrl::new(&url),
            elapsed: begun.elapsed(),
            outcome: outcome
                .as_ref()
                .map(http::Response::status)
                .map_err(NetError::clone),
        });
        let response = outcome?;
        let status = response.status();
        tracing::debug!(method = %request.method, url = %ShownUrl::new(&url), %status, elapsed = ?begun.elapsed());
        self.judge(&permit, status, response.headers());
        Ok(Response::new(
            response,
            url,
            &self.options.timeouts,
            upload,
            permit,
        ))
    }

    /// Puts the wire's request together.
    fn outgoing(
        &self,
        request: &Request<'_>,
        url: &Uri,
        headers: &HeaderMap,
        body: Outgoing,
    ) -> Result<http::Request<Outgoing>, NetError> {
        let mut outgoing = http::Request::new(body);
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = without_userinfo(url)?;
        *outgoing.headers_mut() = headers.clone();
        outgoing
            .headers_mut()
            .entry(USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
        let writes = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
        if writes && request.body.is_empty() {
            // Some front ends answer 411 to a POST that does not say that it is empty.
            outgoing
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(value) = self.connector.proxy_authorization(url) {
            outgoing.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        Ok(outgoing)
    }

    /// Waits for the head of the answer as long as the body moves, and then as long as the options say.
    async fn exchange_in_time(
        &self,
        request: &Request<'_>,
        url: &Uri,
        outgoing: http::Request<Outgoing>,
        control: &Arc<Control>,
    ) -> Result<http::Response<Incoming>, NetError> {
        let after: Duration = self.options.timeouts.response + request.patience;
        let mut answer = pin!(self.pool.request(outgoing));
        loop {
            let deadline = control.moved() + after;
            match tokio::time::timeout_at(deadline, &mut answer).await {
                Ok(answered) => return answered.map_err(|error| self.explain(url, &error, control)),
                Err(_) if control.moved() + after > deadline => {}
                Err(_) => {
                    return Err(NetError::Timeout {
                        url: ShownUrl::new(url).to_string(),
                        what: "waiting for the answer",
                        after,
                    });
                }
            }
        }
    }

    /// Tells the host's scheduler how it went.
    fn judge(&self, permit: &Permit, status: StatusCode, headers: &HeaderMap) {
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let cap = self.options.retry.retry_after_cap;
            // Who asks for more than we ever wait is not waited for by anyone.
            permit.throttled(retry_after(headers, SystemTime::now()).filter(|pause| *pause <= cap));
        } else if status.as_u16() < 500 {
            permit.succeeded();
        }
    }

    /// What a failure of the pool means.
    fn explain(&self, url: &Uri, error: &legacy::Error, control: &Control) -> NetError {
        if let Some(known) = find::<NetError>(error) {
            return known.clone();
        }
        if let Some(source) = control.failure() {
            return NetError::Source {
                url: ShownUrl::new(url),
                source,
            };
        }
        if let Some(failure) = find::<rustls::Error>(error) {
            let host = url
                .authority()
                .map(|authority| authority.as_str())
                .unwrap_or_default();
            return tls::classify(host, failure);
        }
        NetError::Interrupted {
            url: ShownUrl::new(url),
            reason: reasons(error),
        }
    }
}

/// User and password in a URL are never sent as part of it.
fn without_userinfo(url: &Uri) -> Result<Uri, NetError> {
    let Some(authority) = url
        .authority()
        .filter(|authority| authority.as_str().contains('@'))
    else {
        return Ok(url.clone());
    };
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let mut parts = url.clone().into_parts();
    let invalid = || NetError::InvalidUrl {
        url: ShownUrl::new(url).to_string(),
        reason: "its host is not readable".to_owned(),
    };
    parts.authority = Some(host.parse().map_err(|_| invalid())?);
    Uri::from_parts(parts).map_err(|_| invalid())
}

/// The first error of a type in a chain. An `io::Error` hides the error that it wraps from `source()`.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
