//! The requests of the distribution specification, built from parsed types alone. No I/O.

use http::header::{ACCEPT, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri};
use landfall_net::client::Request;
use landfall_oci::{Digest, MediaType, Registry, Repository, Target};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Site;

/// Where Docker Hub's API is.
pub(crate) const HUB_HOST: &str = "registry-1.docker.io";
/// Entries asked for per page of a list.
const PAGE: usize = 1000;
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Scheme and host of a registry, and where on it the API is.
#[derive(Clone, Debug)]
pub(crate) struct Base<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) site: &'a Site,
}

/// The host that answers for a registry. `None` when the registry's text is no host of a URL.
pub(crate) fn authority(registry: &Registry) -> Option<Authority> {
    let host = if registry.is_docker_hub() {
        HUB_HOST
    } else {
        registry.as_str()
    };
    host.parse().ok()
}

impl Base<'_> {
    /// What is below the API's root, with the namespace where there is one.
    fn url(&self, below: &str, query: &str) -> Uri {
        let namespace = self.site.namespace();
        let namespace = namespace.map(|name| format!("ns={}", encode(name.as_str()).replace('/', "%2F")));
        let queries = [query, namespace.as_deref().unwrap_or_default()];
        let query = queries.iter().filter(|part| !part.is_empty());
        let query = query.copied().collect::<Vec<_>>().join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        let text = format!("{}/{below}{separator}{query}", self.site.prefix());
        // What repositories, tags and digests may hold needs no encoding in a path.
        self.at(PathAndQuery::try_from(text).unwrap_or_else(|_| PathAndQuery::from_static("/v2/")))
    }

    /// A place on the host that is none of the API's.
    pub(crate) fn at(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// The API's root.
    pub(crate) fn root(&self) -> Uri {
        self.url("", "")
    }

    /// A manifest.
    pub(crate) fn manifest(&self, repository: &Repository, target: &Target) -> Uri {
        self.url(&format!("{repository}/manifests/{target}"), "")
    }

    /// A blob.
    pub(crate) fn blob(&self, repository: &Repository, digest: &Digest) -> Uri {
        self.url(&format!("{repository}/blobs/{digest}"), "")
    }

    /// A new upload; with `mount`, perhaps none is needed.
    pub(crate) fn uploads(&self, repository: &Repository, mount: Option<(&Digest, &Repository)>) -> Uri {
        let query = mount.map(|(digest, from)| format!("mount={digest}&from={}", encode(from.as_str())));
        self.url(
            &format!("{repository}/blobs/uploads/"),
            &query.unwrap_or_default(),
        )
    }

    /// The first page of tags.
    pub(crate) fn tags(&self, repository: &Repository) -> Uri {
        self.url(&format!("{repository}/tags/list"), &format!("n={PAGE}"))
    }

    /// A page of one tag.
    pub(crate) fn one_tag(&self, repository: &Repository) -> Uri {
        self.url(&format!("{repository}/tags/list"), "n=1")
    }

    /// The first page of referrers.
    pub(crate) fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Uri {
        let query = artifact_type.map(|kind| format!("artifactType={}", encode(kind)));
        self.url(
            &format!("{repository}/referrers/{digest}"),
            &query.unwrap_or_default(),
        )
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// A request for a manifest, naming every type that we understand. The last entry lets a registry send what it has,
/// so that an old image is named as such instead of as missing.
pub(crate) fn manifest(method: Method, url: Uri) -> Request<'static> {
    let types = MediaType::MANIFESTS
        .map(|media_type| media_type.to_string())
        .join(", ");
    let accept = HeaderValue::try_from(format!("{types}, */*"));
    Request::new(method, url).header(ACCEPT, accept.unwrap_or(HeaderValue::from_static("*/*")))
}

/// The upload's `Location` with the digest that ends it. The location's own query must stay as it is.
pub(crate) fn with_digest(location: &Uri, digest: &Digest) -> Option<Uri> {
    let separator = if location.query().is_some() { '&' } else { '?' };
    let path_and_query = location.path_and_query()?;
    let mut parts = location.clone().into_parts();
    parts.path_and_query = Some(
        format!("{path_and_query}{separator}digest={digest}")
            .parse()
            .ok()?,
    );
    Uri::from_parts(parts).ok()
}

/// The tag under which registries without the referrers API keep the list of referrers (image-spec,
/// "Referrers Tag Schema").
pub(crate) fn referrers_tag(digest: &Digest) -> String {
    let mut hex = digest.hex();
    hex.truncate(64);
    format!("{}-{hex}", digest.algorithm())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(site: &Site) -> Base<'_> {
        Base {
            scheme: Scheme::HTTPS,
            authority: authority(&"[::1]:5000".parse().unwrap()).unwrap(),
            site,
        }
    }

    fn digest() -> Digest {
        Digest::Sha256([0xab; 32])
    }

    #[test]
    fn every_url() {
        let root = Site::default();
        let (base, name) = (at(&root), "a/b_c".parse::<Repository>().unwrap());
        let hex = "ab".repeat(32);
        let tag: Target = "v1.0_x".parse().unwrap();
        let is = |url: Uri, path: &str| assert_eq!(url.to_string(), format!("https://[::1]:5000{path}"));
        is(base.root(), "/v2/");
        is(base.manifest(&name, &tag), "/v2/a/b_c/manifests/v1.0_x");
        is(
            base.blob(&name, &digest()),
            &format!("/v2/a/b_c/blobs/sha256:{hex}"),
        );
        is(base.uploads(&name, None), "/v2/a/b_c/blobs/uploads/");
        is(
            base.uploads(&name, Some((&digest(), &"x/y".parse().unwrap()))),
            &format!("/v2/a/b_c/blobs/uploads/?mount=sha256:{hex}&from=x/y"),
        );
        is(base.tags(&name), "/v2/a/b_c/tags/list?n=1000");
        is(
            base.referrers(&name, &digest(), Some("application/x+json")),
            &format!("/v2/a/b_c/referrers/sha256:{hex}?artifactType=application/x%2Bjson"),
        );
    }

    #[test]
    fn every_url_through_a_mirror() {
        let name: Repository = "a/b".parse().unwrap();
        let tag: Target = "1".parse().unwrap();
        let sha = digest();
        for (prefix, namespace, expected) in [
            ("/v2/", None, "/v2"),
            ("/v2/mirrors/hub", None, "/v2/mirrors/hub"),
            ("/x%20y/v2", Some("quay.io"), "/x%20y/v2"),
            ("", Some("[fd00::1]:5000"), ""),
        ] {
            let registry = namespace.map(|text| text.parse().unwrap());
            let site = Site::new(prefix, registry).unwrap();
            let ns = match namespace {
                None => "",
                Some("quay.io") => "ns=quay.io",
                Some(_) => "ns=%5Bfd00%3A%3A1%5D%3A5000",
            };
            let [first, more] = ["?", "&"].map(|sign| if ns.is_empty() { "" } else { sign });
            let base = at(&site);
            let is = |url: Uri, path: String| {
                assert_eq!(url.to_string(), format!("https://[::1]:5000{expected}/{path}"));
            };
            is(base.root(), format!("{first}{ns}"));
            is(base.manifest(&name, &tag), format!("a/b/manifests/1{first}{ns}"));
            is(base.blob(&name, &sha), format!("a/b/blobs/{sha}{first}{ns}"));
            is(
                base.uploads(&name, None),
                format!("a/b/blobs/uploads/{first}{ns}"),
            );
            is(
                base.uploads(&name, Some((&sha, &"x/y".parse().unwrap()))),
                format!("a/b/blobs/uploads/?mount={sha}&from=x/y{more}{ns}"),
            );
            is(base.tags(&name), format!("a/b/tags/list?n=1000{more}{ns}"));
            is(
                base.referrers(&name, &sha, Some("t/x")),
                format!("a/b/referrers/{sha}?artifactType=t/x{more}{ns}"),
            );
        }
    }

    #[test]
    fn docker_hub_lives_elsewhere() {
        for name in ["docker.io", "index.docker.io"] {
            assert_eq!(authority(&name.parse().unwrap()).unwrap(), HUB_HOST);
        }
    }

    #[test]
    fn the_digest_is_added_to_any_location() {
        let hex = "ab".repeat(32);
        let with = |text: &'static str| {
            with_digest(&Uri::from_static(text), &digest())
                .unwrap()
                .to_string()
        };
        assert_eq!(
            with("https://r/u/1"),
            format!("https://r/u/1?digest=sha256:{hex}")
        );
        assert_eq!(
            with("https://r/u/1?_state=a%3D&b"),
            format!("https://r/u/1?_state=a%3D&b&digest=sha256:{hex}")
        );
    }

    #[test]
    fn the_fallback_tag_is_a_tag() {
        let tag = referrers_tag(&Digest::Sha512([1; 64]));
        assert_eq!(tag, format!("sha512-{}", "01".repeat(32)));
        assert!(tag.parse::<landfall_oci::Tag>().is_ok());
    }

    #[test]
    fn all_manifest_types_are_asked_for() {
        let request = manifest(Method::GET, at(&Site::default()).root());
        let accept = request.headers[ACCEPT].to_str().unwrap();
        for media_type in MediaType::MANIFESTS {
            assert!(accept.contains(media_type.as_str()));
        }
    }
}
