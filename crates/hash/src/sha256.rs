//! A SHA-256 stream whose state can move: between lanes and the one-stream way, and between threads.

use landfall_oci::Digest;

use crate::kernel::{BLOCK, Job, State, compress_one};

/// The initial hash value (FIPS 180-4 §5.3.3).
const START: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Midstate, the bytes of an unfinished block, and the length so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sha256 {
    state: State,
    /// Zero behind the unfinished bytes.
    tail: [u8; BLOCK],
    len: u64,
}

impl Sha256 {
    pub(crate) const fn new() -> Self {
        Self {
            state: START,
            tail: [0; BLOCK],
            len: 0,
        }
    }

    /// Goes on where another one was; `None` when the parts do not belong together.
    pub(crate) fn resume(len: u64, words: &[u8], tail: &[u8]) -> Option<Self> {
        let mut hash = Self::new();
        hash.len = len;
        if words.len() != size_of::<State>() || tail.len() != hash.held() {
            return None;
        }
        for (word, bytes) in hash.state.iter_mut().zip(words.chunks_exact(4)) {
            *word = u32::from_be_bytes(bytes.try_into().ok()?);
        }
        hash.tail[..tail.len()].copy_from_slice(tail);
        Some(hash)
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) const fn words(&self) -> &State {
        &self.state
    }

    /// The bytes of the unfinished block.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail[..self.held()]
    }

    /// Takes `chunk` in: completes an unfinished block, keeps the odd end, and hands back what is between as a job.
    /// The job must be run before the next call.
    pub(crate) fn absorb<'a>(&'a mut self, chunk: &'a [u8]) -> Job<'a> {
        let held = self.held();
        self.len += chunk.len() as u64;
        let mut rest = chunk;
        if held > 0 {
            let (head, after) = chunk.split_at(chunk.len().min(BLOCK - held));
            self.tail[held..held + head.len()].copy_from_slice(head);
            if held + head.len() == BLOCK {
                compress_one(&mut self.state, &self.tail);
                self.tail = [0; BLOCK];
            }
            rest = after;
        }
        let (blocks, odd) = rest.split_at(rest.len() - rest.len() % BLOCK);
        if !odd.is_empty() {
            self.tail[..odd.len()].copy_from_slice(odd);
        }
        Job {
            state: &mut self.state,
            data: blocks,
        }
    }

    /// Pads (FIPS 180-4 §5.1.1) and gives the digest.
    pub(crate) fn finish(mut self) -> Digest {
        let held = self.held();
        let mut padding = [0; 2 * BLOCK];
        padding[..held].copy_from_slice(&self.tail[..held]);
        padding[held] = 0x80;
        let end = if held < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
        padding[end - 8..end].copy_from_slice(&(self.len * 8).to_be_bytes());
        compress_one(&mut self.state, &padding[..end]);
        let mut value = [0; 32];
        for (bytes, word) in value.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Digest::Sha256(value)
    }

    /// Bytes of the unfinished block.
    const fn held(&self) -> usize {
        (self.len % BLOCK as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use landfall_oci::Algorithm;

    use super::*;
    use crate::digest;

    #[test]
    fn any_cut_of_any_length_gives_the_same_digest() {
        let bytes: Vec<u8> = (0..400_u32).map(|i| (i * 7 % 251) as u8).collect();
        for len in 0..=200 {
            for cut in [0, 1, 55, 56, 63, 64, 65, 119, 128, len] {
                let (first, second) = bytes[..len].split_at(cut.min(len));
                let mut stream = Sha256::new();
                for part in [first, second] {
                    let job = stream.absorb(part);
                    compress_one(job.state, job.data);
                }
                assert_eq!(
                    stream.finish(),
                    digest(Algorithm::Sha256, &bytes[..len]),
                    "{len} cut at {cut}"
                );
            }
        }
    }
}
