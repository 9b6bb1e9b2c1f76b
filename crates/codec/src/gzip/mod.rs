//! gzip on many threads, whose bytes depend on nothing but the input.
//!
//! The digest of a layer is the digest of its compressed bytes, so a layer that is compressed again has to come out the
//! same: in the next run, with more threads, on another machine. The input is therefore cut into blocks of one size,
//! whatever the number of threads; each is deflated by itself, with the end of the one before as its dictionary, and
//! ends on a byte ([`block`]). Put one after the other they are one deflate stream, of which gzip is made with a header
//! that names neither time nor system. The deflate library is zlib-rs, which finds the same matches with and without
//! vector instructions; a test holds its output against fixed digests.
//!
//! The caller's thread reads and writes, the others deflate ([`pool`]); what is under way is bounded.

mod block;
mod pool;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::thread;

use block::{BLOCK, Block};
use pool::Pool;

/// No flags, no time, no hint about effort, no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty last block: all others leave the stream open.
const END: [u8; 2] = [3, 0];

/// Blocks under way for each thread: one at work, one waiting.
const AHEAD: usize = 2;

/// Compresses all of `input` into `output`, as one gzip member, on `threads` threads beside the caller's; says how many
/// bytes were written. The same input gives the same bytes for any number of threads and on every machine.
///
/// Takes some 3 MiB for each thread. Does not flush `output`.
pub fn compress(mut input: impl Read, mut output: impl Write, threads: NonZeroUsize) -> io::Result<u64> {
    thread::scope(|scope| {
        let mut pool = Pool::start(scope, threads)?;
        let mut written = Counted {
            output: &mut output,
            bytes: 0,
        };
        written.write_all(&HEADER)?;
        let (mut crc, mut waiting) = (flate2::Crc::new(), VecDeque::new());
        let mut previous = Vec::new();
        let mut ended = false;
        while !ended || !waiting.is_empty() {
            if !ended && waiting.len() < threads.get() * AHEAD {
                let mut block = pool.spare();
                ended = block.fill(&previous, &mut input)?;
                if !block.is_empty() {
                    block.keep_tail(&mut previous);
                    waiting.push_back(pool.deflate(block)?);
                }
                continue;
            }
            if let Some(oldest) = waiting.pop_front() {
                let block: Block = oldest.recv().map_err(|_| pool::gone())??;
                written.write_all(block.deflated())?;
                crc.combine(block.crc());
                pool.recycle(block);
            }
        }
        written.write_all(&END)?;
        written.write_all(&crc.sum().to_le_bytes())?;
        written.write_all(&crc.amount().to_le_bytes())?;
        Ok(written.bytes)
    })
}

struct Counted<W> {
    output: W,
    bytes: u64,
}

impl<W: Write> Counted<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// How many bytes of input make one block. Part of what decides the output.
pub const BLOCK_SIZE: usize = BLOCK;
