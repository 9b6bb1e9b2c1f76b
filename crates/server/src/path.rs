//! Which endpoint a path means.
//!
//! Repository names contain `/`, and may contain the very words of the API (`a/blobs/uploads` is a fine name), so
//! a path is read from its right end: the last two or three parts say what is asked, the rest is the name.

use landfall_oci::{Digest, Repository, Tag, Target};
use landfall_store::UploadId;
use percent_encoding::percent_decode_str;

/// An endpoint with its parsed names.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// `/v2/`: is this a registry, and am I let in?
    Base,
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/token`: tokens are given out.
    Token,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags(Repository),
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest(Repository, Target),
    /// `/v2/<name>/blobs/<digest>`
    Blob(Repository, Digest),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(Repository),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(Repository, UploadId),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(Repository, Digest),
}

/// Why a path means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No such endpoint.
    Unknown,
    /// The repository's name is not one.
    Name(String),
    /// The digest is not one.
    Digest(String),
    /// The tag is not one.
    Tag(String),
    /// Not the name of an upload.
    Upload(String),
}

impl Route {
    /// Reads the path of a request.
    ///
    /// # Errors
    /// [`PathError`], which says which part is wrong.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        match path {
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/healthz" => return Ok(Self::Health),
            "/readyz" => return Ok(Self::Ready),
            "/metrics" => return Ok(Self::Metrics),
            "/token" => return Ok(Self::Token),
            "/v2/_catalog" => return Ok(Self::Catalog),
            _ => {}
        }
        let rest = path.strip_prefix("/v2/").ok_or(PathError::Unknown)?;
        if let Some(before) = rest
            .strip_suffix("/blobs/uploads/")
            .or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return Ok(Self::Uploads(name(before)?));
        }
        let (before, last) = rest.rsplit_once('/').ok_or(PathError::Unknown)?;
        let (before, kind) = before.rsplit_once('/').ok_or(PathError::Unknown)?;
        match kind {
            "tags" if last == "list" => Ok(Self::Tags(name(before)?)),
            "manifests" => Ok(Self::Manifest(name(before)?, target(last)?)),
            "blobs" => Ok(Self::Blob(name(before)?, digest(last)?)),
            "referrers" => Ok(Self::Referrers(name(before)?, digest(last)?)),
            "uploads" => {
                let before = before.strip_suffix("/blobs").ok_or(PathError::Unknown)?;
                let id = last.parse().map_err(|_| PathError::Upload(last.to_owned()))?;
                Ok(Self::Upload(name(before)?, id))
            }
            _ => Err(PathError::Unknown),
        }
    }
}

/// `%3A` and the like: split first, decoded then, so that no escape can move a boundary.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

fn name(text: &str) -> Result<Repository, PathError> {
    let wrong = || PathError::Name(text.to_owned());
    decoded(text).ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

fn digest(text: &str) -> Result<Digest, PathError> {
    let wrong = || PathError::Digest(text.to_owned());
    decoded(text).ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

fn target(text: &str) -> Result<Target, PathError> {
    let plain = decoded(text).ok_or_else(|| PathError::Tag(text.to_owned()))?;
    if plain.contains(':') {
        return digest(&plain).map(Target::Digest);
    }
    let tag: Result<Tag, _> = plain.parse();
    tag.map(Target::Tag).map_err(|_| PathError::Tag(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ID: &str = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    #[test]
    fn names_may_hold_the_words_of_the_api() {
        for name in [
            "a",
            "library/nginx",
            "a/blobs/uploads",
            "a/manifests",
            "tags/list",
            "manifests/blobs/tags",
            "v2/v2",
            "a/blobs/uploads/blobs/uploads",
        ] {
            let wanted = repository(name);
            let of = |rest: &str| Route::parse(&format!("/v2/{name}/{rest}")).unwrap();
            assert_eq!(of("tags/list"), Route::Tags(wanted.clone()));
            assert_eq!(of("blobs/uploads/"), Route::Uploads(wanted.clone()));
            assert_eq!(of("blobs/uploads"), Route::Uploads(wanted.clone()));
            let digest: Digest = DIGEST.parse().unwrap();
            assert_eq!(
                of(&format!("blobs/{DIGEST}")),
                Route::Blob(wanted.clone(), digest)
            );
            let encoded = DIGEST.replace(':', "%3A");
            assert_eq!(
                of(&format!("blobs/{encoded}")),
                Route::Blob(wanted.clone(), digest)
            );
            assert_eq!(
                of(&format!("referrers/{DIGEST}")),
                Route::Referrers(wanted.clone(), digest)
            );
            assert_eq!(
                of(&format!("manifests/{DIGEST}")),
                Route::Manifest(wanted.clone(), Target::Digest(digest))
            );
            let tag = Target::Tag("list".parse().unwrap());
            assert_eq!(of("manifests/list"), Route::Manifest(wanted.clone(), tag));
            let id = ID.parse().unwrap();
            assert_eq!(
                of(&format!("blobs/uploads/{ID}")),
                Route::Upload(wanted.clone(), id)
            );
        }
    }

    #[test]
    fn the_root_has_two_spellings() {
        assert_eq!(Route::parse("/v2"), Ok(Route::Base));
        assert_eq!(Route::parse("/v2/"), Ok(Route::Base));
        assert_eq!(Route::parse("/v2/_catalog"), Ok(Route::Catalog));
        assert_eq!(Route::parse("/healthz"), Ok(Route::Health));
        assert_eq!(Route::parse("/token"), Ok(Route::Token));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |path: &str| Route::parse(path).unwrap_err();
        for path in [
            "",
            "/",
            "/v1/",
            "/v2/x",
            "/v2/a/b",
            "/v2/a/tags/other",
            "/v2/a/uploads/x",
        ] {
            assert_eq!(wrong(path), PathError::Unknown, "{path}");
        }
        assert_eq!(wrong("/v2/A/tags/list"), PathError::Name("A".into()));
        assert_eq!(wrong("/v2//tags/list"), PathError::Name(String::new()));
        assert_eq!(wrong("/v2/a/../b/tags/list"), PathError::Name("a/../b".into()));
        assert_eq!(
            wrong("/v2/a%2F..%2Fb/tags/list"),
            PathError::Name("a%2F..%2Fb".into())
        );
        assert_eq!(
            wrong("/v2/a/blobs/sha256:zz"),
            PathError::Digest("sha256:zz".into())
        );
        assert_eq!(
            wrong("/v2/a/manifests/sha256:baddigeststring"),
            PathError::Digest("sha256:baddigeststring".into())
        );
        assert_eq!(wrong("/v2/a/manifests/.x"), PathError::Tag(".x".into()));
        assert_eq!(wrong("/v2/a/manifests/x%2Fy"), PathError::Tag("x/y".into()));
        assert_eq!(
            wrong("/v2/a/blobs/uploads/..%2f"),
            PathError::Upload("..%2f".into())
        );
    }
}
