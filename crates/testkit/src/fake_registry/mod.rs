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
mod builder;
mod ecr;
mod harbor;
mod pull;
mod push;
mod record;
mod route;
mod rules;
mod serve;
mod state;
mod token;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use landfall_oci::{Digest, MediaType, Registry, Repository, Tag, Target};
use tokio::sync::oneshot;

pub use builder::Builder;
pub use ecr::Ecr;
pub use harbor::{Harbor, HarborProject, HarborUser};
pub use record::Request;
pub use route::Kind;
pub use rules::{Fault, Rule};
pub use state::StoredManifest;
pub use token::{Auth, Bearer};

use crate::Workload;
use crate::workload::Content;
use serve::{Face, Shared};

/// A running registry.
pub struct FakeRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    /// Starts the threads that serve.
    fn running(address: SocketAddr, listener: TcpListener, shared: Arc<Shared>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("fake-registry")
            .enable_all()
            .build()
            .expect("a runtime for the fake registry");
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
        Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Sets one up.
    pub fn builder() -> Builder {
        Builder::default()
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

    /// The projects of its Harbor face: name and whether everybody may pull.
    pub fn projects(&self) -> BTreeMap<String, bool> {
        match &*self.shared.face.lock().unwrap() {
            Face::Harbor(harbor) => {
                let projects = harbor.projects.iter();
                projects
                    .map(|(name, project)| (name.clone(), project.is_public))
                    .collect()
            }
            _ => BTreeMap::new(),
        }
    }

    /// What holds for a project of its Harbor face from now on.
    #[track_caller]
    pub fn set_project(&self, name: &str, project: HarborProject) {
        match &mut *self.shared.face.lock().unwrap() {
            Face::Harbor(harbor) => harbor.projects.insert(name.to_owned(), project),
            _ => panic!("this registry has not Harbor's face"),
        };
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

    /// When it was started; [`Request::at`] counts from here.
    pub fn started(&self) -> Instant {
        self.shared.started
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
