//! What can go wrong with a stream that is being hashed.

use std::io;

/// Why a stream gives no digest.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The sink refused a chunk (or panicked). Only this stream has ended; what the sink wrote before stays.
    #[error("writing what was being hashed: {0}")]
    Sink(#[source] io::Error),
    /// The stream had already failed, and an earlier call said why.
    #[error("this stream ended with an error before; start a new one")]
    Ended,
    /// No hash thread took the stream.
    #[error(
        "no hash thread is running; the process may be at its limit of threads (`ulimit -u`, pids cgroup)"
    )]
    NoThreads,
}
