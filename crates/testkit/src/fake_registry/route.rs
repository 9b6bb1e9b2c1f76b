//! What a request asks for: the paths of the distribution API, read from the right because repository names hold
//! slashes.

use http::Method;
use landfall_oci::{Digest, Repository, Target};

/// A parsed path.
#[derive(Clone, Debug)]
pub(super) enum Route {
    Ping,
    Catalog,
    Token,
    /// Outside the specification: `/service/…`, `/api/…`, and `/`, where AWS' services are.
    Service(String),
    /// `/cdn/DIGEST`: where another registry's redirect may point.
    Cdn(Digest),
    Manifest(Repository, Target),
    Blob(Repository, Digest),
    Uploads(Repository),
    Upload(Repository, String),
    Tags(Repository),
    Referrers(Repository, Digest),
    Unknown,
}

/// The kinds of requests that rules and counts distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `GET /v2/`.
    Ping,
    /// `GET` or `POST` of the token server.
    Token,
    /// `GET` of a manifest.
    Manifest,
    /// `HEAD` of a manifest.
    ManifestHead,
    /// `PUT` of a manifest.
    ManifestPut,
    /// `GET` of a blob, here or at the place of a redirect.
    Blob,
    /// `HEAD` of a blob.
    BlobHead,
    /// `POST` that opens an upload or mounts.
    UploadStart,
    /// `PATCH`.
    UploadChunk,
    /// `PUT` that ends an upload.
    UploadEnd,
    /// `GET` of an upload's state.
    UploadState,
    /// Tags, catalog, referrers.
    List,
    /// Any `DELETE`.
    Delete,
    /// A product's own API: Harbor's projects.
    Api,
    /// All else.
    Other,
}

impl Route {
    pub(super) fn parse(path: &str) -> Self {
        if path == "/token" {
            return Self::Token;
        }
        if path == "/" || path.starts_with("/service/") || path.starts_with("/api/") {
            return Self::Service(path.to_owned());
        }
        if let Some(digest) = path.strip_prefix("/cdn/") {
            return digest.parse().map_or(Self::Unknown, Self::Cdn);
        }
        match path.strip_prefix("/v2") {
            Some("" | "/") => Self::Ping,
            Some("/_catalog") => Self::Catalog,
            Some(rest) => Self::in_repository(rest.trim_start_matches('/')).unwrap_or(Self::Unknown),
            None => Self::Unknown,
        }
    }

    fn in_repository(path: &str) -> Option<Self> {
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Some(Self::Tags(name.parse().ok()?));
        }
        if let Some((name, id)) = path.rsplit_once("/blobs/uploads/") {
            let repository = name.parse().ok()?;
            return Some(match id {
                "" => Self::Uploads(repository),
                id => Self::Upload(repository, id.to_owned()),
            });
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads") {
            return Some(Self::Uploads(name.parse().ok()?));
        }
        let (rest, last) = path.rsplit_once('/')?;
        let (name, section) = rest.rsplit_once('/')?;
        let repository = name.parse().ok()?;
        match section {
            "manifests" => Some(Self::Manifest(repository, last.parse().ok()?)),
            "blobs" => Some(Self::Blob(repository, last.parse().ok()?)),
            "referrers" => Some(Self::Referrers(repository, last.parse().ok()?)),
            _ => None,
        }
    }

    pub(super) fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
            _ => None,
        }
    }

    pub(super) fn kind(&self, method: &Method) -> Kind {
        match (self, method.as_str()) {
            (_, "DELETE") => Kind::Delete,
            (Self::Ping, _) => Kind::Ping,
            (Self::Token, _) => Kind::Token,
            (Self::Service(path), _) if path == "/service/token" => Kind::Token,
            (Self::Service(_), _) => Kind::Api,
            (Self::Cdn(_) | Self::Blob(..), "GET") => Kind::Blob,
            (Self::Cdn(_) | Self::Blob(..), "HEAD") => Kind::BlobHead,
            (Self::Manifest(..), "GET") => Kind::Manifest,
            (Self::Manifest(..), "HEAD") => Kind::ManifestHead,
            (Self::Manifest(..), "PUT") => Kind::ManifestPut,
            (Self::Uploads(_), "POST") => Kind::UploadStart,
            (Self::Upload(..), "PATCH") => Kind::UploadChunk,
            (Self::Upload(..), "PUT") => Kind::UploadEnd,
            (Self::Upload(..), _) => Kind::UploadState,
            (Self::Tags(_) | Self::Catalog | Self::Referrers(..), _) => Kind::List,
            _ => Kind::Other,
        }
    }
}
