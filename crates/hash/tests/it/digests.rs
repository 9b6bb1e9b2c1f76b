//! The right digest, whatever the kernel, the lengths, the chunks and the company.

use landfall_hash::digest;
use landfall_oci::Algorithm;
use proptest::prelude::*;

use crate::tools::{bytes, services, soon};

#[tokio::test]
async fn known_answers() {
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let million = "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    for (kernel, service) in services(2) {
        let mut stream = service.stream(Algorithm::Sha256);
        stream.update("abc".into()).await.unwrap();
        assert_eq!(
            soon(stream.finish()).await.unwrap().to_string(),
            abc,
            "{kernel:?}"
        );
        let mut stream = service.stream(Algorithm::Sha256);
        for _ in 0..100 {
            stream.update(vec![b'a'; 10_000].into()).await.unwrap();
        }
        assert_eq!(stream.len(), 1_000_000);
        assert_eq!(
            soon(stream.finish()).await.unwrap().to_string(),
            million,
            "{kernel:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_without_bytes_has_the_digest_of_nothing() {
    for (_, service) in services(1) {
        for algorithm in Algorithm::ALL {
            let mut stream = service.stream(algorithm);
            stream.update("".into()).await.unwrap();
            assert!(stream.is_empty());
            assert_eq!(soon(stream.finish()).await.unwrap(), digest(algorithm, b""));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_once() {
    for (kernel, service) in services(2) {
        let tasks: Vec<_> = (0..100_u64)
            .map(|i| {
                let algorithm = Algorithm::ALL[usize::from(i % 10 == 0) * (1 + i as usize / 10 % 2)];
                let mut stream = service.stream(algorithm);
                let whole = bytes((i as usize * 7919) % 400_000, i);
                tokio::spawn(async move {
                    let mut rest = whole.clone();
                    let mut take = 1 + i as usize * 577 % 50_000;
                    while !rest.is_empty() {
                        stream.update(rest.split_to(take.min(rest.len()))).await.unwrap();
                        take = take * 31 % 60_000 + 1;
                    }
                    assert_eq!(stream.len(), whole.len() as u64);
                    assert_eq!(stream.finish().await.unwrap(), digest(algorithm, &whole));
                })
            })
            .collect();
        for task in tasks {
            soon(task)
                .await
                .unwrap_or_else(|error| panic!("{kernel:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_chunk_larger_than_the_queue() {
    let large = bytes(5 << 20, 3);
    for (_, service) in services(1) {
        let mut stream = service.stream(Algorithm::Sha256);
        stream.update("x".into()).await.unwrap();
        soon(stream.update(large.clone())).await.unwrap();
        soon(stream.update(large.clone())).await.unwrap();
        let whole = [b"x", &large[..], &large[..]].concat();
        assert_eq!(
            soon(stream.finish()).await.unwrap(),
            digest(Algorithm::Sha256, &whole)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    // Streams fed in turn, in any order and in pieces of any length.
    #[test]
    fn any_interleaving(
        lengths in prop::collection::vec(prop_oneof![0_usize..140, 0_usize..30_000], 1..24),
        steps in prop::collection::vec((0_usize..24, 1_usize..5000), 1..60),
        seed: u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for (kernel, service) in services(2) {
                let messages: Vec<_> =
                    lengths.iter().zip(u64::from(seed)..).map(|(len, seed)| bytes(*len, seed)).collect();
                let mut rest = messages.clone();
                let mut streams: Vec<_> =
                    lengths.iter().map(|_| service.stream(Algorithm::Sha256)).collect();
                for (which, take) in &steps {
                    let which = which % lengths.len();
                    let take = (*take).min(rest[which].len());
                    let piece = rest[which].split_to(take);
                    soon(streams[which].update(piece)).await.unwrap();
                }
                for (stream, rest) in streams.iter_mut().zip(rest) {
                    soon(stream.update(rest)).await.unwrap();
                }
                for (stream, message) in streams.into_iter().zip(&messages) {
                    let found = soon(stream.finish()).await.unwrap();
                    assert_eq!(found, digest(Algorithm::Sha256, message), "{kernel:?}");
                }
            }
        });
    }
}
