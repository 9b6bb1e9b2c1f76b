//! One piece of work for all who want it at the same time. It runs on its own: who no longer waits ends nothing.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Work under way, by what it is about.
#[derive(Debug)]
pub(super) struct Singles<K, V> {
    running: Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>,
}

impl<K, V> Default for Singles<K, V> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
        }
    }
}

type Running<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

fn lock<K, V>(running: &Mutex<Running<K, V>>) -> MutexGuard<'_, Running<K, V>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the work out of the table, however it ends.
struct Entry<K: Eq + Hash, V> {
    running: Arc<Mutex<Running<K, V>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

impl<K, V> Singles<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What the work brings, and whether it was begun for this caller. `None` when it was cut off by the end of the
    /// program.
    pub(super) async fn run<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<(V, bool)>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (mut result, begun) = {
            let mut running = lock(&self.running);
            match running.get(&key) {
                Some(result) => (result.clone(), false),
                None => {
                    let (tell, result) = watch::channel(None);
                    running.insert(key.clone(), result.clone());
                    let entry = Entry {
                        running: Arc::clone(&self.running),
                        key,
                    };
                    let work = work();
                    tokio::spawn(async move {
                        let brought = work.await;
                        // Taken out before it is told: who hears of it and asks again, asks anew. Work should look
                        // first whether what came before it has left nothing to do.
                        drop(entry);
                        let _ = tell.send(Some(brought));
                    });
                    (result, true)
                }
            }
        };
        let brought = result.wait_for(Option::is_some).await.ok()?;
        brought.clone().map(|value| (value, begun))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_works_for_all_and_ends_though_nobody_waits() {
        let singles = Arc::new(Singles::<u8, u32>::default());
        let (runs, gate) = (
            Arc::new(AtomicU32::new(0)),
            Arc::new(tokio::sync::Semaphore::new(0)),
        );
        let wait = |key| {
            let (singles, runs, gate) = (Arc::clone(&singles), Arc::clone(&runs), Arc::clone(&gate));
            tokio::spawn(async move {
                let work = || async move {
                    let _ = gate.acquire().await;
                    runs.fetch_add(1, Ordering::SeqCst) + 1
                };
                singles.run(key, work).await
            })
        };
        let first: Vec<_> = (0..50).map(|_| wait(1)).collect();
        let leaver = wait(2);
        while lock(&singles.running).len() < 2 {
            tokio::task::yield_now().await;
        }
        leaver.abort();
        gate.add_permits(100);
        let mut begun = 0;
        for waiting in first {
            let (value, mine) = waiting.await.unwrap().unwrap();
            assert!(value == 1 || value == 2);
            begun += u32::from(mine);
        }
        assert_eq!(begun, 1);
        while !lock(&singles.running).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            runs.load(Ordering::SeqCst),
            2,
            "the one that was left alone has ended too"
        );
        assert!(wait(1).await.unwrap().unwrap().1, "anew");
    }
}
