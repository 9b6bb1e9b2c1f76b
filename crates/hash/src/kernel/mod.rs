//! The compression function of SHA-256, for one stream or for many side by side.
//!
//! Everything here works on bare midstates (`[u32; 8]`) and whole blocks, so a stream can move between the ways
//! from one chunk to the next. Padding, tails and lengths are the business of [`crate::sha256`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod one;
#[cfg(target_arch = "x86_64")]
mod rounds;

use crate::select::Kernel;

pub(crate) use one::{compress as compress_one, compress_wide};

/// Bytes that the compression function takes at a time.
pub(crate) const BLOCK: usize = 64;

/// A SHA-256 midstate.
pub(crate) type State = [u32; 8];

/// The same of SHA-512 and SHA-384, which never share lanes.
pub(crate) const WIDE_BLOCK: usize = 128;
/// Their midstate.
pub(crate) type WideState = [u64; 8];

/// With fewer streams than this, one after the other is faster than lanes that mostly run empty (measured without
/// SHA instructions: a lane runs at 0.12 GB/s however many are used, a lone stream at 0.35).
#[cfg(target_arch = "x86_64")]
const BREAK_EVEN: usize = 3;

/// Blocks to feed into one stream.
pub(crate) struct Job<'a> {
    /// The midstate, replaced by the one after `data`.
    pub(crate) state: &'a mut State,
    /// Whole blocks.
    pub(crate) data: &'a [u8],
}

/// Feeds every lane as many blocks as the shortest has, and says how many: `states[word][lane]`, `data[lane]`.
#[cfg(target_arch = "x86_64")]
type Lanes<const N: usize> = fn(&mut [[u32; N]; 8], &[&[u8]; N]) -> usize;

/// A kernel that this processor is known to run. There is no other way to get one than [`Engine::new`]: that is
/// what the `unsafe` calls below rest on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    kernel: Kernel,
}

impl Engine {
    /// `None` when this processor lacks the instructions.
    pub(crate) fn new(kernel: Kernel) -> Option<Self> {
        kernel.is_available().then_some(Self { kernel })
    }

    /// The best for this processor.
    pub(crate) fn best() -> Self {
        Self::new(Kernel::best()).unwrap_or(Self {
            kernel: Kernel::OneStream,
        })
    }

    /// How many jobs make full use of it.
    pub(crate) const fn lanes(self) -> usize {
        self.kernel.lanes()
    }

    /// Feeds every job's blocks into its state. Lengths may differ; more jobs than lanes are done in groups.
    pub(crate) fn run(self, jobs: &mut [Job<'_>]) {
        match self.kernel {
            Kernel::OneStream => one_by_one(jobs),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => side_by_side(jobs, avx2_lanes),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => side_by_side(jobs, avx512_lanes),
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Avx2 | Kernel::Avx512 => one_by_one(jobs),
        }
    }
}

fn one_by_one(jobs: &mut [Job<'_>]) {
    for job in jobs {
        compress_one(job.state, job.data);
        job.data = &[];
    }
}

/// Runs groups of `N` jobs until all are through: always as many blocks as the shortest still has, then with those
/// that are left, and the last few alone.
#[cfg(target_arch = "x86_64")]
fn side_by_side<const N: usize>(jobs: &mut [Job<'_>], lanes: Lanes<N>) {
    for group in jobs.chunks_mut(N) {
        loop {
            let mut active: Vec<&mut Job<'_>> =
                group.iter_mut().filter(|job| job.data.len() >= BLOCK).collect();
            if active.len() < BREAK_EVEN {
                active
                    .iter_mut()
                    .for_each(|job| one_by_one(std::slice::from_mut(*job)));
                break;
            }
            step(&mut active, lanes);
        }
    }
}

/// One run of the lanes over `active` (between 1 and `N` jobs). An unused lane is given the bytes of the first one
/// and its result is thrown away: cheaper than masks, and nothing out of bounds is ever read.
#[cfg(target_arch = "x86_64")]
fn step<const N: usize>(active: &mut [&mut Job<'_>], lanes: Lanes<N>) {
    let Some(shortest) = active.iter().map(|job| job.data.len()).min() else {
        return;
    };
    let mut data = [&active[0].data[..shortest]; N];
    let mut states = [[0; N]; 8];
    for (lane, job) in active.iter().enumerate() {
        data[lane] = &job.data[..shortest];
        for (word, row) in states.iter_mut().enumerate() {
            row[lane] = job.state[word];
        }
    }
    let done = lanes(&mut states, &data) * BLOCK;
    for (lane, job) in active.iter_mut().enumerate() {
        job.data = &job.data[done..];
        for (word, row) in states.iter().enumerate() {
            job.state[word] = row[lane];
        }
    }
}

#[cfg(target_arch = "x86_64")]
use dispatch::{avx2_lanes, avx512_lanes};

/// The two places where code for a newer processor is entered.
#[cfg(target_arch = "x86_64")]
mod dispatch {
    #![allow(unsafe_code)]

    use super::{avx2, avx512};

    pub(super) fn avx2_lanes(states: &mut [[u32; 8]; 8], data: &[&[u8]; 8]) -> usize {
        // SAFETY: called only through `Engine::run`, and an `Engine` with `Kernel::Avx2` exists only where AVX2
        // was detected.
        unsafe { avx2::compress(states, data) }
    }

    pub(super) fn avx512_lanes(states: &mut [[u32; 16]; 8], data: &[&[u8]; 16]) -> usize {
        // SAFETY: called only through `Engine::run`, and an `Engine` with `Kernel::Avx512` exists only where
        // AVX-512 F and BW were detected.
        unsafe { avx512::compress(states, data) }
    }
}

#[cfg(test)]
mod tests;
