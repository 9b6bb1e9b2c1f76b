//! Manifests and tags.

use http::{StatusCode, header};
use landfall_hash::digest;
use landfall_oci::{
    Algorithm, ErrorCode, MAX_MANIFEST_BYTES, ManifestError, MediaType, RawManifest, Repository, Tag, Target,
};
use landfall_store::{PutManifest, StoreError, Unchecked, What};

use crate::body::{Rejected, RequestBody, whole};
use crate::gate::Action;
use crate::registry::{Call, Registry, first_found};
use crate::reply::{Body, Builder, Failure, OCI_SUBJECT, OCI_TAG, Reply, etag};

/// Above this, hashing takes long enough to be moved off the async threads.
const HASHED_IN_PLACE: usize = 16 * 1024;

impl Registry {
    pub(crate) async fn get_manifest(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
    ) -> Result<Reply, Failure> {
        let candidates = self.readable(call, name)?;
        let nowhere = || Failure::from(StoreError::NotFound(What::Manifest(target.clone())));
        // Without the bytes where they are not wanted, or perhaps not.
        if call.is_head() || call.header(header::IF_NONE_MATCH).is_some() {
            let (candidate, found) = first_found!(
                &candidates,
                name => self.store.stat_manifest(name, target).await,
                nowhere()
            )?;
            if call.has(&etag(&found.digest)) {
                return Ok(call
                    .found(&candidate, StatusCode::NOT_MODIFIED, &found.digest)
                    .bare());
            }
            if call.is_head() {
                return Ok(call
                    .found(&candidate, StatusCode::OK, &found.digest)
                    .header(header::CONTENT_TYPE, found.media_type.as_str())
                    .len(found.size)
                    .bare());
            }
        }
        // One look-up: headers and bytes are of one manifest, however often the tag moves.
        let (candidate, manifest) = first_found!(
            &candidates,
            name => self.store.manifest(name, target).await,
            nowhere()
        )?;
        Ok(call
            .found(&candidate, StatusCode::OK, &manifest.digest)
            .header(header::CONTENT_TYPE, manifest.media_type.as_str())
            .len(manifest.bytes.len() as u64)
            .body(Body::Bytes(manifest.bytes)))
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
        let manifest = receive(call, target, body).await?;
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
        let mut builder = Builder::new(StatusCode::CREATED)
            .header(
                header::LOCATION,
                format!("/v2/{name}/manifests/{}", manifest.digest),
            )
            .digest(&manifest.digest);
        if let Some(subject) = manifest.view()?.subject() {
            builder = builder.header(OCI_SUBJECT, subject.digest.to_string());
        }
        for tag in parameters {
            builder = builder.header(OCI_TAG, tag.as_str());
        }
        Ok(builder.empty())
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
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// Takes the body, checks it against the digest in the path, and decides what it is.
async fn receive<B: RequestBody>(
    call: &Call<'_>,
    target: &Target,
    body: &mut B,
) -> Result<RawManifest, Failure> {
    let bytes = whole(body, MAX_MANIFEST_BYTES)
        .await
        .map_err(|rejected| match rejected {
            Rejected::TooLarge => ManifestError::TooLarge.into(),
            Rejected::Broken(error) => Failure::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ManifestInvalid,
                format!("the manifest broke off: {error}"),
            ),
        })?;
    let media_type = call.header(header::CONTENT_TYPE).map(MediaType::new);
    let wanted = match target {
        Target::Digest(digest) => Some(*digest),
        Target::Tag(_) => None,
    };
    let check = move || {
        let algorithm = wanted.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let actual = digest(algorithm, &bytes);
        if let Some(expected) = wanted.filter(|wanted| *wanted != actual) {
            return Err(Failure::from(StoreError::DigestMismatch {
                expected,
                actual: Box::new(actual),
            }));
        }
        RawManifest::new(media_type.as_ref(), actual, bytes).map_err(Failure::from)
    };
    if call
        .header(header::CONTENT_LENGTH)
        .and_then(|text| text.parse().ok())
        .is_some_and(|len: usize| len <= HASHED_IN_PLACE)
    {
        return check();
    }
    tokio::task::spawn_blocking(check)
        .await
        .unwrap_or_else(|_| Err(StoreError::Stopped.into()))
}
