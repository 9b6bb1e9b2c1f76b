//! Files arrive byte for byte, and go the way that they should.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use landfall_net::server::Limits;
use tokio::io::AsyncReadExt;

use super::tools::{Running, bytes, file_of, soon};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_goes_by_sendfile_alone() {
    let expected = bytes(64 * MIB);
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let mut client = server.connect().await;
    let answer = soon(client.get("/file")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == expected, "the bytes differ");
    assert_eq!(server.stats.sendfile_bytes(), 64 << 20);
    assert_eq!(server.stats.copied_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_on_one_connection() {
    let expected = bytes(8 * MIB + 123);
    let len = expected.len() as u64;
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let mut client = server.connect().await;
    let mut large = 0;
    for (from, to) in [
        (0, 1),
        (0, 4096),
        (1, 32 << 10),
        (4095, 4097),
        (5, 5 + (32 << 10)),
        (12_345, 3_000_001),
        (len - 1, len),
        (len - 100_000, len),
        (0, len),
    ] {
        let answer = soon(client.get_range("/file", from..to)).await;
        assert!(
            answer.body == expected[from as usize..to as usize],
            "{from}..{to} differs"
        );
        if to - from >= 32 << 10 {
            large += to - from;
        }
        assert_eq!(
            soon(client.get("/hello")).await.body,
            b"hello",
            "the connection is kept"
        );
    }
    assert_eq!(
        server.stats.sendfile_bytes(),
        large,
        "small ones are not worth a mapping"
    );
    assert_eq!(server.stats.accepted(), 1);
}

#[tokio::test]
async fn a_head_request_gets_the_length_only() {
    let server = Running::plain(Limits::default(), file_of(&bytes(MIB))).await;
    let mut client = server.connect().await;
    client.ask("HEAD", "/file", None).await;
    let (status, _, length) = soon(client.head()).await.unwrap();
    assert_eq!((status, length), (200, MIB));
    assert_eq!(soon(client.get("/hello")).await.body, b"hello");
    assert_eq!(server.stats.sendfile_bytes(), 0);
}

#[tokio::test]
async fn an_empty_file() {
    let server = Running::plain(Limits::default(), file_of(b"")).await;
    let mut client = server.connect().await;
    let answer = soon(client.get("/file")).await;
    assert!(answer.head.contains("content-length: 0"), "{}", answer.head);
    assert_eq!(soon(client.get("/hello")).await.body, b"hello");
}

#[tokio::test]
async fn secure_bodies_are_read_even_over_plain_connections() {
    let expected = bytes(3 * MIB + 7);
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let mut client = server.connect().await;
    assert!(soon(client.get("/secure")).await.body == expected);
    assert_eq!(server.stats.sendfile_bytes(), 0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let expected = bytes(2 * MIB);
    let server = Running::plain(Limits::default(), file_of(&expected)).await;
    let mut client = server.connect().await;
    for path in ["/hello", "/file", "/hello", "/file", "/hello"] {
        client.ask("GET", path, None).await;
    }
    for is_file in [false, true, false, true, false] {
        let answer = soon(client.answer()).await.unwrap();
        assert!(answer.body == if is_file { &expected[..] } else { b"hello" });
    }
    assert_eq!(server.stats.sendfile_bytes(), 4 << 20);
}

// The mapping is an address, not memory: no page of it may ever be touched.
#[tokio::test]
async fn sending_a_file_leaves_nothing_of_it_in_memory() {
    let named = tempfile::NamedTempFile::new().unwrap();
    named.as_file().write_all_at(&bytes(16 * MIB), 0).unwrap();
    let server = Running::plain(Limits::default(), named.reopen().unwrap()).await;
    let mut client = server.connect().await;
    client.ask("GET", "/file", None).await;
    let (_, _, length) = soon(client.head()).await.unwrap();
    let mut body = vec![0; 10 * MIB];
    soon(client.0.read_exact(&mut body)).await.unwrap();
    let name = named.path().to_str().unwrap();
    assert_eq!(
        resident(name),
        Some(0),
        "half-way through it is mapped, and nothing of it is resident"
    );
    let mut body = vec![0; length - body.len()];
    soon(client.0.read_exact(&mut body)).await.unwrap();
    soon(client.get("/hello")).await;
    assert_eq!(resident(name), None, "afterwards it is not mapped any more");
    assert_eq!(
        open_descriptors(name),
        2,
        "only ours: the connection does not keep it"
    );
}

/// KiB of a mapped file that are in our memory; `None` when it is not mapped.
fn resident(name: &str) -> Option<u64> {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines();
    let mut sum = None;
    while let Some(line) = lines.next() {
        if line.ends_with(name) {
            let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
            let rss: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
            sum = Some(sum.unwrap_or(0) + rss);
        }
    }
    sum
}

fn open_descriptors(name: &str) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    descriptors
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|path| path.to_str() == Some(name)))
        .count()
}

#[tokio::test]
async fn a_file_truncated_under_way_breaks_that_response_off_and_nothing_else() {
    for path in ["/file", "/secure"] {
        let file = file_of(&bytes(32 * MIB));
        let cut = file.try_clone().unwrap();
        let server = Running::plain(Limits::default(), file).await;
        let mut client = server.connect_narrow().await;
        client.ask("GET", path, None).await;
        let (_, _, length) = soon(client.head()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        cut.set_len(1 << 20).unwrap();
        let rest = client.rest().await;
        assert!(rest.len() < length, "the client sees that something is missing");
        let expected = bytes(1 << 20);
        assert!(
            rest.starts_with(&expected[..rest.len().min(1 << 20)]),
            "what came is right"
        );
        assert_eq!(soon(server.connect().await.get("/hello")).await.body, b"hello");
    }
}

#[tokio::test]
async fn a_file_that_is_not_in_the_page_cache() {
    let mut named = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let expected = bytes(8 * MIB);
    named.write_all(&expected).unwrap();
    named.as_file().sync_all().unwrap();
    rustix::fs::fadvise(named.as_file(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let mut byte = [0];
    let cold = rustix::io::preadv2(
        named.as_file(),
        &mut [std::io::IoSliceMut::new(&mut byte)],
        0,
        rustix::io::ReadWriteFlags::NOWAIT,
    ) == Err(rustix::io::Errno::AGAIN);
    println!("the file system can tell: {cold}");
    let server = Running::plain(Limits::default(), named.reopen().unwrap()).await;
    let mut client = server.connect().await;
    assert!(soon(client.get("/file")).await.body == expected);
    assert_eq!(server.stats.sendfile_bytes(), 8 << 20);
    assert_eq!(
        server.stats.cold_reads() > 0,
        cold,
        "the disk was waited for elsewhere"
    );
}

#[tokio::test]
async fn streams_with_and_without_a_length() {
    let server = Running::plain(Limits::default(), file_of(b"")).await;
    let mut client = server.connect().await;
    client.ask("GET", "/stream", None).await;
    let (_, head, _) = soon(client.head()).await.unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut chunks = vec![0; 5 * 7 + 5];
    soon(client.0.read_exact(&mut chunks)).await.unwrap();
    assert_eq!(
        chunks,
        b"2\r\n0,\r\n2\r\n1,\r\n2\r\n2,\r\n2\r\n3,\r\n2\r\n4,\r\n0\r\n\r\n"
    );
    client.ask("GET", "/broken", None).await;
    // The server may send nothing at all or a part, and must close: the client sees that the end is missing.
    let rest = client.rest().await;
    let body = rest
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map_or(0, |head| rest.len() - head - 4);
    assert!(body < 100, "{body} bytes of 100");
    assert_eq!(soon(server.connect().await.get("/hello")).await.body, b"hello");
}
