//! One registry over the network, as the distribution specification has it: manifests, resumable pulls, uploads,
//! mounts, tags, referrers.
//!
//! A [`Client`] serves all registries of a run. It trusts no registry: sizes and digests that a registry states
//! are compared with what was asked for and with what came. Blobs are never held, only passed on; hashing them is
//! the caller's (it hashes while it writes).

mod answer;
mod chunked;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod link;
mod listing;
mod manifest;
mod options;
mod pull;
mod push;
mod range;
mod request;
mod session;
mod site;
mod source;

use std::sync::Arc;

use landfall_auth::{Authorizer, Keyring, ScopeSet};
use landfall_net::client::Transport;
use landfall_oci::{Descriptor, Digest, RawManifest, Registry, Repository, Tag, Target};

pub use error::{ClientError, Kind, Missing, Refusal};
pub use host::HostAnswer;
pub use options::ClientOptions;
pub use pull::BlobStream;
pub use push::{Ask, Pushed};
pub use site::Site;
pub use source::BlobSource;

use session::Place;

/// What a registry said of something that we know already.
#[derive(Clone, Debug, PartialEq)]
pub enum Revalidated {
    /// It is as it was.
    Same,
    /// It is something else now.
    Changed(Box<Descriptor>),
    /// It is not there any more.
    Gone,
}

/// All registries of one run. Cloning shares connections, tokens and pace.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    site: Arc<Site>,
}

#[derive(Debug)]
struct Inner {
    transport: Transport,
    authorizer: Authorizer,
    chunk_bytes: u64,
    always_chunked: bool,
}

impl Client {
    /// Sets up the transport. Reads certificate files: to be called before the run, not within it.
    ///
    /// # Errors
    /// [`ClientError::Net`] when a certificate file is not usable.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let options = options.with_hints();
        let transport = Transport::new(options.transport).map_err(|source| ClientError::Net {
            what: "the set-up of TLS".to_owned(),
            source,
        })?;
        let authorizer =
            Authorizer::new(transport.clone(), options.keyring, options.tokens).with_realms(options.realms);
        Ok(Self {
            inner: Arc::new(Inner {
                transport,
                authorizer,
                chunk_bytes: options.chunk_bytes.max(1),
                always_chunked: options.always_chunked,
            }),
            site: Arc::default(),
        })
    }

    /// The same connections, tokens and pace, for hosts that have their API at another place.
    #[must_use]
    pub fn through(&self, site: Site) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            site: Arc::new(site),
        }
    }

    /// Where the API of its hosts is.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The credentials of this run, e.g. to make a repository with them.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        self.inner.authorizer.keyring()
    }

    /// Fetches a manifest; its digest is computed here, and is the one asked for.
    ///
    /// # Errors
    /// [`ClientError`]; [`Kind::Corrupt`] when the bytes are not what was asked for or what the registry says they are.
    pub async fn manifest(
        &self,
        registry: &Registry,
        repository: &Repository,
        target: &Target,
    ) -> Result<RawManifest, ClientError> {
        manifest::get(self, Place::new(registry, repository), target).await
    }

    /// Asks what a tag or digest points at, without its content; `None` when it is not there.
    ///
    /// The answer is the registry's word: the digest behind a tag is proven only by fetching it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn head_manifest(
        &self,
        registry: &Registry,
        repository: &Repository,
        target: &Target,
    ) -> Result<Option<Descriptor>, ClientError> {
        manifest::head(self, Place::new(registry, repository), target).await
    }

    /// Asks whether a tag still points at what is known of it, without its content.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revalidate(
        &self,
        registry: &Registry,
        repository: &Repository,
        target: &Target,
        known: &Digest,
    ) -> Result<Revalidated, ClientError> {
        manifest::revalidate(self, Place::new(registry, repository), target, known).await
    }

    /// Starts to read a blob at `offset`. The stream resumes by itself and ends exactly at the descriptor's size.
    ///
    /// # Errors
    /// [`ClientError`], also when the registry's blob has another size than the descriptor.
    pub async fn blob(
        &self,
        registry: &Registry,
        repository: &Repository,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, ClientError> {
        BlobStream::from_registry(self.clone(), registry, repository, descriptor, offset).await
    }

    /// The same for a blob of which only the digest is known: how long it is, the registry says
    /// ([`BlobStream::size`]).
    ///
    /// # Errors
    /// [`ClientError`], also when the registry does not say it.
    pub async fn blob_of_any_size(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
        offset: u64,
    ) -> Result<BlobStream, ClientError> {
        BlobStream::of_any_size(self.clone(), registry, repository, digest, offset).await
    }

    /// The length of a repository's blob, by the registry's word; `None` when it is not there.
    ///
    /// # Errors
    /// [`ClientError`], also when the registry does not say it.
    pub async fn head_blob(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, ClientError> {
        let place = Place::new(registry, repository);
        let found = pull::exists(self, place, &ScopeSet::pull(repository), digest).await?;
        found
            .map(|size| {
                size.ok_or_else(|| ClientError::Protocol {
                    what: pull::name(place, digest),
                    reason: "its answer does not say how long it is".to_owned(),
                })
            })
            .transpose()
    }

    /// Starts to read a foreign layer from its descriptor's `urls`, without any credential.
    ///
    /// # Errors
    /// [`ClientError`] of the last URL, when none works.
    pub async fn external_blob(
        &self,
        urls: &[String],
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobStream, ClientError> {
        BlobStream::from_urls(self.clone(), urls, descriptor, offset).await
    }

    /// Whether a repository has a blob.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn has_blob(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<bool, ClientError> {
        let place = Place::new(registry, repository);
        let found = pull::exists(self, place, &ScopeSet::pull(repository), digest).await?;
        Ok(found.is_some())
    }

    /// Brings a blob into a repository by the cheapest way: it is there; it can be mounted from one of `mount_from`
    /// (repositories of the same registry); it is uploaded, in one piece or, where the registry wants it, in chunks.
    /// `ask` says when to look whether it is there.
    ///
    /// # Errors
    /// [`ClientError`]; [`Kind::Local`] when the source cannot be read.
    pub async fn push_blob(
        &self,
        registry: &Registry,
        repository: &Repository,
        descriptor: &Descriptor,
        source: &dyn BlobSource,
        mount_from: &[Repository],
        ask: Ask,
    ) -> Result<Pushed, ClientError> {
        push::Push::new(self, Place::new(registry, repository), descriptor, source)?
            .run(mount_from, ask)
            .await
    }

    /// Stores a manifest under a tag or its digest, byte for byte.
    ///
    /// # Errors
    /// [`ClientError`]; the registry's reason is in it (`MANIFEST_BLOB_UNKNOWN` and which).
    pub async fn push_manifest(
        &self,
        registry: &Registry,
        repository: &Repository,
        target: &Target,
        manifest: &RawManifest,
    ) -> Result<(), ClientError> {
        manifest::put(self, Place::new(registry, repository), target, manifest).await
    }

    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tags(&self, registry: &Registry, repository: &Repository) -> Result<Vec<Tag>, ClientError> {
        listing::tags(self, Place::new(registry, repository)).await
    }

    /// The manifests that name `digest` as their subject, through the referrers API or, where there is none, the
    /// fallback tag.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn referrers(
        &self,
        registry: &Registry,
        repository: &Repository,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, ClientError> {
        listing::referrers(self, Place::new(registry, repository), digest, artifact_type).await
    }

    /// Whether a repository is there: its tags are asked for, and one would do.
    ///
    /// # Errors
    /// [`ClientError`]; many registries show their tags to fewer users than their images.
    pub async fn has_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<bool, ClientError> {
        listing::is_there(self, Place::new(registry, repository)).await
    }

    /// Whether there is a registry, and it lets us in (`GET /v2/`).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ping(&self, registry: &Registry) -> Result<(), ClientError> {
        listing::ping(self, registry).await
    }
}
