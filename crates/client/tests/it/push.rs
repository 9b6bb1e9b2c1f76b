//! Uploads: there, mounted, in one piece, in chunks, and interrupted in each way.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Method;
use landfall_client::{Ask, ClientError, Kind, Pushed};
use landfall_oci::{Descriptor, Repository};

use crate::fake::{Reply, Seen, cut, hang_up, raw, reply};
use crate::{Case, Memory, client, descriptor, log_in, noise, sha256};

/// A registry that takes one upload at a time.
#[derive(Default)]
struct Uploads {
    got: Vec<u8>,
    done: Vec<(String, Vec<u8>)>,
    opened: usize,
    cancelled: usize,
}

type Shared = Arc<Mutex<Uploads>>;

fn uploads() -> (Shared, Shared) {
    let uploads = Shared::default();
    (Arc::clone(&uploads), uploads)
}

const SESSION: &str = "/v2/team/app/blobs/uploads/1?_state=a%3Db%26c";

impl Uploads {
    fn answer(&mut self, seen: &Seen) -> Reply {
        match seen.method {
            Method::HEAD => reply(404, &[], ""),
            Method::POST => {
                self.got.clear();
                self.opened += 1;
                // Relative, with a query that must survive.
                reply(202, &[("location", SESSION), ("range", "0-0")], "")
            }
            Method::DELETE => {
                self.cancelled += 1;
                reply(204, &[], "")
            }
            Method::GET => self.state(204),
            Method::PATCH => self.patch(seen),
            _ => self.put(seen),
        }
    }

    fn state(&self, status: u16) -> Reply {
        let range = format!("0-{}", self.got.len().max(1) - 1);
        reply(status, &[("location", SESSION), ("range", &range)], "")
    }

    fn patch(&mut self, seen: &Seen) -> Reply {
        assert_eq!(seen.query(), "_state=a%3Db%26c");
        let range = format!("{}-{}", self.got.len(), self.got.len() + seen.body.len() - 1);
        if seen.header("content-range") != Some(&range) {
            return reply(416, &[], "");
        }
        self.got.extend_from_slice(&seen.body);
        self.state(202)
    }

    fn put(&mut self, seen: &Seen) -> Reply {
        let digest = seen
            .query()
            .strip_prefix("_state=a%3Db%26c&digest=")
            .unwrap()
            .to_owned();
        self.got.extend_from_slice(&seen.body);
        let got = std::mem::take(&mut self.got);
        if sha256(&got).to_string() != digest {
            return reply(
                400,
                &[],
                r#"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#,
            );
        }
        self.done.push((digest.clone(), got));
        reply(201, &[("docker-content-digest", &digest)], "")
    }
}

async fn push(case: &Case, blob: &Bytes, from: &[&str]) -> Result<Pushed, ClientError> {
    push_as(case, &descriptor(blob), blob, from).await
}

async fn push_as(
    case: &Case,
    descriptor: &Descriptor,
    blob: &Bytes,
    from: &[&str],
) -> Result<Pushed, ClientError> {
    let from: Vec<Repository> = from.iter().map(|name| name.parse().unwrap()).collect();
    let source = Memory(blob.clone());
    case.client
        .push_blob(
            &case.registry,
            &case.repository,
            descriptor,
            &source,
            &from,
            Ask::First,
        )
        .await
}

#[tokio::test]
async fn in_one_piece_even_when_it_is_empty() {
    for size in [0, 1, 500_000] {
        let blob = noise(size);
        let (uploads, state) = uploads();
        let case = Case::new(move |seen| state.lock().unwrap().answer(&seen)).await;
        assert_eq!(push(&case, &blob, &[]).await.unwrap(), Pushed::Uploaded);
        assert!(uploads.lock().unwrap().done[0].1 == blob);
        let methods: Vec<_> = case
            .server
            .seen()
            .iter()
            .map(|seen| seen.method.to_string())
            .collect();
        assert_eq!(methods, ["HEAD", "POST", "PUT"]);
        let put = &case.server.seen()[2];
        assert_eq!(put.header("content-length"), Some(size.to_string().as_str()));
        assert_eq!(put.header("content-type"), Some("application/octet-stream"));
    }
}

#[tokio::test]
async fn nothing_is_sent_when_it_is_there() {
    let case = Case::new(|seen| match seen.method {
        Method::HEAD => reply(200, &[], "abc"),
        _ => panic!("{seen:?}"),
    })
    .await;
    assert_eq!(
        push(&case, &Bytes::from_static(b"abc"), &["x"]).await.unwrap(),
        Pushed::AlreadyThere
    );
}

#[tokio::test]
async fn a_damaged_copy_is_replaced() {
    let (uploads, state) = uploads();
    let case = Case::new(move |seen| match seen.method {
        Method::HEAD => reply(200, &[], ""),
        _ => state.lock().unwrap().answer(&seen),
    })
    .await;
    assert_eq!(push(&case, &noise(100), &[]).await.unwrap(), Pushed::Uploaded);
    assert_eq!(uploads.lock().unwrap().done.len(), 1);
}

#[tokio::test]
async fn mounts_are_tried_in_turn_and_what_they_opened_is_used_or_cancelled() {
    let (uploads, state) = uploads();
    let case = Case::new(move |seen| match seen.query() {
        query if query.ends_with("&from=good/one") => reply(201, &[("location", "/v2/x")], ""),
        query if query.ends_with("&from=forbidden") => reply(403, &[], ""),
        _ => state.lock().unwrap().answer(&seen),
    })
    .await;
    let blob = noise(1000);
    let mounted = push(
        &case,
        &blob,
        &["team/app", "forbidden", "other", "good/one", "never"],
    )
    .await
    .unwrap();
    assert_eq!(mounted, Pushed::Mounted("good/one".parse().unwrap()));
    assert_eq!(uploads.lock().unwrap().cancelled, 1);
    let first = &case.server.seen()[1];
    assert_eq!(
        first.query(),
        format!("mount={}&from=forbidden", descriptor(&blob).digest)
    );
    assert_eq!(
        case.server
            .count(|seen| seen.query().contains("never") || seen.query().contains("team")),
        0
    );

    assert_eq!(
        push(&case, &blob, &["forbidden", "other"]).await.unwrap(),
        Pushed::Uploaded
    );
    let uploads = uploads.lock().unwrap();
    assert_eq!(
        (uploads.opened, uploads.cancelled),
        (2, 1),
        "the mount's upload was used"
    );
}

#[tokio::test]
async fn another_digest_than_sent_is_an_error() {
    let (_, state) = uploads();
    let case = Case::new(move |seen| match seen.method {
        Method::PUT => reply(
            201,
            &[("docker-content-digest", &sha256(b"other").to_string())],
            "",
        ),
        _ => state.lock().unwrap().answer(&seen),
    })
    .await;
    let error = push(&case, &noise(10), &[]).await.unwrap_err();
    assert!(matches!(error, ClientError::DigestHeader { .. }), "{error}");
}

#[tokio::test]
async fn wrong_bytes_are_refused_by_the_registry() {
    let (_, state) = uploads();
    let case = Case::new(move |seen| state.lock().unwrap().answer(&seen)).await;
    let mut wanted = descriptor(b"right");
    wanted.size = 5;
    let error = push_as(&case, &wanted, &Bytes::from_static(b"wrong"), &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    wanted.size = 6;
    let error = push_as(&case, &wanted, &Bytes::from_static(b"wrong"), &[])
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Impossible { .. }), "{error}");
}

#[tokio::test]
async fn in_chunks_when_the_registry_names_a_minimum() {
    let (uploads, state) = uploads();
    let case = Case::with(
        |options, _| options.chunk_bytes = 1000,
        move |seen| {
            let mut answer = state.lock().unwrap().answer(&seen);
            if seen.method == Method::POST {
                answer
                    .headers_mut()
                    .insert("oci-chunk-min-length", "30000".parse().unwrap());
            }
            answer
        },
    )
    .await;
    let blob = noise(100_000);
    assert_eq!(push(&case, &blob, &[]).await.unwrap(), Pushed::Uploaded);
    assert!(uploads.lock().unwrap().done[0].1 == blob);
    let lengths: Vec<_> = case
        .server
        .seen()
        .iter()
        .filter(|seen| seen.method == Method::PATCH)
        .map(|seen| seen.body.len())
        .collect();
    assert_eq!(lengths, [30_000, 30_000, 30_000, 10_000]);
}

#[tokio::test]
async fn in_smaller_and_smaller_chunks_when_a_proxy_refuses_large_bodies() {
    let (uploads, state) = uploads();
    let case = Case::with(
        |options, _| options.chunk_bytes = 4 << 20,
        move |seen| match seen.body.len() > 1 << 20 {
            true => reply(413, &[], "<html>nginx</html>"),
            false => state.lock().unwrap().answer(&seen),
        },
    )
    .await;
    let blob = noise(5 << 20);
    assert_eq!(push(&case, &blob, &[]).await.unwrap(), Pushed::Uploaded);
    assert!(uploads.lock().unwrap().done[0].1 == blob);
    assert_eq!(
        case.server
            .count(|seen| seen.method == Method::PATCH && seen.body.len() == 1 << 20),
        5
    );

    let small = noise(1_500_000);
    assert_eq!(push(&case, &small, &[]).await.unwrap(), Pushed::Uploaded);
    assert!(uploads.lock().unwrap().done[1].1 == small);

    let refusing = Case::new(|seen| match seen.method {
        Method::HEAD => reply(404, &[], ""),
        Method::POST => reply(202, &[("location", "/v2/u")], ""),
        _ => reply(413, &[], ""),
    })
    .await;
    let error = push(&refusing, &blob, &[]).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { status: 413, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_chunk_that_is_lost_on_its_way_is_sent_again_from_where_the_registry_stands() {
    let (uploads, state) = uploads();
    let faults = Mutex::new(vec![2_usize, 3]);
    let patches = std::sync::atomic::AtomicUsize::new(0);
    let case = Case::with(
        |options, _| options.chunk_bytes = 20_000,
        move |seen| {
            let mut state = state.lock().unwrap();
            if seen.method == Method::POST {
                let mut answer = state.answer(&seen);
                answer
                    .headers_mut()
                    .insert("oci-chunk-min-length", "1".parse().unwrap());
                return answer;
            }
            let number = match seen.method {
                Method::PATCH => patches.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                _ => 0,
            };
            let mut faults = faults.lock().unwrap();
            match faults.first() {
                // It got a part of the chunk, and then it broke.
                Some(2) if number == 2 => {
                    faults.remove(0);
                    state.got.extend_from_slice(&seen.body[..7_000]);
                    reply(503, &[], "")
                }
                // It got all of it, but its answer was lost.
                Some(3) if number == 3 => {
                    faults.remove(0);
                    state.answer(&seen);
                    cut(202, &[], "x", Some(10))
                }
                _ => state.answer(&seen),
            }
        },
    )
    .await;
    let blob = noise(90_000);
    assert_eq!(push(&case, &blob, &[]).await.unwrap(), Pushed::Uploaded);
    let uploads = uploads.lock().unwrap();
    assert!(uploads.done[0].1 == blob);
    assert_eq!(uploads.opened, 1, "resumed, not begun anew");
    assert!(case.server.count(|seen| seen.method == Method::GET) >= 1);
}

#[tokio::test]
async fn an_interrupted_put_begins_anew() {
    let (uploads, state) = uploads();
    let faults = Mutex::new(vec![503_u16, 404, 0]);
    let case = Case::with(
        |options, _| options.transport.retry.attempts = 5,
        move |seen| match (seen.method == Method::PUT)
            .then(|| faults.lock().unwrap().pop())
            .flatten()
        {
            None => state.lock().unwrap().answer(&seen),
            Some(0) => hang_up(),
            Some(404) => reply(404, &[], r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
            Some(status) => reply(status, &[], ""),
        },
    )
    .await;
    let blob = noise(300_000);
    assert_eq!(push(&case, &blob, &[]).await.unwrap(), Pushed::Uploaded);
    let uploads = uploads.lock().unwrap();
    assert!(uploads.done[0].1 == blob);
    assert!(uploads.opened >= 3);
}

#[tokio::test]
async fn a_refusal_while_we_still_send_is_the_error_that_is_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (address, task) = raw(|mut tcp, _| async move {
        let mut buffer = vec![0; 4096];
        loop {
            let Ok(n @ 1..) = tcp.read(&mut buffer).await else {
                return;
            };
            let answer = match &buffer[..n] {
                [b'H', b'E', b'A', b'D', ..] => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                [b'P', b'O', ..] => "HTTP/1.1 202 Accepted\r\nLocation: /u\r\nContent-Length: 0\r\n\r\n",
                [b'P', b'U', ..] => {
                    let body = r#"{"errors":[{"code":"DENIED","message":"quota exceeded"}]}"#;
                    let head = format!(
                        "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    tcp.write_all(head.as_bytes()).await.unwrap();
                    return;
                }
                _ => return,
            };
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let blob = noise(30 << 20);
    let client = client(|_| ());
    let registry = address.to_string().parse().unwrap();
    let repository = "a".parse().unwrap();
    let source = Memory(blob.clone());
    let pushed = client
        .push_blob(
            &registry,
            &repository,
            &descriptor(&blob),
            &source,
            &[],
            Ask::First,
        )
        .await;
    let error = pushed.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(error.to_string().contains("quota exceeded"), "{error}");
    task.abort();
}

#[tokio::test]
async fn an_upload_at_another_host_gets_no_secret() {
    let (uploads, state) = uploads();
    let store = crate::fake::Server::plain(move |seen| state.lock().unwrap().answer(&seen)).await;
    let location = store.url(SESSION).to_string();
    let case = Case::with(log_in, move |seen| {
        match (&seen.method, seen.header("authorization")) {
            (_, None) => reply(401, &[("www-authenticate", "Basic")], ""),
            (&Method::POST, _) => reply(202, &[("location", &location)], ""),
            _ => reply(404, &[], ""),
        }
    })
    .await;
    assert_eq!(push(&case, &noise(1000), &[]).await.unwrap(), Pushed::Uploaded);
    assert_eq!(uploads.lock().unwrap().done.len(), 1);
    assert_eq!(store.count(|seen| seen.header("authorization").is_some()), 0);
}

#[tokio::test]
async fn a_registry_without_a_location() {
    let case = Case::new(|seen| match seen.method {
        Method::POST => reply(202, &[], ""),
        _ => reply(404, &[], ""),
    })
    .await;
    assert!(matches!(
        push(&case, &noise(10), &[]).await,
        Err(ClientError::Protocol { .. })
    ));
}

#[tokio::test]
async fn copying_within_one_registry_does_not_wait_for_itself() {
    struct Remote {
        case: Arc<Case>,
        descriptor: Descriptor,
    }
    #[async_trait::async_trait]
    impl landfall_client::BlobSource for Remote {
        fn size(&self) -> u64 {
            self.descriptor.size
        }
        async fn open(
            &self,
            offset: u64,
        ) -> std::io::Result<futures_util::stream::BoxStream<'static, std::io::Result<Bytes>>> {
            let blob = self
                .case
                .blob(&self.descriptor, offset)
                .await
                .map_err(std::io::Error::other)?;
            let pieces = futures_util::stream::unfold(blob, |mut blob| async {
                let next = blob.next().await.transpose()?;
                Some((next.map_err(std::io::Error::other), blob))
            });
            Ok(Box::pin(pieces))
        }
    }
    let blob = noise(400_000);
    let served = blob.clone();
    let case = Case::with(
        |options, _| options.transport.default_host.concurrency = 2,
        move |seen| match seen.method {
            Method::GET => reply(200, &[], served.clone()),
            Method::HEAD => reply(404, &[], ""),
            Method::POST => reply(202, &[("location", "/v2/u")], ""),
            _ => reply(201, &[], ""),
        },
    )
    .await;
    let case = Arc::new(case);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (case, descriptor) = (Arc::clone(&case), descriptor(&blob));
            tokio::spawn(async move {
                let source = Remote {
                    case: Arc::clone(&case),
                    descriptor: descriptor.clone(),
                };
                let to: Repository = "copy".parse().unwrap();
                case.client
                    .push_blob(&case.registry, &to, &descriptor, &source, &[], Ask::First)
                    .await
                    .unwrap()
            })
        })
        .collect();
    for task in tasks {
        let pushed = tokio::time::timeout(std::time::Duration::from_secs(20), task).await;
        assert_eq!(pushed.expect("a deadlock").unwrap(), Pushed::Uploaded);
    }
}
