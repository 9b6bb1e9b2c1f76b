//! Manifests: fetched whole, checked, and stored byte for byte.

use http::header::{CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use landfall_auth::ScopeSet;
use landfall_net::client::{NetError, Request, RequestBody};
use landfall_oci::{Algorithm, Descriptor, Digest, MAX_MANIFEST_BYTES, MediaType, RawManifest, Target};

use crate::answer::{check_digest_header, refusal};
use crate::session::{Document, Fetched, Place};
use crate::{Client, ClientError, Missing, Revalidated, request};

/// The header in which registries state digests.
pub(crate) const DIGEST_HEADER: &str = "docker-content-digest";

/// `registry/repository:tag` or `…@digest`.
pub(crate) fn name(place: Place<'_>, target: &Target) -> String {
    let repository = place.repository.map(ToString::to_string).unwrap_or_default();
    let separator = if matches!(target, Target::Tag(_)) {
        ':'
    } else {
        '@'
    };
    format!("{}/{repository}{separator}{target}", place.registry)
}

fn scopes(place: Place<'_>) -> ScopeSet {
    place.repository.map(ScopeSet::pull).unwrap_or_default()
}

fn url(client: &Client, place: Place<'_>, target: &Target) -> Result<http::Uri, ClientError> {
    let base = client.base(place.registry)?;
    Ok(match place.repository {
        Some(repository) => base.manifest(repository, target),
        None => base.root(),
    })
}

pub(crate) async fn get(
    client: &Client,
    place: Place<'_>,
    target: &Target,
) -> Result<RawManifest, ClientError> {
    let what = name(place, target);
    let request = request::manifest(Method::GET, url(client, place, target)?);
    let fetched = client
        .fetch(place, &scopes(place), &what, &request, MAX_MANIFEST_BYTES)
        .await;
    match fetched {
        Ok(Fetched::Body(document)) => check(&what, target, document),
        Ok(Fetched::Refused(answer)) => Err(refusal(place, &what, Missing::Manifest, answer).await),
        Err(ClientError::Net {
            source: NetError::BodyTooLarge { limit, .. },
            ..
        }) => Err(ClientError::ManifestTooLarge { what, limit }),
        Err(error) => Err(error),
    }
}

/// Makes a manifest of a body, if it is what was asked for.
fn check(what: &str, target: &Target, document: Document) -> Result<RawManifest, ClientError> {
    let algorithm = match target {
        Target::Digest(digest) => digest.algorithm(),
        Target::Tag(_) => Algorithm::Sha256,
    };
    let actual = landfall_hash::digest(algorithm, &document.body);
    if let Target::Digest(expected) = target
        && *expected != actual
    {
        return Err(ClientError::DigestMismatch {
            what: what.to_owned(),
            expected: Box::new(*expected),
            actual: Box::new(actual),
        });
    }
    let digest_of = |algorithm| Some(landfall_hash::digest(algorithm, &document.body));
    check_digest_header(what, document.header(DIGEST_HEADER), digest_of, actual)?;
    let content_type = document.header(CONTENT_TYPE.as_str()).map(MediaType::new);
    RawManifest::new(content_type.as_ref(), actual, document.body.clone()).map_err(|source| {
        ClientError::Manifest {
            what: what.to_owned(),
            source,
        }
    })
}

pub(crate) async fn head(
    client: &Client,
    place: Place<'_>,
    target: &Target,
) -> Result<Option<Descriptor>, ClientError> {
    let request = request::manifest(Method::HEAD, url(client, place, target)?);
    let head = head_with(client, place, target, &request).await?;
    Ok(match head {
        Head::Found(found) => Some(*found),
        Head::Same | Head::Missing => None,
    })
}

/// A HEAD that says what we know: registries that read it answer 304, the others say what there is.
pub(crate) async fn revalidate(
    client: &Client,
    place: Place<'_>,
    target: &Target,
    known: &Digest,
) -> Result<Revalidated, ClientError> {
    let request = request::manifest(Method::HEAD, url(client, place, target)?);
    let request = match HeaderValue::try_from(format!("\"{known}\"")) {
        Ok(etag) => request.header(IF_NONE_MATCH, etag),
        Err(_) => request,
    };
    let head = head_with(client, place, target, &request).await?;
    Ok(match head {
        Head::Found(found) if found.digest == *known => Revalidated::Same,
        Head::Found(found) => Revalidated::Changed(found),
        Head::Same => Revalidated::Same,
        Head::Missing => Revalidated::Gone,
    })
}

enum Head {
    Found(Box<Descriptor>),
    Same,
    Missing,
}

async fn head_with(
    client: &Client,
    place: Place<'_>,
    target: &Target,
    request: &Request<'_>,
) -> Result<Head, ClientError> {
    let what = name(place, target);
    let answer = client.send(place, &scopes(place), &what, request).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => return Ok(Head::Missing),
        StatusCode::NOT_MODIFIED if request.headers.contains_key(IF_NONE_MATCH) => return Ok(Head::Same),
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
        status if status.is_success() => {
            let response = &answer.response;
            let stated = response.header(DIGEST_HEADER).map(str::trim);
            if let Target::Digest(digest) = target {
                let digest_of = |algorithm| (algorithm == digest.algorithm()).then_some(*digest);
                check_digest_header(&what, stated, digest_of, *digest)?;
            }
            let digest = match target {
                Target::Digest(digest) => Some(*digest),
                Target::Tag(_) => stated.and_then(|stated| stated.parse().ok()),
            };
            let media_type = response.header(CONTENT_TYPE.as_str()).map(MediaType::new);
            let known = digest.zip(response.content_length()).zip(media_type);
            if let Some(((digest, size), media_type)) = known.filter(|(_, kind)| kind.is_manifest()) {
                let found = Descriptor::new(media_type, digest, size);
                return Ok(Head::Found(Box::new(found)));
            }
        }
        _ => return Err(refusal(place, &what, Missing::Manifest, answer).await),
    }
    // A HEAD without the facts, or none at all: the manifest itself has them.
    drop(answer);
    match get(client, place, target).await {
        Ok(manifest) => Ok(Head::Found(Box::new(manifest.descriptor()))),
        Err(ClientError::NotFound { .. }) => Ok(Head::Missing),
        Err(error) => Err(error),
    }
}

pub(crate) async fn put(
    client: &Client,
    place: Place<'_>,
    target: &Target,
    manifest: &RawManifest,
) -> Result<(), ClientError> {
    let what = name(place, target);
    if let Target::Digest(digest) = target
        && *digest != manifest.digest
    {
        return Err(ClientError::Impossible {
            what,
            reason: format!(
                "the manifest to be stored there has the digest {}",
                manifest.digest
            ),
        });
    }
    let content_type =
        HeaderValue::from_str(manifest.media_type.as_str()).map_err(|_| ClientError::Impossible {
            what: what.clone(),
            reason: "its media type cannot be written into a header".to_owned(),
        })?;
    let request = Request::new(Method::PUT, url(client, place, target)?)
        .header(CONTENT_TYPE, content_type)
        .body(RequestBody::Bytes(&manifest.bytes))
        .repeatable();
    let scopes = place.repository.map(ScopeSet::push).unwrap_or_default();
    let answer = client.send(place, &scopes, &what, &request).await?;
    if !answer.status().is_success() {
        return Err(refusal(place, &what, Missing::Repository, answer).await);
    }
    let stored = answer.response.header(DIGEST_HEADER).map(str::to_owned);
    answer.response.discard().await;
    check_digest_header(
        &what,
        stored.as_deref(),
        |algorithm| digest_in(manifest, algorithm),
        manifest.digest,
    )
}

fn digest_in(manifest: &RawManifest, algorithm: Algorithm) -> Option<Digest> {
    match algorithm == manifest.digest.algorithm() {
        true => Some(manifest.digest),
        false => Some(landfall_hash::digest(algorithm, &manifest.bytes)),
    }
}
