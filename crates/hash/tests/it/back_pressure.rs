//! Memory is bounded by the number of streams, whatever they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use landfall_oci::Algorithm;

use crate::tools::{Gate, bytes, call, services, soon};

/// A chunk that is counted while it exists.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

fn counted(len: usize, alive: &Arc<AtomicUsize>) -> Bytes {
    alive.fetch_add(len, Ordering::SeqCst);
    Bytes::from_owner(Counted {
        bytes: vec![7; len],
        alive: Arc::clone(alive),
    })
}

#[tokio::test]
async fn update_waits_for_a_slow_sink() {
    for (_, service) in services(1) {
        for chunk in [1000, 100_000, 300_000] {
            let gate = Gate::default();
            let held = gate.clone();
            let alive = Arc::new(AtomicUsize::new(0));
            let mut stream = service.stream_into(
                Algorithm::Sha256,
                call(move |_| {
                    held.pass();
                    Ok(())
                }),
            );
            let feeding = async {
                for _ in 0..100 {
                    stream.update(counted(chunk, &alive)).await.unwrap();
                }
            };
            assert!(
                tokio::time::timeout(Duration::from_millis(50), feeding)
                    .await
                    .is_err()
            );
            // What is queued, and the chunk that waited was dropped with its future.
            let most = alive.load(Ordering::SeqCst);
            assert!(most <= (1 << 20), "{most} bytes alive with chunks of {chunk}");
            let accepted = stream.len();
            gate.open();
            soon(stream.update(counted(chunk, &alive))).await.unwrap();
            assert_eq!(stream.len(), accepted + chunk as u64);
            soon(stream.finish()).await.unwrap();
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        }
    }
}

#[tokio::test]
async fn a_cancelled_update_leaves_its_chunk_out() {
    for (_, service) in services(1) {
        let gate = Gate::default();
        let held = gate.clone();
        let mut stream = service.stream_into(
            Algorithm::Sha256,
            call(move |_| {
                held.pass();
                Ok(())
            }),
        );
        let mut whole = Vec::new();
        loop {
            let piece = bytes(200_000, whole.len() as u64);
            let update = stream.update(piece.clone());
            if tokio::time::timeout(Duration::from_millis(30), update)
                .await
                .is_err()
            {
                break;
            }
            whole.extend_from_slice(&piece);
        }
        assert_eq!(stream.len(), whole.len() as u64);
        gate.open();
        let found = soon(stream.finish()).await.unwrap();
        assert_eq!(found, landfall_hash::digest(Algorithm::Sha256, &whole));
    }
}

#[tokio::test]
async fn a_slow_sink_does_not_fill_the_queues_of_others() {
    for (_, service) in services(2) {
        let gate = Gate::default();
        let held = gate.clone();
        let mut slow = service.stream_into(
            Algorithm::Sha256,
            call(move |_| {
                held.pass();
                Ok(())
            }),
        );
        slow.update(bytes(10, 1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        // One of two threads is held; the other serves everybody else.
        let mut stream = service.stream(Algorithm::Sha256);
        for i in 0..50 {
            soon(stream.update(bytes(50_000, i))).await.unwrap();
        }
        soon(stream.finish()).await.unwrap();
        gate.open();
        soon(slow.finish()).await.unwrap();
    }
}
