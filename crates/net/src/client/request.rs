//! A request as its caller describes it, so that it can be sent more than once.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// The bytes of a body, as they are sent.
pub type BodyStream = BoxStream<'static, io::Result<Bytes>>;

/// A body that can be opened again from its start, for another try.
pub trait OpenBody: Send + Sync {
    /// Exactly the announced number of bytes.
    fn open(&self) -> BoxFuture<'_, io::Result<BodyStream>>;
}

/// What is sent with a request.
#[derive(Clone, Copy)]
pub enum RequestBody<'a> {
    /// Nothing.
    Empty,
    /// A small body in memory.
    Bytes(&'a Bytes),
    /// A body that streams.
    Stream {
        /// Its length in bytes, sent as `Content-Length`.
        len: u64,
        /// Where it comes from.
        source: &'a dyn OpenBody,
    },
}

impl RequestBody<'_> {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { len, .. } => *len,
        }
    }

    /// Whether nothing is sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for RequestBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Uri,
    /// Headers; `Authorization` does not follow a redirect to another host.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody<'a>,
    /// Whether the transport may send it again after a failure. Set for GET and HEAD.
    pub repeatable: bool,
    /// Time for the answer to begin beyond the usual, where the server has work to do first.
    pub patience: Duration,
    /// Whether a redirect is the answer, not the way to one.
    pub stays: bool,
}

impl<'a> Request<'a> {
    /// A request without headers or body.
    #[must_use]
    pub fn new(method: Method, url: Uri) -> Self {
        let repeatable = method == Method::GET || method == Method::HEAD;
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: RequestBody::Empty,
            repeatable,
            patience: Duration::ZERO,
            stays: false,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: RequestBody<'a>) -> Self {
        self.body = body;
        self
    }

    /// Lets the transport send it again after a failure.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Takes a redirect for the answer: for services that never redirect, and are shown secrets.
    #[must_use]
    pub fn stay(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Gives the server more time to begin its answer.
    #[must_use]
    pub fn patience(mut self, more: Duration) -> Self {
        self.patience = more;
        self
    }
}
