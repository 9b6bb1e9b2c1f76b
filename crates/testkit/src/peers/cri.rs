//! The part of Kubernetes' container runtime interface that deals with images, spoken to a daemon's socket: what
//! kubelet and `crictl pull` send.
//!
//! gRPC over HTTP/2, with the few messages written by hand: a string in a message in a message needs no compiler.

use std::path::{Path, PathBuf};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;

/// A connection to the image service of a runtime; cheap to clone, and good for many calls at once.
#[derive(Clone, Debug)]
pub struct Cri {
    socket: PathBuf,
    sender: SendRequest<Full<Bytes>>,
}

/// What the runtime answered instead: gRPC's status and words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rpc error {code}: {message}")]
pub struct Refused {
    /// gRPC's code.
    pub code: u32,
    /// What kubelet shows in the pod's events.
    pub message: String,
}

/// An image as the runtime lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The digest of its config.
    pub id: String,
    /// `registry/repository:tag`.
    pub tags: Vec<String>,
    /// `registry/repository@digest`.
    pub digests: Vec<String>,
}

impl Cri {
    /// Connects.
    pub async fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        tokio::spawn(connection);
        Self {
            socket: socket.to_owned(),
            sender,
        }
    }

    /// Pulls an image; what it is now known as, or why not.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn pull(&mut self, image: &str) -> Result<String, Refused> {
        let reply = self
            .call("PullImage", field(1, &field(1, image.as_bytes())))
            .await?;
        Ok(fields(&reply)
            .find(|(number, _)| *number == 1)
            .map(|(_, id)| string(id))
            .unwrap_or_default())
    }

    /// All images.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn images(&mut self) -> Result<Vec<Listed>, Refused> {
        let reply = self.call("ListImages", Bytes::new()).await?;
        Ok(fields(&reply)
            .filter(|(number, _)| *number == 1)
            .map(|(_, image)| listed(image))
            .collect())
    }

    /// Forgets an image of this name or id, and all that is known under the same id.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn remove(&mut self, image: &str) -> Result<(), Refused> {
        self.call("RemoveImage", field(1, &field(1, image.as_bytes())))
            .await
            .map(drop)
    }

    async fn call(&mut self, method: &str, message: Bytes) -> Result<Bytes, Refused> {
        let mut framed = BytesMut::with_capacity(message.len() + PREFIX);
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len()).expect("messages are small"));
        framed.put(message);
        let request = Request::post(format!("http://localhost/runtime.v1.ImageService/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(framed.freeze()))
            .expect("a request of constants");
        let socket = self.socket.display();
        let response = self
            .sender
            .send_request(request)
            .await
            .unwrap_or_else(|error| panic!("{socket}: {error}"));
        let headers = response.headers().clone();
        let body = response
            .into_body()
            .collect()
            .await
            .unwrap_or_else(|error| panic!("{socket}: {error}"));
        status(body.trailers().unwrap_or(&headers))?;
        let bytes = body.to_bytes();
        Ok(bytes.slice(PREFIX.min(bytes.len())..))
    }
}

/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

fn status(trailers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| {
        trailers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    match text("grpc-status").parse().unwrap_or(2) {
        0 => Ok(()),
        code => {
            let message = percent_encoding::percent_decode_str(text("grpc-message"));
            Err(Refused {
                code,
                message: message.decode_utf8_lossy().into_owned(),
            })
        }
    }
}

fn listed(image: &[u8]) -> Listed {
    let mut out = Listed::default();
    for (number, value) in fields(image) {
        match number {
            1 => out.id = string(value),
            2 => out.tags.push(string(value)),
            3 => out.digests.push(string(value)),
            _ => {}
        }
    }
    out
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A field that holds bytes: text or another message.
fn field(number: u8, value: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(number << 3 | LENGTH_DELIMITED);
    let mut rest = value.len();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8((rest & 0x7f) as u8);
    out.put(value);
    out.freeze()
}

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

/// The fields of a message that hold bytes; numbers are passed over, and what is neither ends it.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let key = varint(&mut message)?;
            let value = varint(&mut message)?;
            match (key & 7) as u8 {
                VARINT => {}
                LENGTH_DELIMITED => {
                    let (field, rest) = message.split_at_checked(usize::try_from(value).ok()?)?;
                    message = rest;
                    return Some((key >> 3, field));
                }
                _ => return None,
            }
        }
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut out = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        out |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(out);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let long = "x".repeat(300);
        let mut message = field(1, b"id").to_vec();
        message.extend([0x20, 0x96, 0x01]);
        message.extend(field(2, long.as_bytes()));
        let read: Vec<_> = fields(&message).collect();
        assert_eq!(read, [(1, b"id".as_slice()), (2, long.as_bytes())]);
    }
}
