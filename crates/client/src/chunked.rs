//! Uploads in chunks, for registries and proxies that do not take a blob in one piece.
//!
//! After each chunk the registry says how much it has, and it is believed in that alone: the next chunk starts there.
//! When a chunk fails on its way, the registry is asked where it stands.

use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{Method, Uri};
use landfall_net::client::{Request, RequestBody};

use crate::ClientError;
use crate::push::{Push, Trouble, Upload};
use crate::range::uploaded;
use crate::session::Answer;
use crate::source::Piece;

/// Where an upload stands.
struct Progress {
    location: Uri,
    /// Bytes that the registry has confirmed.
    offset: u64,
}

impl Push<'_> {
    pub(crate) async fn put_chunks(&self, upload: Upload, chunk: u64) -> Result<(), Trouble> {
        let mut backoff = self.client.inner.transport.backoff();
        let mut progress = Progress {
            location: upload.location,
            offset: 0,
        };
        let size = self.descriptor.size;
        while progress.offset < size {
            let before = progress.offset;
            let len = chunk.min(size - before);
            let outcome = self.patch(&mut progress, len).await;
            let (error, asked) = match outcome {
                Ok(()) if progress.offset > before => {
                    backoff.reset();
                    continue;
                }
                Ok(()) => (
                    self.protocol("it accepts chunks, but does not get on with them"),
                    None,
                ),
                Err(Trouble::Again(error, asked)) => (error, asked),
                Err(trouble) => return Err(trouble),
            };
            if !backoff.pause(asked).await {
                return Err(Trouble::Final(error));
            }
            self.ask_progress(&mut progress).await?;
        }
        self.finish(&progress.location, RequestBody::Empty).await
    }

    /// Sends one chunk.
    async fn patch(&self, progress: &mut Progress, len: u64) -> Result<(), Trouble> {
        let piece = Piece {
            source: self.source,
            offset: progress.offset,
            len,
        };
        let last = progress.offset + len - 1;
        let range = HeaderValue::try_from(format!("{}-{last}", progress.offset))
            .map_err(|_| Trouble::Final(self.protocol("a range cannot be written")))?;
        let request = Request::new(Method::PATCH, progress.location.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .header(CONTENT_RANGE, range)
            .body(RequestBody::Stream { len, source: &piece });
        let answer = self.send(&request).await?;
        if !answer.status().is_success() {
            return Err(self.trouble(answer).await);
        }
        let assumed = last + 1;
        self.read_progress(progress, answer, assumed)
            .await
            .map_err(Trouble::Final)
    }

    /// Asks where the upload stands (`GET` its location).
    async fn ask_progress(&self, progress: &mut Progress) -> Result<(), Trouble> {
        let request = Request::new(Method::GET, progress.location.clone());
        let answer = self.send(&request).await?;
        if !answer.status().is_success() {
            return Err(self.trouble(answer).await);
        }
        let assumed = progress.offset;
        self.read_progress(progress, answer, assumed)
            .await
            .map_err(Trouble::Final)
    }

    /// Takes the new location and offset out of an answer; without a `Range` it is where we assume it to be.
    async fn read_progress(
        &self,
        progress: &mut Progress,
        answer: Answer,
        assumed: u64,
    ) -> Result<(), ClientError> {
        let location = self.location(&answer)?;
        let offset = match answer.response.header("range") {
            Some(text) => {
                uploaded(text, assumed).ok_or_else(|| self.protocol("its Range is not readable"))?
            }
            None => assumed,
        };
        answer.response.discard().await;
        if offset > self.descriptor.size {
            return Err(self.protocol("it has more bytes of the upload than were sent"));
        }
        progress.offset = offset;
        if let Some(location) = location {
            progress.location = location;
        }
        Ok(())
    }
}
