//! A registry inside the test: the whole distribution API on a loopback port, over a [`Workload`] or what is pushed
//! to it, that writes down every request and misbehaves where [`Rule`]s say so.
//!
//! It runs on threads of its own, so both plain and async tests can use it, and ends with its handle.
//!
//! ```no_run
//! use landfall_testkit::fake_registry::{FakeRegistry, Fault, Kind, Rule};
//! use landfall_testkit::Workload;
//!
//! let registry = FakeRegistry::with(&Workload::small(1));
//! registry.rule(Rule::on(Kind::Blob, Fault::Reset { after: 1000 }).times(2));
//! // … pull from registry.address() …
//! assert!(registry.count(Kind::Blob) > 0);
//! ```

mod answer;
mod body;
mod pull;
mod push;
mod record;
mod route;
mod rules;
mod serve;
mod state;
mod token;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use landfall_oci::{Digest, MediaType, Registry, Repository, Tag, Target};
use tokio::sync::oneshot;

pub use record::Request;
pub use route::Kind;
pub use rules::{Fault, Rule};
pub use state::StoredManifest;
pub use token::{Auth, Bearer};

use crate::workload::Content;
use crate::{Identity, Scratch, Workload};
use body::Pace;
use rules::Rules;
use serve::Shared;
use state::State;

/// How the registry is set up.
#[derive(Clone, Debug)]
struct Options {
    auth: Auth,
    tls: Option<Identity>,
    client_authority: Option<String>,
    redirect_blobs: Option<String>,
    chunked: Option<(u64, u64)>,
    bytes_per_second: Option<u64>,
    read_only: bool,
    mounts: bool,
    ranges: bool,
    referrers: bool,
}

/// Sets a registry up.
#[derive(Debug)]
pub struct Builder {
    options: Options,
    rules: Rules,
    state: State,
}

impl Builder {
    /// What it holds from the start; may be called again.
    #[must_use]
    pub fn workload(mut self, workload: &Workload) -> Self {
        self.state.add_workload(workload);
        self
    }

    /// Who may use it.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.options.auth = auth;
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
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("fake-registry")
            .enable_all()
            .build()
            .expect("a runtime for the fake registry");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made not to block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let scheme = if self.options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let shared = Arc::new(Shared {
            url: format!("{scheme}://{address}"),
            pace: Arc::new(Pace::new(self.options.bytes_per_second)),
            options: self.options,
            rules: Mutex::new(self.rules),
            state: Mutex::new(self.state),
            log: record::Log::default(),
            tokens: token::Tokens::default(),
            connections: Default::default(),
            running: Default::default(),
            most_running: Default::default(),
            bytes_received: Default::default(),
            started: Instant::now(),
            scratch: Scratch::new(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = listener.try_into().expect("a listening socket");
                tokio::select! {
                    () = serve::accept(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        FakeRegistry {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

/// A running registry.
pub struct FakeRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    /// Sets one up.
    pub fn builder() -> Builder {
        Builder {
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
        }
    }

    /// An empty, well-behaved one.
    #[track_caller]
    pub fn empty() -> Self {
        Self::builder().start()
    }

    /// A well-behaved one that holds a workload.
    #[track_caller]
    pub fn with(workload: &Workload) -> Self {
        Self::builder().workload(workload).start()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address as a registry's name.
    pub fn registry(&self) -> Registry {
        self.address().parse().expect("an address is a registry's name")
    }

    /// `http://127.0.0.1:PORT` or `https://…`.
    pub fn url(&self) -> String {
        self.shared.url.clone()
    }

    // What goes wrong.

    /// Adds a rule; the first that fits a request decides.
    pub fn rule(&self, rule: Rule) {
        self.shared.rules.lock().unwrap().push(rule);
    }

    /// From now on everything goes right.
    pub fn clear_rules(&self) {
        self.shared.rules.lock().unwrap().clear();
    }

    /// Sets the speed of all connections together.
    pub fn set_speed(&self, bytes_per_second: Option<u64>) {
        self.shared.pace.set(bytes_per_second);
    }

    /// Ends every token that was given out.
    pub fn expire_tokens(&self) {
        self.shared.tokens.expire();
    }

    // What was asked.

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.all()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// How many requests of a kind there were.
    pub fn count(&self, kind: Kind) -> usize {
        self.count_where(|request| request.kind == kind)
    }

    /// How many requests fit.
    pub fn count_where(&self, fits: impl Fn(&Request) -> bool) -> usize {
        self.requests().iter().filter(|request| fits(request)).count()
    }

    /// The `GET`s of a blob that were answered with content.
    pub fn blob_fetches(&self, digest: &Digest) -> Vec<Request> {
        let ending = format!("/{digest}");
        let fits = |request: &Request| {
            request.kind == Kind::Blob
                && request.path.ends_with(&ending)
                && matches!(request.status(), 200 | 206)
        };
        self.requests().into_iter().filter(fits).collect()
    }

    /// Bytes of blobs that were sent.
    pub fn blob_bytes_sent(&self) -> u64 {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.kind == Kind::Blob)
            .map(Request::sent)
            .sum()
    }

    /// Connections that were accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The most requests that were being answered at one time (not counting bodies on their way).
    pub fn most_at_once(&self) -> usize {
        self.shared.most_running.load(Ordering::Relaxed)
    }

    /// Bytes of request bodies that were read.
    pub fn bytes_received(&self) -> u64 {
        self.shared.bytes_received.load(Ordering::Relaxed)
    }

    // What it holds.

    /// Adds a manifest of any bytes under a tag, without a check.
    pub fn put_manifest(
        &self,
        name: &str,
        tag: &str,
        media_type: MediaType,
        bytes: impl Into<Bytes>,
    ) -> Digest {
        let repository: Repository = name.parse().expect("a repository's name");
        let bytes = bytes.into();
        let digest = crate::digest::sha256(&bytes);
        let mut state = self.shared.state();
        let stored = StoredManifest { media_type, bytes };
        state.manifests.insert((repository.clone(), digest), stored);
        state
            .tags
            .insert((repository, tag.parse().expect("a tag")), digest);
        digest
    }

    /// Adds a blob to a repository.
    pub fn put_blob(&self, name: &str, content: impl Into<Content>) -> Digest {
        let content = content.into();
        let digest = content.digest();
        let mut state = self.shared.state();
        state.blobs.insert(digest, content);
        state
            .members
            .insert((name.parse().expect("a repository's name"), digest));
        digest
    }

    /// Loses a manifest or blob: whatever names it still does.
    pub fn forget(&self, digest: &Digest) {
        let mut state = self.shared.state();
        state.manifests.retain(|(_, known), _| known != digest);
        state.members.retain(|(_, known)| known != digest);
        state.blobs.remove(digest);
    }

    /// All tags: `repository:tag` and what it points at.
    pub fn tags(&self) -> BTreeMap<String, Digest> {
        let state = self.shared.state();
        let tags = state.tags.iter();
        tags.map(|((name, tag), digest)| (format!("{name}:{tag}"), *digest))
            .collect()
    }

    /// A manifest as it was stored, by tag or digest.
    pub fn manifest(&self, repository: &Repository, target: &Target) -> Option<StoredManifest> {
        self.shared
            .state()
            .manifest(repository, target)
            .map(|(_, stored)| stored)
    }

    /// Whether a tag is there.
    pub fn has_tag(&self, repository: &Repository, tag: &Tag) -> bool {
        self.shared
            .state()
            .resolve(repository, &Target::Tag(tag.clone()))
            .is_some()
    }

    /// A blob of a repository.
    pub fn blob(&self, repository: &Repository, digest: &Digest) -> Option<Content> {
        self.shared.state().blob(repository, digest)
    }

    /// Uploads that were opened and neither ended nor given up.
    pub fn open_uploads(&self) -> usize {
        self.shared.state().uploads.len()
    }

    /// Fails the test unless every image of the workload is here, whole, byte for byte, under names made by `rename`.
    #[track_caller]
    pub fn assert_holds(&self, workload: &Workload, rename: impl Fn(&Repository) -> String) {
        for image in &workload.images {
            let repository: Repository = rename(&image.repository).parse().expect("a repository's name");
            let target = Target::Tag(image.tag.clone());
            let root = self.shared.state().resolve(&repository, &target);
            assert_eq!(root, Some(image.root), "{repository}:{}", image.tag);
            for manifest in workload.closure(image.root) {
                let found = self.manifest(&repository, &Target::Digest(manifest.digest));
                assert_eq!(
                    found.map(|found| found.bytes).as_ref(),
                    Some(&manifest.bytes),
                    "{repository}"
                );
            }
            for digest in workload.blobs_of(image.root) {
                let found = self.blob(&repository, &digest);
                assert_eq!(
                    found.map(|content| content.digest()),
                    Some(digest),
                    "{repository}"
                );
            }
        }
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for FakeRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FakeRegistry({})", self.shared.url)
    }
}
