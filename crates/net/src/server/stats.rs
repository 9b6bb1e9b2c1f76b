//! Counters of a server, for metrics and for tests that must know which way the bytes went.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has done since it started. Every counter only grows.
#[derive(Debug, Default)]
pub struct Stats {
    pub(super) accepted: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) handshake_errors: AtomicU64,
    pub(super) sendfile_bytes: AtomicU64,
    pub(super) copied_bytes: AtomicU64,
    pub(super) cold_reads: AtomicU64,
    pub(super) certificate_reloads: AtomicU64,
}

impl Stats {
    /// Connections accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Times that the system refused a connection: mostly no free file descriptor.
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once because their client had too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes that came over the sockets, heads and encryption included.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that left over the sockets.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed or took too long, plain HTTP on a TLS port among them.
    #[must_use]
    pub fn handshake_errors(&self) -> u64 {
        self.handshake_errors.load(Ordering::Relaxed)
    }

    /// Bytes of files that the kernel sent by itself.
    #[must_use]
    pub fn sendfile_bytes(&self) -> u64 {
        self.sendfile_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of files that could not go by `sendfile` over a plain connection and were copied.
    #[must_use]
    pub fn copied_bytes(&self) -> u64 {
        self.copied_bytes.load(Ordering::Relaxed)
    }

    /// Times that a plain connection waited for a disk.
    #[must_use]
    pub fn cold_reads(&self) -> u64 {
        self.cold_reads.load(Ordering::Relaxed)
    }

    /// Times that a changed certificate was taken into use.
    #[must_use]
    pub fn certificate_reloads(&self) -> u64 {
        self.certificate_reloads.load(Ordering::Relaxed)
    }

    pub(super) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }
}
