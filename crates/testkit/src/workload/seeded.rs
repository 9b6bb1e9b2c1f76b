//! Bytes from a seed: the same everywhere, incompressible, readable from any offset without what stands before.

use std::io::{self, Read};

/// One step of SplitMix64: a well mixed value for each input.
pub const fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A generator of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            _ => self.next_u64() % end,
        }
    }
}

/// `len` bytes made from a seed. Word `i` of the stream is a function of `i` alone, so any place can be read first.
#[derive(Clone, Debug)]
pub struct SeededReader {
    seed: u64,
    at: u64,
    len: u64,
}

impl SeededReader {
    /// The bytes from `offset` on.
    pub fn new(seed: u64, len: u64, offset: u64) -> Self {
        Self {
            seed: mix(seed),
            at: offset.min(len),
            len,
        }
    }
}

impl Read for SeededReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let mut filled = 0;
        while filled < wanted {
            let word = mix(self.seed.wrapping_add(self.at / 8)).to_le_bytes();
            let skip = (self.at % 8) as usize;
            let taken = (8 - skip).min(wanted - filled);
            buffer[filled..filled + taken].copy_from_slice(&word[skip..skip + taken]);
            filled += taken;
            self.at += taken as u64;
        }
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_same_from_any_place() {
        let mut whole = Vec::new();
        SeededReader::new(7, 1001, 0).read_to_end(&mut whole).unwrap();
        assert_eq!(whole.len(), 1001);
        for offset in [0_u64, 1, 7, 8, 500, 1000, 1001, 5000] {
            let mut rest = Vec::new();
            SeededReader::new(7, 1001, offset).read_to_end(&mut rest).unwrap();
            assert_eq!(rest, whole[(offset as usize).min(1001)..]);
        }
    }
}
