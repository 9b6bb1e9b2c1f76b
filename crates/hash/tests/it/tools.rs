//! What the tests share.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use landfall_hash::{HashService, Kernel, Sink};

/// One service for each kernel that this machine has.
pub(crate) fn services(threads: usize) -> Vec<(Kernel, HashService)> {
    Kernel::ALL
        .into_iter()
        .filter_map(|kernel| {
            Some((
                kernel,
                HashService::with_kernel(NonZeroUsize::new(threads)?, kernel)?,
            ))
        })
        .collect()
}

/// Bytes that differ by place and seed.
pub(crate) fn bytes(len: usize, seed: u64) -> Bytes {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 56) as u8
        })
        .collect()
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("must not hang")
}

/// Waits for another thread to make something true.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never happened: {what}");
}

/// A sink made of a closure.
pub(crate) struct Call<F>(pub(crate) F);

impl<F: FnMut(&[u8]) -> std::io::Result<()> + Send + 'static> Sink for Call<F> {
    fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        self.0(chunk)
    }
}

pub(crate) fn call(f: impl FnMut(&[u8]) -> std::io::Result<()> + Send + 'static) -> Box<dyn Sink> {
    Box::new(Call(f))
}

/// Holds hash threads until opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }
}
