//! Bringing a blob into a repository: it is there, it is mounted, or it is uploaded in one piece.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode, Uri};
use landfall_auth::{Action, ScopeSet};
use landfall_net::client::{NetError, Request, RequestBody, is_retryable, resolve, retry_after};
use landfall_oci::{Descriptor, Repository};

use crate::answer::{check_digest_header, refusal};
use crate::manifest::DIGEST_HEADER;
use crate::pull;
use crate::request::with_digest;
use crate::session::{Answer, Place};
use crate::source::Piece;
use crate::{BlobSource, Client, ClientError, Missing};

/// The smallest chunk worth trying when a proxy in front of a registry refuses large bodies.
const LEAST_CHUNK: u64 = 64 * 1024;
/// A registry may have to copy or hash what it got before it answers; this is the least speed at which it does.
const COMMIT_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;

/// How a blob came into its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    AlreadyThere,
    /// It was mounted from this repository: no bytes moved.
    Mounted(Repository),
    /// Its bytes were sent.
    Uploaded,
}

/// When to ask whether the blob is there, before it is uploaded. Each question costs the registry as much as a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Before anything else.
    First,
    /// Only when no mount succeeded: a mount of what is there already does no harm.
    AfterMount,
    /// Not at all: the caller has just asked.
    Never,
}

/// One blob on its way into one repository.
pub(crate) struct Push<'a> {
    pub(crate) client: &'a Client,
    pub(crate) place: Place<'a>,
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) source: &'a dyn BlobSource,
    pub(crate) what: String,
    scopes: ScopeSet,
}

/// An upload that the registry has opened.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) location: Uri,
    /// `OCI-Chunk-Min-Length`.
    pub(crate) least_chunk: Option<u64>,
}

/// Why an upload did not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may, in a new upload, perhaps after the time that the registry asked for.
    Again(ClientError, Option<Duration>),
    /// Not in one piece, or not in pieces of this size.
    TooLarge(ClientError),
    /// Never.
    Final(ClientError),
}

impl<'a> Push<'a> {
    pub(crate) fn new(
        client: &'a Client,
        place: Place<'a>,
        descriptor: &'a Descriptor,
        source: &'a dyn BlobSource,
    ) -> Result<Self, ClientError> {
        let what = pull::name(place, &descriptor.digest);
        if source.size() != descriptor.size {
            return Err(ClientError::Impossible {
                what,
                reason: format!(
                    "the source has {} bytes, the descriptor says {}",
                    source.size(),
                    descriptor.size
                ),
            });
        }
        Ok(Self {
            client,
            place,
            descriptor,
            source,
            what,
            scopes: place.repository.map(ScopeSet::push).unwrap_or_default(),
        })
    }

    pub(crate) async fn run(&self, mount_from: &[Repository], ask: Ask) -> Result<Pushed, ClientError> {
        if ask == Ask::First && self.is_there().await? {
            return Ok(Pushed::AlreadyThere);
        }
        let mut opened = None;
        for from in mount_from
            .iter()
            .filter(|from| Some(*from) != self.place.repository)
        {
            match self.mount(from).await {
                Ok(Mount::Done) => {
                    self.cancel(opened).await;
                    return Ok(Pushed::Mounted(from.clone()));
                }
                Ok(Mount::Opened(upload)) => self.cancel(opened.replace(upload)).await,
                // Whatever it is, the upload can do without the mount, or will meet it again.
                Err(error) => tracing::debug!(what = self.what, %from, %error, "no mount"),
            }
        }
        if ask == Ask::AfterMount && self.is_there().await? {
            self.cancel(opened).await;
            return Ok(Pushed::AlreadyThere);
        }
        self.upload(opened).await?;
        Ok(Pushed::Uploaded)
    }

    async fn is_there(&self) -> Result<bool, ClientError> {
        // A registry that states another size has a damaged copy, which an upload replaces.
        let stated = pull::exists(self.client, self.place, &self.scopes, &self.descriptor.digest).await?;
        Ok(stated.is_some_and(|size| size.is_none_or(|size| size == self.descriptor.size)))
    }

    /// Uploads until it is done or there is no hope, each time from the start of the source.
    async fn upload(&self, mut opened: Option<Upload>) -> Result<(), ClientError> {
        let mut backoff = self.client.inner.transport.backoff();
        let mut chunk = self
            .client
            .inner
            .always_chunked
            .then_some(self.client.inner.chunk_bytes);
        loop {
            let upload = match opened.take() {
                Some(upload) => upload,
                None => self.open().await?,
            };
            let least = upload.least_chunk.unwrap_or(0);
            if least > 0 {
                chunk = Some(chunk.unwrap_or(self.client.inner.chunk_bytes).max(least));
            }
            let outcome = match chunk {
                None => self.put_whole(&upload).await,
                Some(size) => self.put_chunks(upload, size).await,
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::TooLarge(error)) => match self.smaller(chunk).filter(|size| *size >= least) {
                    Some(size) => chunk = Some(size),
                    None => return Err(error),
                },
                Err(Trouble::Again(error, asked)) => {
                    tracing::debug!(what = self.what, %error, "uploading again");
                    if !backoff.pause(asked).await {
                        return Err(with_attempts(error, backoff.attempts()));
                    }
                }
            }
        }
    }

    /// The next size of chunks to try, after one piece or chunks of this size were refused; `None` when there is none.
    fn smaller(&self, chunk: Option<u64>) -> Option<u64> {
        match chunk {
            None => Some(self.client.inner.chunk_bytes),
            Some(size) => Some(size.min(self.descriptor.size) / 4).filter(|size| *size >= LEAST_CHUNK),
        }
    }

    /// Opens an upload.
    async fn open(&self) -> Result<Upload, ClientError> {
        let answer = self.post(None).await?;
        match answer.status() {
            StatusCode::ACCEPTED => self.opened(answer).await,
            _ => Err(refusal(self.place, &self.what, Missing::Repository, answer).await),
        }
    }

    async fn mount(&self, from: &Repository) -> Result<Mount, ClientError> {
        let answer = self.post(Some(from)).await?;
        match answer.status() {
            StatusCode::CREATED => {
                answer.response.discard().await;
                Ok(Mount::Done)
            }
            StatusCode::ACCEPTED => self.opened(answer).await.map(Mount::Opened),
            _ => Err(refusal(self.place, &self.what, Missing::Repository, answer).await),
        }
    }

    async fn post(&self, from: Option<&Repository>) -> Result<Answer, ClientError> {
        let Some(repository) = self.place.repository else {
            return Err(self.impossible("there is no repository to push to"));
        };
        let mount = from.map(|from| (&self.descriptor.digest, from));
        let url = self.client.base(self.place.registry)?.uploads(repository, mount);
        let scopes = match from {
            Some(from) => self.scopes.clone().with(from, &[Action::Pull]),
            None => self.scopes.clone(),
        };
        // Sending it twice leaves an unused upload behind, which registries clear away.
        let request = Request::new(Method::POST, url).repeatable();
        self.client.send(self.place, &scopes, &self.what, &request).await
    }

    /// Reads the answer to a POST that opened an upload.
    async fn opened(&self, answer: Answer) -> Result<Upload, ClientError> {
        let location = self.location(&answer)?;
        let least_chunk = answer
            .response
            .header("oci-chunk-min-length")
            .and_then(|text| text.trim().parse().ok());
        answer.response.discard().await;
        Ok(Upload {
            location: location.ok_or_else(|| self.protocol("it opened an upload without a Location"))?,
            least_chunk,
        })
    }

    /// The answer's `Location`, absolute. A registry behind a proxy that ends TLS may name itself with `http:`.
    pub(crate) fn location(&self, answer: &Answer) -> Result<Option<Uri>, ClientError> {
        let Some(text) = answer.response.header("location") else {
            return Ok(None);
        };
        let base = answer.response.url();
        let location = resolve(base, text).ok_or_else(|| self.protocol("its Location is not a URL"))?;
        let is_downgrade = base.scheme_str() == Some("https")
            && location.scheme_str() == Some("http")
            && location.authority() == base.authority();
        if !is_downgrade {
            return Ok(Some(location));
        }
        let mut parts = location.into_parts();
        parts.scheme = Some(http::uri::Scheme::HTTPS);
        Ok(Uri::from_parts(parts).ok())
    }

    /// Everything in one request.
    async fn put_whole(&self, upload: &Upload) -> Result<(), Trouble> {
        let piece = Piece {
            source: self.source,
            offset: 0,
            len: self.descriptor.size,
        };
        let body = RequestBody::Stream {
            len: piece.len,
            source: &piece,
        };
        self.finish(&upload.location, body).await
    }

    /// The PUT that ends an upload.
    pub(crate) async fn finish(&self, location: &Uri, body: RequestBody<'_>) -> Result<(), Trouble> {
        let url = with_digest(location, &self.descriptor.digest)
            .ok_or_else(|| Trouble::Final(self.protocol("its Location is not a URL")))?;
        let request = Request::new(Method::PUT, url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .body(body)
            .patience(Duration::from_secs(
                self.descriptor.size / COMMIT_BYTES_PER_SECOND,
            ));
        let answer = self.send(&request).await?;
        if !answer.status().is_success() {
            return Err(self.trouble(answer).await);
        }
        let stored = answer.response.header(DIGEST_HEADER).map(str::to_owned);
        answer.response.discard().await;
        let digest = self.descriptor.digest;
        let digest_of = |algorithm| (algorithm == digest.algorithm()).then_some(digest);
        check_digest_header(&self.what, stored.as_deref(), digest_of, digest).map_err(Trouble::Final)
    }

    /// Sends a part of an upload; what the network does to it is no reason to give up.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Answer, Trouble> {
        let sent = self
            .client
            .send(self.place, &self.scopes, &self.what, request)
            .await;
        sent.map_err(|error| match &error {
            ClientError::Net { source, .. } if source.root().is_transient() => Trouble::Again(error, None),
            _ => Trouble::Final(error),
        })
    }

    /// What a refusal within an upload means.
    pub(crate) async fn trouble(&self, answer: Answer) -> Trouble {
        let status = answer.status();
        let asked = retry_after(answer.response.headers(), SystemTime::now());
        let error = refusal(self.place, &self.what, Missing::Unsaid, answer).await;
        match status.as_u16() {
            405 | 411 | 413 | 501 => Trouble::TooLarge(error),
            // The upload is gone, or at another byte than we thought: a new one helps.
            404 | 416 => Trouble::Again(error, None),
            _ if is_retryable(status) => Trouble::Again(error, asked),
            _ => Trouble::Final(error),
        }
    }

    /// Tells the registry to forget an upload. It would find out by itself.
    async fn cancel(&self, upload: Option<Upload>) {
        if let Some(upload) = upload {
            let request = Request::new(Method::DELETE, upload.location);
            if let Ok(answer) = self
                .client
                .send(self.place, &self.scopes, &self.what, &request)
                .await
            {
                answer.response.discard().await;
            }
        }
    }

    pub(crate) fn protocol(&self, reason: &str) -> ClientError {
        ClientError::Protocol {
            what: self.what.clone(),
            reason: reason.to_owned(),
        }
    }

    fn impossible(&self, reason: &str) -> ClientError {
        ClientError::Impossible {
            what: self.what.clone(),
            reason: reason.to_owned(),
        }
    }
}

enum Mount {
    Done,
    Opened(Upload),
}

fn with_attempts(error: ClientError, tries: u32) -> ClientError {
    match error {
        ClientError::Net { what, source } => ClientError::Net {
            what,
            source: NetError::after_attempts(source, tries),
        },
        ClientError::Unavailable {
            what, status, detail, ..
        } => ClientError::Unavailable {
            what,
            status,
            attempts: tries,
            detail,
        },
        ClientError::RateLimited {
            what,
            registry,
            retry_after,
            detail,
            ..
        } => ClientError::RateLimited {
            what,
            registry,
            attempts: tries,
            retry_after,
            detail,
        },
        other => other,
    }
}
