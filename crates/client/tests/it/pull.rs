//! Blobs: whatever happens on the way, the bytes are exact or the error is clear.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use landfall_client::{ClientError, Kind};
use landfall_net::client::NetError;

use crate::fake::{Reply, Seen, Server, chunked, cut, reply, stall};
use crate::{Case, collect, descriptor, noise};

const SIZE: usize = 700_000;

/// The range that was asked for.
fn from(seen: &Seen) -> Option<usize> {
    seen.header("range")?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

/// How an answer is given: status, headers, what is sent, what is announced.
type Ending = fn(u16, &[(&str, &str)], Bytes, Option<usize>) -> Reply;

/// Answers as a registry does, but for a part: the bytes up to `until`, then `end`.
fn partly(seen: &Seen, blob: &Bytes, until: usize, end: Ending) -> Reply {
    let first = from(seen).unwrap_or(0);
    let until = until.clamp(first, blob.len());
    let range = format!("bytes {first}-{}/{}", blob.len() - 1, blob.len());
    match from(seen) {
        None => end(200, &[], blob.slice(first..until), Some(blob.len())),
        Some(_) => end(
            206,
            &[("content-range", &range)],
            blob.slice(first..until),
            Some(blob.len() - first),
        ),
    }
}

fn whole(status: u16, headers: &[(&str, &str)], body: Bytes, _: Option<usize>) -> Reply {
    reply(status, headers, body)
}

#[tokio::test]
async fn at_once_and_from_the_middle() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |seen| partly(&seen, &served, SIZE, whole)).await;
    for offset in [0, 1, 300_000, SIZE - 1, SIZE] {
        let mut stream = case.blob(&descriptor(&blob), offset as u64).await.unwrap();
        assert_eq!(stream.offset(), offset as u64);
        assert!(collect(&mut stream).await.unwrap() == blob[offset..]);
        assert_eq!(stream.offset(), SIZE as u64);
        assert!(stream.next().await.unwrap().is_none());
    }
    assert_eq!(case.server.seen().len(), 4, "nothing to ask for at the end");
    assert_eq!(case.server.connections(), 2, "one without TLS, one for all");
    assert!(case.blob(&descriptor(&blob), SIZE as u64 + 1).await.is_err());
    assert_eq!(case.server.seen()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_blob_can_be_read_in_a_task_of_its_own() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |seen| partly(&seen, &served, SIZE, whole)).await;
    let (client, registry, repository) = (
        case.client.clone(),
        case.registry.clone(),
        case.repository.clone(),
    );
    let wanted = descriptor(&blob);
    let task = tokio::spawn(async move {
        let mut stream = client.blob(&registry, &repository, &wanted, 0).await.unwrap();
        collect(&mut stream).await.unwrap()
    });
    assert!(task.await.unwrap() == blob);
}

#[tokio::test]
async fn cut_many_times_and_resumed_at_the_very_byte() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let count = AtomicUsize::new(0);
    let case = Case::new(move |seen| {
        let until = (count.fetch_add(1, Ordering::SeqCst) + 1) * 100_000;
        match until >= SIZE {
            true => partly(&seen, &served, SIZE, whole),
            false => partly(&seen, &served, until, cut),
        }
    })
    .await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    let asked: Vec<_> = case.server.seen().iter().map(from).collect();
    assert_eq!(
        asked,
        [
            None,
            Some(100_000),
            Some(200_000),
            Some(300_000),
            Some(400_000),
            Some(500_000),
            Some(600_000)
        ]
    );
}

#[tokio::test]
async fn a_stalled_body_is_resumed_too() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |seen| match from(&seen) {
        None => partly(&seen, &served, 200_000, stall),
        Some(_) => partly(&seen, &served, SIZE, whole),
    })
    .await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    assert_eq!(from(&case.server.seen()[1]), Some(200_000));
}

#[tokio::test]
async fn a_server_that_does_not_know_ranges() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let count = AtomicUsize::new(0);
    let case = Case::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => cut(200, &[], served.slice(..250_000), Some(SIZE)),
        _ => reply(200, &[], served.clone()),
    })
    .await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
}

#[tokio::test]
async fn no_progress_ends_with_the_number_of_tries() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |seen| partly(&seen, &served, 1000 + from(&seen).unwrap_or(0), cut)).await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    let error = collect(&mut stream).await.unwrap_err();
    assert!(
        matches!(
            &error,
            ClientError::Net {
                source: NetError::Exhausted { attempts: 3, .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.kind(), Kind::Net);
    assert_eq!(stream.offset(), 3000, "what came was given");
}

#[tokio::test]
async fn other_sizes_than_the_descriptor_are_found_before_the_first_byte() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |seen| partly(&seen, &served, SIZE, whole)).await;
    let mut wanted = descriptor(&blob);
    wanted.size -= 1;
    for offset in [0, 10] {
        let error = case.blob(&wanted, offset).await.unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::SizeMismatch {
                    found: 700_000,
                    expected: 699_999,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::Corrupt);
    }
}

#[tokio::test]
async fn more_or_fewer_bytes_without_a_stated_length() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::new(move |_| chunked(200, &[], served.clone())).await;
    let mut wanted = descriptor(&blob);
    let mut stream = case.blob(&wanted, 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    wanted.size -= 1;
    let mut stream = case.blob(&wanted, 0).await.unwrap();
    assert!(matches!(
        collect(&mut stream).await,
        Err(ClientError::TooLong { .. })
    ));
    wanted.size += 2;
    let mut stream = case.blob(&wanted, 0).await.unwrap();
    assert!(matches!(collect(&mut stream).await, Err(ClientError::Net { .. })));
}

#[tokio::test]
async fn exact_bytes_and_then_one_more() {
    let case = Case::new(|_| {
        let mut reply = chunked(200, &[], "abc");
        *reply.body_mut() = chunked(200, &[], "abcd").into_body();
        reply
    })
    .await;
    let mut stream = case.blob(&descriptor(b"abc"), 0).await.unwrap();
    assert!(matches!(stream.next().await, Err(ClientError::TooLong { .. })));
}

#[tokio::test]
async fn ranges_that_were_not_asked_for() {
    for (status, range) in [
        (206, "bytes 9-99/100"),
        (206, "bytes 10-100/100"),
        (206, ""),
        (416, "bytes */100"),
    ] {
        let case = Case::new(move |_| reply(status, &[("content-range", range)], "x")).await;
        let error = case.blob(&descriptor(&noise(100)), 10).await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{range}: {error}");
    }
}

#[tokio::test]
async fn encoded_bodies_are_not_blobs() {
    let case = Case::new(|_| reply(200, &[("content-encoding", "gzip")], "abc")).await;
    let error = case.blob(&descriptor(b"abc"), 0).await.unwrap_err();
    assert!(error.to_string().contains("gzip"), "{error}");
}

#[tokio::test]
async fn each_resumption_starts_at_the_registry_and_no_secret_goes_to_the_store_behind_it() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let store = Server::plain(move |seen| match from(&seen) {
        None => partly(&seen, &served, 200_000, cut),
        Some(_) => partly(&seen, &served, SIZE, whole),
    })
    .await;
    let location = store.url("/bucket/x?X-Amz-Signature=zzz").to_string();
    let case = Case::with(crate::log_in, move |seen| match seen.header("authorization") {
        None => reply(401, &[("www-authenticate", "Basic")], ""),
        Some(_) => reply(307, &[("location", &location)], ""),
    })
    .await;
    let mut stream = case.blob(&descriptor(&blob), 0).await.unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    assert_eq!(
        case.server.count(|seen| seen.header("authorization").is_some()),
        2
    );
    assert_eq!(store.seen().len(), 2);
    assert_eq!(store.count(|seen| seen.header("authorization").is_some()), 0);
}

#[tokio::test]
async fn a_store_that_says_401_is_not_the_registry() {
    let store = Server::plain(|_| reply(401, &[("www-authenticate", "Basic realm=store")], "")).await;
    let location = store.url("/x").to_string();
    let case = Case::with(crate::log_in, move |_| reply(307, &[("location", &location)], "")).await;
    assert_eq!(
        case.blob(&descriptor(b"x"), 0).await.unwrap_err().kind(),
        Kind::Unauthorized
    );
    assert_eq!(store.count(|seen| seen.header("authorization").is_some()), 0);
}

#[tokio::test]
async fn foreign_layers_come_from_the_first_url_that_works() {
    let blob = noise(SIZE);
    let served = blob.clone();
    let case = Case::with(crate::log_in, move |seen| match (seen.path(), from(&seen)) {
        ("/gone", _) => reply(404, &[], ""),
        (_, None) => partly(&seen, &served, 100_000, cut),
        _ => partly(&seen, &served, SIZE, whole),
    })
    .await;
    let urls = ["ftp://x/y", "/gone", "/layer"].map(|path| match path.starts_with('/') {
        true => case.server.url(path).to_string(),
        false => path.to_owned(),
    });
    let mut stream = case
        .client
        .external_blob(&urls, &descriptor(&blob), 0)
        .await
        .unwrap();
    assert!(collect(&mut stream).await.unwrap() == blob);
    assert_eq!(
        case.server.count(|seen| seen.header("authorization").is_some()),
        0
    );
    let error = case
        .client
        .external_blob(&urls[..2], &descriptor(&blob), 0)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(
        case.client
            .external_blob(&[], &descriptor(&blob), 0)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn whether_a_blob_is_there() {
    let case = Case::new(|seen| match seen.path().ends_with(&"0".repeat(64)) {
        true => reply(404, &[], ""),
        false => reply(200, &[], "abc"),
    })
    .await;
    let has = async |text: &str| {
        let digest = text.parse().unwrap();
        case.client
            .has_blob(&case.registry, &case.repository, &digest)
            .await
            .unwrap()
    };
    assert!(!has(&format!("sha256:{}", "0".repeat(64))).await);
    assert!(has(&format!("sha256:{}", "1".repeat(64))).await);
}
