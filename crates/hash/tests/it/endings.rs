//! Streams that are dropped, and services that are.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use landfall_hash::{HashService, digest};
use landfall_oci::Algorithm;

use crate::tools::{Gate, bytes, call, services, soon, until};

#[tokio::test]
async fn a_dropped_stream_lets_go_of_its_sink() {
    for (_, service) in services(1) {
        let token = Arc::new(());
        for queued in [0, 1, 5] {
            let held = Arc::clone(&token);
            let sink = call(move |_| {
                let _ = &held;
                Ok(())
            });
            let mut stream = service.stream_into(Algorithm::Sha256, sink);
            for i in 0..queued {
                stream.update(bytes(100_000, i)).await.unwrap();
            }
            drop(stream);
        }
        until("sinks dropped", || Arc::strong_count(&token) == 1).await;
    }
}

#[tokio::test]
async fn a_stream_dropped_during_its_turn_ends_there() {
    for (_, service) in services(1) {
        let gate = Gate::default();
        let (held, token) = (gate.clone(), Arc::new(()));
        let alive = Arc::clone(&token);
        let writes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = Arc::clone(&writes);
        let sink = call(move |_| {
            let _ = &alive;
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            held.pass();
            Ok(())
        });
        let mut stream = service.stream_into(Algorithm::Sha256, sink);
        for i in 0..4 {
            stream.update(bytes(1000, i)).await.unwrap();
        }
        until("the first write", || {
            writes.load(std::sync::atomic::Ordering::SeqCst) == 1
        })
        .await;
        drop(stream);
        gate.open();
        until("the sink dropped", || Arc::strong_count(&token) == 1).await;
        assert_eq!(writes.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_many_disturbs_nobody() {
    for (_, service) in services(2) {
        let tasks: Vec<_> = (0..60_u64)
            .map(|i| {
                let mut stream = service.stream(Algorithm::Sha256);
                tokio::spawn(async move {
                    let whole = bytes(200_000, i);
                    stream.update(whole.slice(..77_777)).await.unwrap();
                    if i % 2 == 0 {
                        return;
                    }
                    tokio::task::yield_now().await;
                    stream.update(whole.slice(77_777..)).await.unwrap();
                    assert_eq!(stream.finish().await.unwrap(), digest(Algorithm::Sha256, &whole));
                })
            })
            .collect();
        for task in tasks {
            soon(task).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_dropped_finish_cancels() {
    for (_, service) in services(1) {
        let gate = Gate::default();
        let (held, token) = (gate.clone(), Arc::new(()));
        let alive = Arc::clone(&token);
        let sink = call(move |_| {
            let _ = &alive;
            held.pass();
            Ok(())
        });
        let mut stream = service.stream_into(Algorithm::Sha256, sink);
        stream.update(bytes(10, 1)).await.unwrap();
        let finish = tokio::time::timeout(Duration::from_millis(20), stream.finish());
        assert!(finish.await.is_err());
        gate.open();
        until("the sink dropped", || Arc::strong_count(&token) == 1).await;
    }
}

#[tokio::test]
async fn a_stream_outlives_its_service() {
    let service = HashService::new(NonZeroUsize::MIN);
    let mut stream = service.stream(Algorithm::Sha256);
    drop(service);
    stream.update(bytes(100, 1)).await.unwrap();
    assert_eq!(
        soon(stream.finish()).await.unwrap(),
        digest(Algorithm::Sha256, &bytes(100, 1))
    );
}

#[tokio::test]
async fn the_last_stream_of_a_dropped_service_lets_go_of_its_sink() {
    let token = Arc::new(());
    let alive = Arc::clone(&token);
    let sink = call(move |_| {
        let _ = &alive;
        Ok(())
    });
    let service = HashService::new(NonZeroUsize::MIN);
    let stream = service.stream_into(Algorithm::Sha256, sink);
    drop((service, stream));
    until("the sink dropped", || Arc::strong_count(&token) == 1).await;
}
