//! The transport against servers with every fault that we know.

mod bodies;
mod certs;
mod fake;
mod proxies;
mod redirects;
mod retries;
mod tls;
mod trace;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Uri};
use landfall_net::client::{NetError, Request, Response, RetryOptions, Transport, TransportOptions};

/// Options under which failing takes milliseconds.
fn quick() -> TransportOptions {
    let mut options = TransportOptions {
        retry: RetryOptions {
            attempts: 3,
            base: Duration::from_millis(2),
            ..RetryOptions::default()
        },
        ..TransportOptions::default()
    };
    options.tls.system_roots = false;
    options
}

fn transport(change: impl FnOnce(&mut TransportOptions)) -> Transport {
    let mut options = quick();
    change(&mut options);
    Transport::new(options).unwrap()
}

async fn get(transport: &Transport, url: &Uri) -> Result<Response, NetError> {
    transport.send(&Request::new(Method::GET, url.clone())).await
}

async fn body(response: Response) -> Result<Bytes, NetError> {
    response.bytes(64 << 20).await
}

fn with_scheme(url: &Uri, scheme: &str) -> Uri {
    format!("{scheme}://{}{}", url.authority().unwrap(), url.path())
        .parse()
        .unwrap()
}
