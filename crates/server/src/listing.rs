//! Lists: tags of a repository, repositories of the registry; a page costs what the page holds.

use http::{StatusCode, header};
use landfall_oci::{ErrorCode, Repository, Tag};
use landfall_store::{Listing, Page, StoreError, What};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::registry::{Call, Registry, first_found};
use crate::reply::{Builder, Failure, Reply};

/// The most that one page holds, whatever was asked for (CVE-2023-2253).
const MAX_PAGE: usize = 10_000;

/// Names asked of the store at a time by those who may read few of them.
const STEP: usize = 256;

/// What may stand unescaped in a query value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'/');

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a Repository,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
struct Catalog {
    repositories: Vec<Repository>,
}

impl Registry {
    pub(crate) async fn list_tags(&self, call: &Call<'_>, name: &Repository) -> Result<Reply, Failure> {
        let limit = limit(call)?;
        let (candidates, source) = self.sources(call, name)?;
        let page = Page {
            after: call.query.get("last"),
            limit,
        };
        let found: Result<_, Failure> = first_found!(
            &candidates,
            name => self.store.tags(name, page).await,
            StoreError::NotFound(What::Repository(name.clone())).into()
        );
        let elsewhere = source.as_ref().zip(self.gateway.as_ref());
        if let Some((source, gateway)) = elsewhere.filter(|_| found.is_err())
            && let Some(reply) = self.tags_from(call, name, (limit, (gateway, source))).await
        {
            return Ok(reply);
        }
        let (candidate, listing) = found?;
        let builder = call.from(&candidate, StatusCode::OK);
        Ok(tag_list(builder, name, limit, listing))
    }

    pub(crate) async fn catalog(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        call.caller.check_catalog()?;
        let limit = limit(call)?;
        let mut after = call.query.get("last").map(str::to_owned);
        let mut repositories: Vec<Repository> = Vec::new();
        // What the caller may not read is left out: neither a name nor a link to nothing tells of it. One more than
        // asked for, to know whether there is more.
        let mut step = limit + 1;
        let more = loop {
            let page = Page {
                after: after.as_deref(),
                limit: step,
            };
            let listing = self.store.repositories(page).await?;
            after = listing.items.last().map(Repository::to_string).or(after);
            let readable = |name: &Repository| self.gate.may_list(call.caller, name);
            repositories.extend(listing.items.into_iter().filter(readable));
            if !listing.more || limit == 0 || repositories.len() > limit {
                break repositories.len() > limit;
            }
            step = step.max(STEP);
        };
        repositories.truncate(limit);
        let mut builder = Builder::new(StatusCode::OK);
        if let Some(last) = repositories.last().filter(|_| more) {
            builder = builder.header(header::LINK, next_link("/v2/_catalog", limit, last.as_str(), &[]));
        }
        Ok(builder.json(&Catalog { repositories }, "application/json"))
    }
}

/// A page of tags, with the way to the next one.
pub(crate) fn tag_list(
    mut builder: Builder,
    name: &Repository,
    limit: usize,
    listing: Listing<Tag>,
) -> Reply {
    if let Some(last) = listing.items.last().filter(|_| listing.more) {
        let path = format!("/v2/{name}/tags/list");
        builder = builder.header(header::LINK, next_link(&path, limit, last.as_str(), &[]));
    }
    let tags = TagList {
        name,
        tags: listing.items,
    };
    builder.json(&tags, "application/json")
}

/// `?n=`, never more than a page.
pub(crate) fn limit(call: &Call<'_>) -> Result<usize, Failure> {
    let Some(text) = call.query.get("n") else {
        return Ok(MAX_PAGE);
    };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match digits {
        // Too large to be a number is larger than a page.
        true => Ok(text.parse().unwrap_or(MAX_PAGE).min(MAX_PAGE)),
        false => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::Other("PAGINATION_NUMBER_INVALID".to_owned()),
            format!("n=`{text}` is not a number"),
        )),
    }
}

/// RFC 8288, as the distribution specification wants it.
pub(crate) fn next_link(path: &str, limit: usize, last: &str, more: &[(&str, &str)]) -> String {
    let mut link = format!("<{path}?n={limit}&last={}", utf8_percent_encode(last, PLAIN));
    for (key, value) in more {
        link.push_str(&format!("&{key}={}", utf8_percent_encode(value, PLAIN)));
    }
    link + ">; rel=\"next\""
}
