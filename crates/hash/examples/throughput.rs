//! GB/s of one hash thread, for every kernel that this processor can run: `cargo run --release --example throughput`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;
use landfall_hash::{HashService, HashStream, Kernel};
use landfall_oci::Algorithm;

const CHUNK: usize = 128 << 10;
const TOTAL: usize = 1 << 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("best here: {:?}", Kernel::best());
    for kernel in Kernel::ALL {
        let Some(service) = HashService::with_kernel(NonZeroUsize::MIN, kernel) else {
            println!("{kernel:?}: not on this processor");
            continue;
        };
        for streams in [1, 4, 8, 16] {
            let streams: Vec<_> = (0..streams).map(|_| service.stream(Algorithm::Sha256)).collect();
            let count = streams.len();
            println!("{kernel:?}, {count} streams: {:.2} GB/s", measure(streams).await);
        }
    }
}

async fn measure(mut streams: Vec<HashStream>) -> f64 {
    // Different memory for each stream, as in life: 16 pieces that do not fit into the first caches.
    let data: Vec<Bytes> = (0..streams.len())
        .map(|i| Bytes::from(vec![i as u8; 4 * CHUNK]))
        .collect();
    let rounds = TOTAL / CHUNK / streams.len();
    let start = Instant::now();
    for round in 0..rounds {
        for (stream, data) in streams.iter_mut().zip(&data) {
            let at = round % 4 * CHUNK;
            stream.update(data.slice(at..at + CHUNK)).await.unwrap();
        }
    }
    for stream in streams {
        stream.finish().await.unwrap();
    }
    TOTAL as f64 / start.elapsed().as_secs_f64() / 1e9
}
