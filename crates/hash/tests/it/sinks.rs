//! What sinks see, and what their failures do.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use landfall_hash::{HashError, digest};
use landfall_oci::Algorithm;

use crate::tools::{bytes, call, services, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_gets_every_byte_in_order() {
    for (_, service) in services(2) {
        let mut all = Vec::new();
        for i in 0..20_u64 {
            let written = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&written);
            let sink = call(move |chunk| {
                seen.lock().unwrap().extend_from_slice(chunk);
                Ok(())
            });
            let mut stream = service.stream_into(Algorithm::Sha256, sink);
            let whole = bytes(700_000 + i as usize, i);
            all.push(tokio::spawn(async move {
                let mut rest = whole.clone();
                while !rest.is_empty() {
                    let piece = rest.split_to(rest.len().min(300_007));
                    stream.update(piece).await.unwrap();
                }
                let found = stream.finish().await.unwrap();
                assert_eq!(found, digest(Algorithm::Sha256, &whole));
                // Nobody else holds it any more: the sink was dropped before `finish` returned.
                let written = Arc::try_unwrap(written)
                    .expect("the sink is gone")
                    .into_inner()
                    .unwrap();
                assert!(written == whole);
            }));
        }
        for task in all {
            soon(task).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_failing_sink_ends_its_stream_only() {
    for (_, service) in services(1) {
        let mut good = service.stream(Algorithm::Sha256);
        let mut bad = service.stream_into(
            Algorithm::Sha256,
            call(|_| Err(io::Error::new(io::ErrorKind::StorageFull, "no room"))),
        );
        good.update(Bytes::from_static(b"before")).await.unwrap();
        bad.update(Bytes::from_static(b"x")).await.unwrap();
        let error = soon(bad.finish()).await.unwrap_err();
        assert!(
            matches!(&error, HashError::Sink(why) if why.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
        good.update(Bytes::from_static(b" and after")).await.unwrap();
        let found = soon(good.finish()).await.unwrap();
        assert_eq!(found, digest(Algorithm::Sha256, b"before and after"));
    }
}

#[tokio::test]
async fn update_says_what_the_sink_said_and_later_calls_that_it_is_over() {
    for (_, service) in services(1) {
        let mut stream = service.stream_into(Algorithm::Sha512, call(|_| Err(io::Error::other("no room"))));
        let error = soon(async {
            loop {
                if let Err(error) = stream.update(bytes(1000, 1)).await {
                    break error;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(error.to_string(), "writing what was being hashed: no room");
        assert!(matches!(stream.update(bytes(1, 1)).await, Err(HashError::Ended)));
        assert!(matches!(stream.finish().await, Err(HashError::Ended)));
    }
}

#[tokio::test]
async fn a_panicking_sink_ends_its_stream_only() {
    for (_, service) in services(1) {
        let mut bad = service.stream_into(Algorithm::Sha256, call(|_| panic!("a bug")));
        bad.update(bytes(10, 1)).await.unwrap();
        let error = soon(bad.finish()).await.unwrap_err();
        assert!(error.to_string().contains("the sink panicked: a bug"), "{error}");
        let mut good = service.stream(Algorithm::Sha256);
        good.update(bytes(10, 1)).await.unwrap();
        assert_eq!(
            soon(good.finish()).await.unwrap(),
            digest(Algorithm::Sha256, &bytes(10, 1))
        );
    }
}

struct PanicsWhenDropped;

impl landfall_hash::Sink for PanicsWhenDropped {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a bug in drop");
    }
}

#[tokio::test]
async fn a_sink_that_panics_when_dropped_is_an_error_too() {
    for (_, service) in services(1) {
        let stream = service.stream_into(Algorithm::Sha256, Box::new(PanicsWhenDropped));
        let error = soon(stream.finish()).await.unwrap_err();
        assert!(matches!(error, HashError::Sink(_)), "{error}");
        drop(service.stream_into(Algorithm::Sha256, Box::new(PanicsWhenDropped)));
        assert!(soon(service.stream(Algorithm::Sha256).finish()).await.is_ok());
    }
}

#[tokio::test]
async fn an_error_is_seen_by_one_who_waits_for_room() {
    for (_, service) in services(1) {
        let gate = crate::tools::Gate::default();
        let held = gate.clone();
        let sink = call(move |_| {
            held.pass();
            Err(io::Error::other("late"))
        });
        let mut stream = service.stream_into(Algorithm::Sha256, sink);
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = stream.update(bytes(300_000, 1)).await {
                    return error;
                }
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(!task.is_finished());
        gate.open();
        assert!(soon(task).await.unwrap().to_string().contains("late"));
    }
}

#[tokio::test]
async fn two_chunks_of_a_stream_never_run_at_once() {
    for (_, service) in services(3) {
        let inside = Arc::new(Mutex::new(()));
        let guard = Arc::clone(&inside);
        let count = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&count);
        let sink = call(move |_| {
            let _inside = guard.try_lock().expect("alone");
            std::thread::sleep(std::time::Duration::from_millis(1));
            *counter.lock().unwrap() += 1;
            Ok(())
        });
        let mut stream = service.stream_into(Algorithm::Sha256, sink);
        for i in 0..30 {
            soon(stream.update(bytes(5000, i))).await.unwrap();
        }
        soon(stream.finish()).await.unwrap();
        until("all chunks", || *count.lock().unwrap() == 30).await;
    }
}
