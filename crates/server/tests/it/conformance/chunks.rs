//! Uploads in chunks: in order, out of order, with what the headers and the bytes say of each other.

use http::Method;
use landfall_hash::digest;
use landfall_oci::Algorithm;

use super::{ALGORITHMS, Stand, begin, expect_blob, stands};
use crate::client::bytes;

/// How one upload goes.
#[derive(Clone, Copy, Debug)]
struct Way {
    algorithm: Algorithm,
    len: usize,
    chunk: usize,
    /// The last chunk rides in the PUT.
    last_in_put: bool,
    /// Each chunk is preceded by one in a wrong place, which must be refused; then the true place is asked for.
    disorder: bool,
    /// The digest is of other content.
    wrong: bool,
}

async fn upload(stand: &Stand, way: Way) {
    let content = bytes(5, way.len);
    let digest = match way.wrong {
        true => digest(way.algorithm, b"other content"),
        false => digest(way.algorithm, &content),
    };
    let mut location = begin(stand).await;
    let mut start = 0;
    while start < way.len {
        let end = way.len.min(start + way.chunk);
        let is_last = end == way.len && way.last_in_put;
        let (method, path) = match is_last {
            true => (Method::PUT, format!("{location}?digest={digest}")),
            false => (Method::PATCH, location.clone()),
        };
        if way.disorder {
            send_wrong_chunk(stand, way, &location, start).await;
        }
        let range = format!("{start}-{}", end - 1);
        let headers = [
            ("content-range", range.as_str()),
            ("content-type", "application/octet-stream"),
        ];
        let taken = stand
            .send(method, &path, &headers, content.slice(start..end))
            .await;
        if is_last && way.wrong {
            taken.expect_error(400, "DIGEST_INVALID");
            return;
        }
        taken.expect(if is_last { 201 } else { 202 });
        if !is_last {
            assert_eq!(taken.header("range"), format!("0-{}", end - 1));
        }
        location = taken.header("location").to_owned();
        start = end;
    }
    if !way.last_in_put {
        let done = stand
            .send(Method::PUT, &format!("{location}?digest={digest}"), &[], "")
            .await;
        if way.wrong {
            done.expect_error(400, "DIGEST_INVALID");
            return;
        }
        done.expect(201);
        location = done.header("location").to_owned();
    }
    expect_blob(stand, &location, &digest, &content).await;
}

/// Further on, or where that is past the end, back at the beginning; by PATCH, and by PUT where it would be the last.
async fn send_wrong_chunk(stand: &Stand, way: Way, location: &str, have: usize) {
    let wrong = if have + way.chunk < way.len {
        have + way.chunk
    } else {
        0
    };
    let end = way.len.min(wrong + way.chunk);
    let range = format!("{wrong}-{}", end - 1);
    let headers = [("content-range", range.as_str())];
    let true_range = format!("0-{}", have.saturating_sub(1));
    let put = format!("{location}?digest={}", digest(way.algorithm, b"x"));
    if wrong != have {
        for (method, path) in [(Method::PATCH, location), (Method::PUT, put.as_str())] {
            let refused = stand
                .send(method, path, &headers, bytes(5, way.len).slice(wrong..end))
                .await;
            refused.expect_error(416, "BLOB_UPLOAD_INVALID");
            assert_eq!(refused.header("location"), location);
            assert_eq!(refused.header("range"), true_range);
        }
    }
    for method in [Method::GET, Method::HEAD] {
        let state = stand.send(method, location, &[], "").await;
        state.expect(204);
        assert_eq!(state.header("range"), true_range);
        assert_eq!(state.header("location"), location);
        assert_eq!(state.header("content-length"), "");
    }
}

#[tokio::test]
async fn in_every_way() {
    for stand in stands().await {
        for algorithm in ALGORITHMS {
            let one = Way {
                algorithm,
                len: 512,
                chunk: 1024,
                last_in_put: false,
                disorder: false,
                wrong: false,
            };
            upload(&stand, one).await;
            for (last_in_put, disorder, wrong) in [
                (false, false, false),
                (true, false, false),
                (false, true, false),
                (true, true, false),
                (false, false, true),
                (true, false, true),
            ] {
                let three = Way {
                    len: 3 * 1024 - 5,
                    last_in_put,
                    disorder,
                    wrong,
                    ..one
                };
                upload(&stand, three).await;
            }
        }
        assert_eq!(stand.uploads_under_way(), 0);
    }
}

#[tokio::test]
async fn a_range_may_come_without_a_length() {
    for stand in stands().await {
        let content = bytes(7, 9000);
        let digest = digest(Algorithm::Sha256, &content);
        let location = begin(&stand).await;
        for (from, to) in [(0, 5000), (5000, 9000)] {
            let range = format!("{from}-{}", to - 1);
            let headers = [("content-range", range.as_str())];
            let part = content.slice(from..to);
            stand
                .chunked(Method::PATCH, &location, &headers, part)
                .await
                .expect(202);
        }
        let path = format!("{location}?digest={digest}");
        let done = stand.send(Method::PUT, &path, &[], "").await;
        done.expect(201);
        expect_blob(&stand, done.header("location"), &digest, &content).await;
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    for stand in stands().await {
        let location = begin(&stand).await;
        let elsewhere = location.replace(super::REPO, super::REPO2);
        for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
            let path = format!("{elsewhere}?digest={}", digest(Algorithm::Sha256, b""));
            let unknown = stand.send(method, &path, &[], "x").await;
            unknown.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        }
        stand.get(&location).await.expect(204);
    }
}
