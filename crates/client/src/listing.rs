//! Lists: tags and referrers, page by page; and the registry itself.

use http::header::{ACCEPT, HeaderValue, LINK};
use http::{Method, StatusCode, Uri};
use landfall_auth::ScopeSet;
use landfall_net::client::{Request, resolve, same_origin};
use landfall_oci::{Descriptor, Digest, Index, Registry, Tag, Target};
use serde::Deserialize;

use crate::answer::refusal;
use crate::request::referrers_tag;
use crate::session::{Document, Fetched, Place};
use crate::{Client, ClientError, Missing, link, manifest};

/// One page of a list; with 1000 entries of 128 bytes it stays far below.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// A registry whose list does not end is not followed for ever.
const MAX_PAGES: usize = 10_000;

#[derive(Deserialize)]
struct TagPage {
    /// `null` for a repository without tags, in some registries.
    tags: Option<Vec<String>>,
}

pub(crate) async fn tags(client: &Client, place: Place<'_>) -> Result<Vec<Tag>, ClientError> {
    let what = format!("the tags of {}", repository_name(place));
    let mut tags = Vec::new();
    let first = match place.repository {
        Some(repository) => client.base(place.registry)?.tags(repository),
        None => return Ok(tags),
    };
    let mut next = Some(Request::new(Method::GET, first));
    for _ in 0..MAX_PAGES {
        let Some(request) = next else { return Ok(tags) };
        let document = match page(client, place, &what, &request).await? {
            Fetched::Body(document) => document,
            Fetched::Refused(answer) => return Err(refusal(place, &what, Missing::Repository, answer).await),
        };
        let page: TagPage = parse(&what, &document)?;
        // What is not a tag by the grammar cannot be asked for either.
        tags.extend(
            page.tags
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| tag.parse::<Tag>().ok()),
        );
        next = next_page(&what, &document)?.map(|url| Request::new(Method::GET, url));
    }
    Err(endless(&what))
}

pub(crate) async fn is_there(client: &Client, place: Place<'_>) -> Result<bool, ClientError> {
    let Some(repository) = place.repository else {
        return Ok(false);
    };
    let what = format!("the tags of {}", repository_name(place));
    let request = Request::new(Method::GET, client.base(place.registry)?.one_tag(repository));
    let scopes = ScopeSet::pull(repository);
    let answer = client.send(place, &scopes, &what, &request).await?;
    match answer.status() {
        status if status.is_success() => {
            answer.response.discard().await;
            Ok(true)
        }
        StatusCode::NOT_FOUND => {
            answer.response.discard().await;
            Ok(false)
        }
        _ => Err(refusal(place, &what, Missing::Repository, answer).await),
    }
}

pub(crate) async fn referrers(
    client: &Client,
    place: Place<'_>,
    digest: &Digest,
    artifact_type: Option<&str>,
) -> Result<Vec<Descriptor>, ClientError> {
    let what = format!("the referrers of {}@{digest}", repository_name(place));
    let mut found: Vec<Descriptor> = Vec::new();
    let first = match place.repository {
        Some(repository) => client
            .base(place.registry)?
            .referrers(repository, digest, artifact_type),
        None => return Ok(found),
    };
    let mut next = Some(first);
    for _ in 0..MAX_PAGES {
        let Some(url) = next else {
            // Registries may leave the filter to us.
            found.retain(|entry| {
                artifact_type.is_none_or(|kind| entry.artifact_type.as_deref() == Some(kind))
            });
            return Ok(found);
        };
        let accept = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
        let request = Request::new(Method::GET, url).header(ACCEPT, accept);
        let document = match page(client, place, &what, &request).await? {
            Fetched::Body(document) => document,
            Fetched::Refused(answer) if answer.status() == StatusCode::NOT_FOUND && found.is_empty() => {
                answer.response.discard().await;
                return fallback(client, place, digest, artifact_type).await;
            }
            Fetched::Refused(answer) => return Err(refusal(place, &what, Missing::Manifest, answer).await),
        };
        let index: Index = parse(&what, &document)?;
        found.extend(index.manifests);
        next = next_page(&what, &document)?;
    }
    Err(endless(&what))
}

/// Referrers of a registry without the API: an index under a tag made of the digest.
async fn fallback(
    client: &Client,
    place: Place<'_>,
    digest: &Digest,
    artifact_type: Option<&str>,
) -> Result<Vec<Descriptor>, ClientError> {
    let Ok(tag) = referrers_tag(digest).parse::<Tag>() else {
        return Ok(Vec::new());
    };
    let list = match manifest::get(client, place, &Target::Tag(tag)).await {
        Ok(list) => list,
        Err(ClientError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = list
        .view()
        .map(|view| view.children().to_vec())
        .unwrap_or_default();
    found.retain(|entry| artifact_type.is_none_or(|kind| entry.artifact_type.as_deref() == Some(kind)));
    Ok(found)
}

pub(crate) async fn ping(client: &Client, registry: &Registry) -> Result<(), ClientError> {
    let place = Place {
        registry,
        repository: None,
    };
    let what = format!("the registry {registry}");
    let request = Request::new(Method::GET, client.base(registry)?.root());
    let answer = client.send(place, &ScopeSet::none(), &what, &request).await?;
    match answer.status() {
        status if status.is_success() => {
            answer.response.discard().await;
            Ok(())
        }
        StatusCode::NOT_FOUND => Err(ClientError::Protocol {
            what,
            reason: "there is nothing at /v2/; is it a registry, and does its address have no path?"
                .to_owned(),
        }),
        _ => Err(refusal(place, &what, Missing::Unsaid, answer).await),
    }
}

fn repository_name(place: Place<'_>) -> String {
    let repository = place.repository.map(ToString::to_string).unwrap_or_default();
    format!("{}/{repository}", place.registry)
}

async fn page(
    client: &Client,
    place: Place<'_>,
    what: &str,
    request: &Request<'_>,
) -> Result<Fetched, ClientError> {
    let scopes = place.repository.map(ScopeSet::pull).unwrap_or_default();
    client.fetch(place, &scopes, what, request, MAX_PAGE_BYTES).await
}

fn parse<'a, T: Deserialize<'a>>(what: &str, document: &'a Document) -> Result<T, ClientError> {
    serde_json::from_slice(&document.body).map_err(|error| ClientError::Protocol {
        what: what.to_owned(),
        reason: format!("its list is not readable: {error}"),
    })
}

/// The next page, which must be of the same registry.
fn next_page(what: &str, document: &Document) -> Result<Option<Uri>, ClientError> {
    let Some(target) = document.header(LINK.as_str()).and_then(link::next) else {
        return Ok(None);
    };
    match resolve(&document.url, target) {
        Some(url) if url == document.url => Ok(None),
        Some(url) if same_origin(&url, &document.url) => Ok(Some(url)),
        _ => Err(ClientError::Protocol {
            what: what.to_owned(),
            reason: "the next page of its list is at another host".to_owned(),
        }),
    }
}

fn endless(what: &str) -> ClientError {
    ClientError::Protocol {
        what: what.to_owned(),
        reason: format!("its list has more than {MAX_PAGES} pages"),
    }
}
