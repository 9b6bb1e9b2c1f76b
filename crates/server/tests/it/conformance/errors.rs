//! Errors: always the envelope, always a code that says what; whatever is asked, wherever.
//!
//! That each answer of status 400 and above is the envelope, is checked with every request of these tests
//! (`client::Answer`).

use http::Method;
use landfall_hash::digest;
use landfall_oci::Algorithm;
use landfall_server::RegistryOptions;
use serde_json::json;

use super::data::Data;
use super::{REPO, Stand, blob_path, manifest_path, stands};

#[tokio::test]
async fn paths_that_lead_nowhere() {
    for stand in stands().await.into_iter().chain([Stand::bundle(Data::default())]) {
        for path in [
            "/",
            "/favicon.ico",
            "/v1/_ping",
            "/v2/x",
            "/v2/a/b/c",
            "/v2/_catalog/",
            "/v2/a/tags/list/",
            "/v2/a/manifests",
            "/v2/a/manifests/",
            "/v3/",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let unknown = stand.send(method, path, &[], "").await;
                assert!(
                    matches!(unknown.status.as_u16(), 400 | 404),
                    "{path}: {unknown:?}"
                );
                assert_eq!(unknown.header("content-type"), "application/json");
            }
            let head = stand.head(path).await;
            assert!(!head.header("content-length").is_empty());
        }
    }
}

#[tokio::test]
async fn names_that_are_none() {
    let nothing = digest(Algorithm::Sha256, b"nothing");
    for stand in stands().await {
        let long = "a/".repeat(200) + "a";
        for name in [
            "UPPER",
            "a..b",
            "-a",
            "a/_b",
            "a//b",
            "a/../b",
            "a%20b",
            "_a",
            "a__-b",
            long.as_str(),
        ] {
            for path in [
                format!("/v2/{name}/tags/list"),
                format!("/v2/{name}/manifests/x"),
                format!("/v2/{name}/blobs/{nothing}"),
                format!("/v2/{name}/referrers/{nothing}"),
            ] {
                stand.get(&path).await.expect_error(400, "NAME_INVALID");
            }
            let path = format!("/v2/{name}/blobs/uploads/");
            stand.post(&path).await.expect_error(400, "NAME_INVALID");
        }
    }
}

#[tokio::test]
async fn methods_that_are_not_done() {
    let nothing = digest(Algorithm::Sha256, b"nothing");
    let odd = Method::from_bytes(b"PROPFIND").unwrap();
    for stand in stands().await {
        let location = super::begin(&stand).await;
        for (path, allowed) in [
            ("/v2/".to_owned(), "GET, HEAD"),
            ("/v2/_catalog".into(), "GET, HEAD"),
            (format!("/v2/{REPO}/tags/list"), "GET, HEAD"),
            (format!("/v2/{REPO}/referrers/{nothing}"), "GET, HEAD"),
            (manifest_path("x"), "GET, HEAD, PUT, DELETE"),
            (blob_path(&nothing), "GET, HEAD, DELETE"),
            (format!("/v2/{REPO}/blobs/uploads/"), "POST"),
            (location, "GET, HEAD, PATCH, PUT, DELETE"),
        ] {
            for method in [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
                odd.clone(),
            ] {
                if allowed.split(", ").any(|done| done == method.as_str()) {
                    continue;
                }
                let refused = stand.send(method.clone(), &path, &[], "").await;
                refused.expect(405);
                if method != Method::HEAD {
                    refused.expect_error(405, "UNSUPPORTED");
                }
                assert_eq!(refused.header("allow"), allowed, "{method} {path}");
            }
        }
    }
}

/// A registry that only reads says so, to every way of changing it, and changes nothing.
#[tokio::test]
async fn what_cannot_be_changed() {
    let mut data = Data::default();
    let image = data.image(38, 1, json!({}));
    data.tag("v1", &image);
    let read_only = RegistryOptions {
        read_only: true,
        ..RegistryOptions::default()
    };
    for stand in [
        Stand::bundle(data.clone()),
        Stand::over(read_only, data.clone()).await,
    ] {
        let blob = data.blobs[0].0;
        let upload = format!("/v2/{REPO}/blobs/uploads/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0");
        for (method, path) in [
            (Method::POST, format!("/v2/{REPO}/blobs/uploads/")),
            (Method::POST, format!("/v2/{REPO}/blobs/uploads/?digest={blob}")),
            (
                Method::POST,
                format!("/v2/{REPO}/blobs/uploads/?mount={blob}&from={REPO}"),
            ),
            (Method::PATCH, upload.clone()),
            (Method::PUT, format!("{upload}?digest={blob}")),
            (Method::DELETE, upload.clone()),
            (Method::GET, upload),
            (Method::PUT, manifest_path("v2")),
            (Method::PUT, manifest_path("v1")),
        ] {
            let headers = [("content-type", image.media_type.as_str())];
            let refused = stand.send(method, &path, &headers, image.bytes.clone()).await;
            refused.expect_error(405, "UNSUPPORTED");
        }
        super::steps::pull(&stand, &data).await;
    }
}
