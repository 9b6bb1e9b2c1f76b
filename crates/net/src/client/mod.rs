//! The client transport: how every request of the house leaves it.
//!
//! One [`Transport`] serves a whole run. It owns the connections, the TLS settings, the proxies, the pace of
//! each host and the one retry policy, and knows nothing of registries. A caller gives it a [`Request`] and gets
//! a [`Response`] whose body is read chunk by chunk, or a [`NetError`] that says what, where, and what to do.

mod connector;
pub(crate) mod der;
mod dial;
mod error;
mod options;
mod pace;
mod reach;
mod redirect;
mod request;
mod response;
mod retry;
mod scheme;
mod shown;
mod socket;
mod tls;
mod trace;
mod transport;
mod tunnel;
mod upload;
mod verify;

pub use error::NetError;
pub use options::{HostOptions, PlainHttp, Proxies, Timeouts, TlsOptions, TransportOptions};
pub use reach::Reach;
pub use redirect::{leads_inward, resolve, same_origin};
pub use request::{BodyStream, OpenBody, Request, RequestBody};
pub use response::Response;
pub use retry::{Backoff, Jitter, RetryOptions, is_retryable, retry_after};
pub use shown::ShownUrl;
pub use trace::{Listener, TlsAgreed, Trace, TraceEvent};
pub use transport::Transport;
