//! Manifests and tags.

use bytes::Bytes;
use http::{StatusCode, header};
use landfall_hash::digest;
use landfall_oci::{
    Algorithm, Descriptor, Digest, ErrorCode, MAX_MANIFEST_BYTES, ManifestError, MediaType, RawManifest,
    Repository, Tag, Target,
};
use landfall_store::{PutManifest, Store, StoreError, Unchecked, What};

use crate::body::{Rejected, RequestBody, whole};
use crate::budget::Claim;
use crate::gate::Action;
use crate::ns::Candidate;
use crate::registry::{Call, Registry, first_found};
use crate::reply::{Body, Builder, Failure, OCI_SUBJECT, OCI_TAG, Reply};

/// Tags that one push may set: each is told in a header of the answer, and clients take no more than a hundred or so.
const MAX_TAGS: usize = 64;
/// Above this, hashing and parsing take long enough to be moved off the async threads.
const CHECKED_IN_PLACE: usize = 16 * 1024;

impl Registry {
    pub(crate) async fn get_manifest(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
    ) -> Result<Reply, Failure> {
        let (mut candidates, source) = self.sources(call, name)?;
        let answer = match source.zip(self.gateway.as_ref()) {
            None => self.find_manifest(call, name, target, &candidates).await,
            Some((source, gateway)) => {
                // A name that may be of any registry comes after the registry that was meant.
                let guesses: Vec<_> = candidates.extract_if(.., |candidate| candidate.guess).collect();
                match self.find_manifest(call, name, target, &candidates).await {
                    Err(failure) if failure.status == StatusCode::NOT_FOUND => {
                        match self.manifest_from(call, name, target, (gateway, &source)).await {
                            Err(failure) => self
                                .find_manifest(call, name, target, &guesses)
                                .await
                                .map_err(|_| failure),
                            found => found,
                        }
                    }
                    answer => answer,
                }
            }
        };
        if answer
            .as_ref()
            .is_err_and(|failure| failure.status == StatusCode::NOT_FOUND)
        {
            self.note_missing(call, name, target, &candidates).await;
        }
        answer
    }

    async fn find_manifest(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
        candidates: &[Candidate],
    ) -> Result<Reply, Failure> {
        let nowhere = || Failure::from(StoreError::NotFound(What::Manifest(target.clone())));
        let (candidate, found) = first_found!(
            candidates,
            name => self.store.stat_manifest(name, target).await,
            nowhere()
        )?;
        self.note_found(call, name, target, (&candidate, &found.media_type, &found.digest));
        if call.has(&found.digest) {
            return Ok(call
                .found(&candidate, StatusCode::NOT_MODIFIED, &found.digest)
                .local(self)
                .bare());
        }
        if call.is_head() {
            return Ok(call
                .found(&candidate, StatusCode::OK, &found.digest)
                .local(self)
                .header(header::CONTENT_TYPE, found.media_type.as_str())
                .len(found.size)
                .bare());
        }
        let manifest = self
            .load(self.store.as_ref(), &candidate.repository, target, found)
            .await?;
        Ok(call
            .found(&candidate, StatusCode::OK, &manifest.digest)
            .local(self)
            .header(header::CONTENT_TYPE, manifest.media_type.as_str())
            .len(manifest.bytes.len() as u64)
            .body(Body::Bytes(manifest.bytes)))
    }

    /// The manifest that `found` describes, which a store has just said to be in the repository: from memory, or
    /// from that store. Headers and bytes are of one manifest, however often the tag moves meanwhile.
    pub(crate) async fn load(
        &self,
        store: &dyn Store,
        name: &Repository,
        target: &Target,
        found: Descriptor,
    ) -> Result<RawManifest, Failure> {
        let known = |bytes| RawManifest {
            media_type: found.media_type.clone(),
            digest: found.digest,
            bytes,
        };
        if let Some(bytes) = self.recent.get(&found.digest) {
            return Ok(known(bytes));
        }
        let mut claim = self.budget.claim();
        let size = usize::try_from(found.size).unwrap_or(MAX_MANIFEST_BYTES);
        claim.cover(size.min(MAX_MANIFEST_BYTES)).await?;
        // Somebody may have read it while this request waited.
        if let Some(bytes) = self.recent.get(&found.digest) {
            return Ok(known(bytes));
        }
        let mut manifest = store.manifest(name, target).await?;
        // The tag may point at a larger one by now.
        claim.cover(manifest.bytes.len()).await?;
        manifest.bytes = self.recent.keep(manifest.digest, manifest.bytes, claim);
        Ok(manifest)
    }

    pub(crate) async fn put_manifest<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        let parameters = tag_parameters(call)?;
        // Held until the store has it.
        let mut claim = self.budget.claim();
        let (manifest, subject) = self.receive(call, target, body, &mut claim).await?;
        let mut tags = parameters.clone();
        if let Target::Tag(tag) = target
            && !tags.contains(tag)
        {
            tags.push(tag.clone());
        }
        let unchecked = if self.sparse {
            Unchecked::All
        } else {
            Unchecked::None
        };
        let put = PutManifest {
            manifest: &manifest,
            tags: &tags,
            unchecked,
        };
        self.store.put_manifest(name, put).await?;
        let names = tags.iter().cloned().map(Target::Tag);
        self.note_put(call, name, names.chain([Target::Digest(manifest.digest)]));
        let mut builder = Builder::new(StatusCode::CREATED)
            .header(
                header::LOCATION,
                format!("/v2/{name}/manifests/{}", manifest.digest),
            )
            .digest(&manifest.digest);
        if let Some(subject) = subject {
            builder = builder.header(OCI_SUBJECT, subject.to_string());
        }
        for tag in parameters {
            builder = builder.header(OCI_TAG, tag.as_str());
        }
        Ok(builder.empty())
    }

    /// Takes the body and decides what it is; with the subject, if it has one.
    async fn receive<B: RequestBody>(
        &self,
        call: &Call<'_>,
        target: &Target,
        body: &mut B,
        claim: &mut Claim,
    ) -> Result<(RawManifest, Option<Digest>), Failure> {
        let bytes = whole(body, MAX_MANIFEST_BYTES, self.patience, claim)
            .await
            .map_err(|rejected| match rejected {
                Rejected::Busy(failure) => failure,
                Rejected::TooLarge => ManifestError::TooLarge.into(),
                Rejected::Broken(source) => Failure::from(StoreError::Interrupted { source }),
            })?;
        let media_type = call.header(header::CONTENT_TYPE).map(MediaType::new);
        let wanted = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(_) => None,
        };
        if bytes.len() <= CHECKED_IN_PLACE {
            return check(wanted, media_type.as_ref(), bytes);
        }
        tokio::task::spawn_blocking(move || check(wanted, media_type.as_ref(), bytes))
            .await
            .unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    pub(crate) async fn delete_manifest(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Delete, name)?;
        match target {
            Target::Tag(tag) => self.store.delete_tag(name, tag).await?,
            Target::Digest(digest) => self.store.delete_manifest(name, digest).await?,
        }
        Ok(Builder::new(StatusCode::ACCEPTED).empty())
    }
}

/// The tags of `?tag=a&tag=b`, each once.
fn tag_parameters(call: &Call<'_>) -> Result<Vec<Tag>, Failure> {
    let mut tags = Vec::new();
    for text in call.query.all("tag") {
        let tag: Tag = text.parse().map_err(|_| {
            Failure::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::TagInvalid,
                format!("`{text}` is not a tag"),
            )
        })?;
        if tags.len() == MAX_TAGS {
            return Err(Failure::new(
                StatusCode::URI_TOO_LONG,
                ErrorCode::TagInvalid,
                format!("a push can set {MAX_TAGS} tags at once"),
            ));
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// Checks bytes against the digest in the path, and against everything that makes them a manifest.
fn check(
    wanted: Option<Digest>,
    media_type: Option<&MediaType>,
    bytes: Bytes,
) -> Result<(RawManifest, Option<Digest>), Failure> {
    let algorithm = wanted.map_or(Algorithm::Sha256, |digest| digest.algorithm());
    let actual = digest(algorithm, &bytes);
    if let Some(expected) = wanted.filter(|wanted| *wanted != actual) {
        let actual = Box::new(actual);
        return Err(StoreError::DigestMismatch { expected, actual }.into());
    }
    let manifest = RawManifest::new(media_type, actual, bytes)?;
    let subject = manifest.view()?.subject().map(|subject| subject.digest);
    Ok((manifest, subject))
}
