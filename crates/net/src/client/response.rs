//! A response: its head, and its body chunk by chunk.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::error::NetError;
use super::options::Timeouts;
use super::pace::Permit;
use super::shown::ShownUrl;
use super::upload::StopOnDrop;

/// The most of an error's body that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// How long a body that nobody wants is read, to save its connection.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// An answer. While its body is not read to the end, it holds a place in its host's schedule.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    url: Uri,
    pub(crate) attempts: u32,
    body: Incoming,
    stall: Stall,
    // Dropped before the permit: the connection is free once its request body has stopped.
    _upload: StopOnDrop,
    permit: Option<Permit>,
}

/// Time spent waiting for bytes since enough of them came. Time in which the caller did not ask does not count.
#[derive(Debug)]
struct Stall {
    limit: Duration,
    enough: usize,
    waited: Duration,
    got: usize,
}

impl Response {
    pub(crate) fn new(
        response: http::Response<Incoming>,
        url: Uri,
        timeouts: &Timeouts,
        upload: StopOnDrop,
        permit: Permit,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            url,
            attempts: 1,
            body,
            stall: Stall {
                limit: timeouts.stall,
                enough: timeouts.stall_bytes,
                waited: Duration::ZERO,
                got: 0,
            },
            _upload: upload,
            permit: Some(permit),
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Content-Length`, where there is a sensible one.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The URL that answered, after redirects.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// How often the request was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next piece of the body, as large as it came; `None` at its end.
    ///
    /// # Errors
    /// [`NetError::Stalled`] and [`NetError::Interrupted`]; the caller may ask for the rest with a new request.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, NetError> {
        loop {
            let begun = Instant::now();
            let left = self.stall.limit.saturating_sub(self.stall.waited);
            let Ok(frame) = tokio::time::timeout(left, self.body.frame()).await else {
                return Err(NetError::Stalled {
                    url: ShownUrl::new(&self.url),
                    after: self.stall.limit,
                });
            };
            let Some(frame) = frame else {
                self.permit = None;
                return Ok(None);
            };
            let frame = frame.map_err(|error| NetError::Interrupted {
                url: ShownUrl::new(&self.url),
                reason: reasons(&error),
            })?;
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                self.stall.note(begun.elapsed(), bytes.len());
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body, when it is not larger than `limit` bytes.
    ///
    /// # Errors
    /// [`NetError::BodyTooLarge`], and those of [`Self::chunk`].
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, NetError> {
        let too_large = |url: &Uri| NetError::BodyTooLarge {
            url: ShownUrl::new(url),
            limit,
        };
        let announced = self.content_length().unwrap_or(0);
        if announced > limit as u64 {
            return Err(too_large(&self.url));
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 == announced {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len().max(usize::try_from(announced).unwrap_or(0)));
        let mut next = Some(first);
        while let Some(chunk) = next {
            if whole.len() + chunk.len() > limit {
                return Err(too_large(&self.url));
            }
            whole.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(whole.freeze())
    }

    /// The start of an error's body: at most 64 KiB, and whatever could be read of it.
    pub async fn error_body(mut self) -> Bytes {
        let mut body = BytesMut::new();
        while body.len() < MAX_ERROR_BYTES {
            let Ok(Some(chunk)) = self.chunk().await else {
                break;
            };
            body.extend_from_slice(&chunk);
        }
        body.truncate(MAX_ERROR_BYTES);
        body.freeze()
    }

    /// Throws the body away, reading it when it is short, so that its connection can be used again.
    pub async fn discard(self) {
        let _ = tokio::time::timeout(DRAIN_TIME, self.error_body()).await;
    }
}

impl Stall {
    fn note(&mut self, waited: Duration, bytes: usize) {
        self.waited += waited;
        self.got += bytes;
        if self.got >= self.enough {
            self.waited = Duration::ZERO;
            self.got = 0;
        }
    }
}

/// An error with everything below it, once each.
pub(crate) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        below = error.source();
    }
    text
}
