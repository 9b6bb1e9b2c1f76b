//! Redirects: followed, counted, and without secrets for strangers.

use std::sync::{Arc, OnceLock};

use http::header::{AUTHORIZATION, RANGE};
use http::{HeaderValue, Method};
use landfall_net::client::{NetError, PlainHttp, Request};

use super::certs::Authority;
use super::fake::{Server, reply};
use super::{body, get, transport, with_scheme};

#[tokio::test]
async fn cve_2026_2376_another_host_gets_the_range_but_not_the_authorization() {
    let cdn = Server::plain(|_| reply(200, &[], "blob")).await;
    let location = cdn.url("/blob?X-Amz-Signature=s").to_string();
    let registry = Server::plain(move |seen| match seen.path() {
        "/here" => reply(307, &[("location", "/there")], ""),
        _ => reply(302, &[("location", &location)], ""),
    })
    .await;
    let request = Request::new(Method::GET, registry.url("/here"))
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))
        .header(RANGE, HeaderValue::from_static("bytes=5-"));
    let response = transport(|_| ()).send(&request).await.unwrap();
    assert_eq!(response.url().path(), "/blob");
    assert_eq!(body(response).await.unwrap(), "blob");
    assert_eq!(
        registry.count(|seen| seen.header("authorization") == Some("Bearer hunter2")),
        2
    );
    let at_cdn = &cdn.seen()[0];
    assert_eq!(at_cdn.header("authorization"), None);
    assert_eq!(at_cdn.header("range"), Some("bytes=5-"));
}

#[tokio::test]
async fn cve_2026_12566_a_circle_ends() {
    let server = Server::plain(|_| reply(302, &[("location", "/again")], "")).await;
    let error = get(&transport(|_| ()), &server.url("/again")).await.unwrap_err();
    assert!(
        matches!(error, NetError::TooManyRedirects { limit: 5, .. }),
        "{error}"
    );
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn writing_is_not_redirected() {
    let server = Server::plain(|_| reply(307, &[("location", "/elsewhere")], "")).await;
    let request = Request::new(Method::PUT, server.url("/"));
    assert_eq!(transport(|_| ()).send(&request).await.unwrap().status(), 307);
}

#[tokio::test]
async fn from_tls_to_plain_only_where_it_is_allowed() {
    let authority = Authority::new();
    let plain = Server::plain(|_| reply(200, &[], "")).await;
    let location = plain.url("/").to_string();
    let pair = authority.issue(&["127.0.0.1"], |_| ());
    let server = Server::start(Some(pair.acceptor()), move |_| {
        std::future::ready(reply(307, &[("location", &location)], ""))
    })
    .await;
    let with = |plain_http| {
        let ca = authority.file();
        transport(move |options| {
            options.tls.ca_files = vec![ca];
            options.default_host.plain_http = plain_http;
        })
    };
    let error = get(&with(PlainHttp::Never), &server.url("/")).await.unwrap_err();
    assert!(matches!(error, NetError::RedirectRefused { .. }), "{error}");
    assert_eq!(
        get(&with(PlainHttp::Loopback), &server.url("/"))
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_loopback_host_without_tls_is_found_out_once() {
    let server = Server::plain(|_| reply(200, &[], "")).await;
    let url = with_scheme(&server.url("/v2/"), "https");
    let transport = transport(|_| ());
    assert_eq!(transport.scheme(&server.host()).as_str(), "https");
    for _ in 0..3 {
        let response = get(&transport, &url).await.unwrap();
        assert_eq!(response.url().scheme_str(), Some("http"));
        response.discard().await;
    }
    assert_eq!(transport.scheme(&server.host()).as_str(), "http");
    assert_eq!(server.connections(), 2, "one that met no TLS, one that was kept");
}

#[tokio::test]
async fn without_the_exception_for_loopback_plain_is_an_error() {
    let server = Server::plain(|_| reply(200, &[], "")).await;
    let transport = transport(|options| options.default_host.plain_http = PlainHttp::Never);
    let error = get(&transport, &with_scheme(&server.url("/"), "https"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.root(), NetError::NotTls { .. } | NetError::TlsCut { .. }),
        "{error}"
    );
    let error = get(&transport, &server.url("/")).await.unwrap_err();
    assert!(matches!(error, NetError::PlainHttpRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_to_oneself_works_through_the_pool() {
    let own: Arc<OnceLock<String>> = Arc::default();
    let there = Arc::clone(&own);
    let server = Server::plain(move |seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        _ => reply(308, &[("location", there.get().unwrap())], "moved"),
    })
    .await;
    own.set(server.url("/end").to_string()).unwrap();
    let request = Request::new(Method::GET, server.url("/"))
        .header(AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
    let response = transport(|_| ()).send(&request).await.unwrap();
    assert_eq!(body(response).await.unwrap(), "end");
    assert_eq!(server.seen()[1].header("authorization"), Some("Basic eA=="));
    assert_eq!(server.connections(), 1);
}
