//! Blobs: a stream that survives what happens to connections, and ends exactly where its descriptor says.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, HeaderValue, RANGE};
use http::{Method, StatusCode, Uri};
use landfall_auth::ScopeSet;
use landfall_net::client::{Backoff, NetError, Request, Response};
use landfall_oci::{Descriptor, Digest, Registry, Repository};

use crate::answer::refusal;
use crate::range::ContentRange;
use crate::session::{Answer, Place};
use crate::{Client, ClientError, Missing};

/// So much must come between two failures for the first one to be forgotten: a connection that breaks after each
/// packet must not keep us for ever.
const PROGRESS_BYTES: u64 = 64 * 1024;

/// The bytes of a blob. When its connection breaks or stalls, it asks for the rest and goes on.
#[derive(Debug)]
pub struct BlobStream {
    client: Client,
    origin: Origin,
    what: String,
    /// `None` until an answer has told it, where nobody knew before.
    expected: Option<u64>,
    offset: u64,
    /// Where the last connection began to bring something new.
    resumed_at: u64,
    /// Bytes of the answer that were there already: the server does not know ranges.
    skip: u64,
    /// Whether the answer's length was stated, so that no more can follow.
    is_length_known: bool,
    response: Option<Response>,
    backoff: Backoff,
}

#[derive(Debug)]
enum Origin {
    Registry {
        registry: Registry,
        repository: Repository,
        digest: Digest,
    },
    /// A foreign layer's address, asked without any credential.
    Url { url: Uri, registry: Registry },
}

/// The name of a blob for people.
pub(crate) fn name(place: Place<'_>, digest: &Digest) -> String {
    let repository = place.repository.map(ToString::to_string).unwrap_or_default();
    format!("blob {digest} of {}/{repository}", place.registry)
}

impl BlobStream {
    pub(crate) async fn from_registry(
        client: Client,
        registry: &Registry,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Self, ClientError> {
        let what = name(Place::new(registry, repository), &descriptor.digest);
        let origin = Origin::Registry {
            registry: registry.clone(),
            repository: repository.clone(),
            digest: descriptor.digest,
        };
        Self::start(client, origin, what, Some(descriptor.size), offset).await
    }

    pub(crate) async fn of_any_size(
        client: Client,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<Self, ClientError> {
        let what = name(Place::new(registry, repository), digest);
        let origin = Origin::Registry {
            registry: registry.clone(),
            repository: repository.clone(),
            digest: *digest,
        };
        Self::start(client, origin, what, None, offset).await
    }

    pub(crate) async fn from_urls(
        client: Client,
        urls: &[String],
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Self, ClientError> {
        let mut last = ClientError::Impossible {
            what: format!("foreign layer {}", descriptor.digest),
            reason: "its descriptor names no URL to fetch it from".to_owned(),
        };
        for text in urls {
            let what = format!("foreign layer {}", descriptor.digest);
            let Some((url, registry)) = foreign(text) else {
                last = ClientError::Impossible {
                    what,
                    reason: "its URL is not one that can be fetched".to_owned(),
                };
                continue;
            };
            let origin = Origin::Url { url, registry };
            match Self::start(client.clone(), origin, what, Some(descriptor.size), offset).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn start(
        client: Client,
        origin: Origin,
        what: String,
        expected: Option<u64>,
        offset: u64,
    ) -> Result<Self, ClientError> {
        let mut stream = Self {
            backoff: client.inner.transport.backoff(),
            client,
            origin,
            what,
            expected,
            offset,
            resumed_at: offset,
            skip: 0,
            is_length_known: false,
            response: None,
        };
        if let Some(size) = expected.filter(|size| offset > *size) {
            return Err(ClientError::Impossible {
                what: stream.what,
                reason: format!("byte {offset} was asked for, it has {size}"),
            });
        }
        if expected.is_none_or(|size| offset < size) {
            stream.connect().await?;
        }
        Ok(stream)
    }

    /// The length of all of the blob: by the descriptor, or by the registry's word where there was none.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.expected.unwrap_or(u64::MAX)
    }

    /// The offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece, as large as it came; `None` once all bytes of the descriptor's size were given. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`ClientError`]; after one, a further call tries again from [`Self::offset`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while self.offset < self.size() {
            let Some(response) = &mut self.response else {
                self.connect().await?;
                continue;
            };
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    if let Some(bytes) = self.accept(chunk)? {
                        return Ok(Some(bytes));
                    }
                }
                Ok(None) => {
                    let url = landfall_net::client::ShownUrl::new(response.url());
                    let reason = format!("the body ended at byte {} of {}", self.offset, self.size());
                    self.recover(NetError::Interrupted { url, reason }).await?;
                }
                Err(error) => self.recover(error).await?,
            }
        }
        self.check_end().await?;
        Ok(None)
    }

    /// Takes a piece: drops what was there already, refuses what is too much.
    fn accept(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, ClientError> {
        let known = self.skip.min(chunk.len() as u64);
        self.skip -= known;
        let _ = chunk.split_to(usize::try_from(known).unwrap_or(chunk.len()));
        if chunk.is_empty() {
            return Ok(None);
        }
        if chunk.len() as u64 > self.size() - self.offset {
            self.response = None;
            return Err(self.too_long());
        }
        self.offset += chunk.len() as u64;
        Ok(Some(chunk))
    }

    /// After the last byte nothing may follow. What breaks now breaks nothing.
    async fn check_end(&mut self) -> Result<(), ClientError> {
        let Some(mut response) = self.response.take().filter(|_| !self.is_length_known) else {
            return Ok(());
        };
        match response.chunk().await {
            Ok(Some(_)) => Err(self.too_long()),
            _ => Ok(()),
        }
    }

    fn too_long(&self) -> ClientError {
        ClientError::TooLong {
            what: self.what.clone(),
            expected: self.size(),
        }
    }

    /// Waits before the next connection, or gives up.
    async fn recover(&mut self, error: NetError) -> Result<(), ClientError> {
        self.response = None;
        if self.offset - self.resumed_at >= PROGRESS_BYTES {
            self.backoff.reset();
        }
        self.resumed_at = self.offset;
        tracing::debug!(what = self.what, offset = self.offset, %error, "resuming");
        if error.is_transient() && self.backoff.pause(None).await {
            return Ok(());
        }
        Err(ClientError::net(
            &self.what,
            error.after_attempts(self.backoff.attempts()),
        ))
    }

    /// Asks for the bytes from the offset on, and checks what the answer says of itself.
    async fn connect(&mut self) -> Result<(), ClientError> {
        let answer = self.ask().await?;
        let response = &answer.response;
        let encoding = response.header(CONTENT_ENCODING.as_str());
        if let Some(encoding) = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(self.protocol(format!(
                "it is sent with Content-Encoding `{encoding}`, which changes its bytes"
            )));
        }
        match answer.status() {
            StatusCode::OK => {
                let found = response.content_length();
                self.is_length_known = found.is_some();
                self.learn_size(found)?;
                self.skip = self.offset;
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = response
                    .header(CONTENT_RANGE.as_str())
                    .and_then(ContentRange::parse);
                let range = range
                    .ok_or_else(|| self.protocol("a 206 without a readable Content-Range".to_owned()))?;
                self.is_length_known = response.content_length().is_some();
                self.learn_size(range.length)?;
                if range.first != self.offset || range.last >= self.size() {
                    let (offset, first) = (self.offset, range.first);
                    return Err(self.protocol(format!("asked for byte {offset}, it sends byte {first}")));
                }
                self.skip = 0;
            }
            StatusCode::RANGE_NOT_SATISFIABLE => return self.has_no_more(&answer),
            _ => return Err(self.refused(answer).await),
        }
        self.response = Some(answer.response);
        Ok(())
    }

    /// The answer to who has all bytes and did not know it: the size, and no more.
    fn has_no_more(&mut self, answer: &Answer) -> Result<(), ClientError> {
        let range = answer.response.header(CONTENT_RANGE.as_str());
        let size = range.and_then(|range| range.trim().strip_prefix("bytes */")?.trim().parse().ok());
        let offset = self.offset;
        match self.expected {
            None if size == Some(offset) => {
                self.expected = size;
                Ok(())
            }
            Some(size) => Err(self.protocol(format!("it has no byte {offset} of {size}"))),
            None => Err(self.protocol(format!("it has no byte {offset}"))),
        }
    }

    async fn ask(&self) -> Result<Answer, ClientError> {
        let url = match &self.origin {
            Origin::Registry {
                registry,
                repository,
                digest,
            } => self.client.base(registry)?.blob(repository, digest),
            Origin::Url { url, .. } => url.clone(),
        };
        let mut request =
            Request::new(Method::GET, url).header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.offset > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.offset));
            request = request.header(RANGE, range.unwrap_or(HeaderValue::from_static("bytes=0-")));
        }
        match &self.origin {
            Origin::Registry {
                registry, repository, ..
            } => {
                let (place, scopes) = (Place::new(registry, repository), ScopeSet::pull(repository));
                self.client.send(place, &scopes, &self.what, &request).await
            }
            Origin::Url { .. } => {
                let sent = self.client.inner.transport.send(&request).await;
                let response = sent.map_err(|error| ClientError::net(&self.what, error))?;
                Ok(Answer {
                    response,
                    provenance: "nothing, to a foreign layer's URL".into(),
                })
            }
        }
    }

    async fn refused(&self, answer: Answer) -> ClientError {
        let (registry, repository) = match &self.origin {
            Origin::Registry {
                registry, repository, ..
            } => (registry, Some(repository)),
            Origin::Url { registry, .. } => (registry, None),
        };
        refusal(Place { registry, repository }, &self.what, Missing::Blob, answer).await
    }

    fn learn_size(&mut self, found: Option<u64>) -> Result<(), ClientError> {
        match (self.expected, found) {
            (Some(expected), Some(found)) if found != expected => Err(ClientError::SizeMismatch {
                what: self.what.clone(),
                expected,
                found,
            }),
            (Some(_), _) => Ok(()),
            (None, Some(found)) if found >= self.offset => {
                self.expected = Some(found);
                Ok(())
            }
            (None, _) => Err(self.protocol("its answer does not say how long it is".to_owned())),
        }
    }

    fn protocol(&self, reason: String) -> ClientError {
        ClientError::Protocol {
            what: self.what.clone(),
            reason,
        }
    }
}

/// A foreign layer's address, and its host for messages.
fn foreign(text: &str) -> Option<(Uri, Registry)> {
    let url: Uri = text.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let host = url.authority()?.as_str().rsplit('@').next()?.parse().ok()?;
    is_http.then_some((url, host))
}

/// The size of a repository's blob, as far as stated; `None` when it is not there.
pub(crate) async fn exists(
    client: &Client,
    place: Place<'_>,
    scopes: &ScopeSet,
    digest: &Digest,
) -> Result<Option<Option<u64>>, ClientError> {
    let Some(repository) = place.repository else {
        return Ok(None);
    };
    let what = name(place, digest);
    let request = Request::new(
        Method::HEAD,
        client.base(place.registry)?.blob(repository, digest),
    );
    let answer = client.send(place, scopes, &what, &request).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => Ok(Some(answer.response.content_length())),
        _ => Err(refusal(place, &what, Missing::Blob, answer).await),
    }
}
