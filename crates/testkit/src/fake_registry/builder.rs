//! Setting the registry up: what it holds, who may use it, what it cannot do.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::FakeRegistry;
use super::body::Pace;
use super::ecr::Ecr;
use super::harbor::Harbor;
use super::record::Log;
use super::rules::{Rule, Rules};
use super::serve::{Face, Shared};
use super::state::State;
use super::token::{Auth, Tokens};
use crate::{Identity, Scratch, Workload};

/// How the registry is set up.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) auth: Auth,
    pub(super) tls: Option<Identity>,
    pub(super) client_authority: Option<String>,
    pub(super) redirect_blobs: Option<String>,
    pub(super) chunked: Option<(u64, u64)>,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) read_only: bool,
    pub(super) mounts: bool,
    pub(super) ranges: bool,
    pub(super) referrers: bool,
}

/// Sets a registry up.
#[derive(Debug)]
pub struct Builder {
    public_url: Option<String>,
    options: Options,
    rules: Rules,
    state: State,
    face: Face,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            public_url: None,
            options: Options {
                auth: Auth::None,
                tls: None,
                client_authority: None,
                redirect_blobs: None,
                chunked: None,
                bytes_per_second: None,
                read_only: false,
                mounts: true,
                ranges: true,
                referrers: true,
            },
            rules: Rules::default(),
            state: State::default(),
            face: Face::default(),
        }
    }
}

impl Builder {
    /// What it holds from the start; may be called again.
    #[must_use]
    pub fn workload(mut self, workload: &Workload) -> Self {
        self.state.add_workload(workload);
        self
    }

    /// What it calls itself, where its token server is: `https://registry.example`.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Who may use it.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.options.auth = auth;
        self
    }

    /// It is a Harbor, which looks after its users itself.
    #[must_use]
    pub fn harbor(mut self, harbor: Harbor) -> Self {
        self.face = Face::Harbor(harbor);
        self
    }

    /// It is an Amazon ECR.
    #[must_use]
    pub fn ecr(mut self, ecr: Ecr) -> Self {
        self.face = Face::Ecr(ecr);
        self
    }

    /// HTTPS with this identity.
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.options.tls = Some(identity);
        self
    }

    /// Only clients with a certificate of this authority (PEM).
    #[must_use]
    pub fn client_authority(mut self, certificate: String) -> Self {
        self.options.client_authority = Some(certificate);
        self
    }

    /// Every `GET` of a blob is sent to `BASE/cdn/DIGEST`: another [`FakeRegistry`]'s URL.
    #[must_use]
    pub fn redirect_blobs(mut self, base: impl Into<String>) -> Self {
        self.options.redirect_blobs = Some(base.into());
        self
    }

    /// Uploads must come in chunks of `min..=max` bytes; `min` is announced as `OCI-Chunk-Min-Length`.
    #[must_use]
    pub fn chunked(mut self, min: u64, max: u64) -> Self {
        self.options.chunked = Some((min, max));
        self
    }

    /// The speed of all connections together.
    #[must_use]
    pub fn bytes_per_second(mut self, speed: u64) -> Self {
        self.options.bytes_per_second = Some(speed);
        self
    }

    /// Every write is answered 405.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.options.read_only = true;
        self
    }

    /// Mount requests become ordinary uploads (202).
    #[must_use]
    pub fn without_mounts(mut self) -> Self {
        self.options.mounts = false;
        self
    }

    /// `Range` is ignored.
    #[must_use]
    pub fn without_ranges(mut self) -> Self {
        self.options.ranges = false;
        self
    }

    /// The referrers API is 404, as before OCI 1.1.
    #[must_use]
    pub fn without_referrers(mut self) -> Self {
        self.options.referrers = false;
        self
    }

    /// A first rule of misbehaviour; more can follow while it runs.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> FakeRegistry {
        self.start_on((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts it on an address of the test's own (within a namespace, where every port is free).
    #[track_caller]
    pub fn start_on(self, address: SocketAddr) -> FakeRegistry {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        listener
            .set_nonblocking(true)
            .expect("a socket can be made not to block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(self.share(address));
        FakeRegistry::running(address, listener, shared)
    }

    fn share(self, address: SocketAddr) -> Shared {
        let scheme = if self.options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        Shared {
            url: self.public_url.unwrap_or_else(|| format!("{scheme}://{address}")),
            pace: Arc::new(Pace::new(self.options.bytes_per_second)),
            options: self.options,
            rules: Mutex::new(self.rules),
            state: Mutex::new(self.state),
            face: Mutex::new(self.face),
            log: Log::default(),
            tokens: Tokens::default(),
            connections: AtomicUsize::default(),
            running: AtomicUsize::default(),
            most_running: AtomicUsize::default(),
            bytes_received: AtomicU64::default(),
            started: Instant::now(),
            scratch: Scratch::new(),
        }
    }
}
