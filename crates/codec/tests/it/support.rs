//! Inputs of every kind, and short words for both directions.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use landfall_codec::{Compression, decoder, gzip};

/// Numbers that depend on the seed alone.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Bytes that no compression makes smaller.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    (0..len.div_ceil(8))
        .flat_map(|_| numbers.next().to_le_bytes())
        .take(len)
        .collect()
}

/// Bytes that repeat as programs and texts do: words of some lengths, near and far, runs, and a little noise.
pub(crate) fn prose(seed: u64, len: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let dictionary = noise(seed, 4096);
    let mut bytes = Vec::with_capacity(len + 256);
    while bytes.len() < len {
        let number = numbers.next();
        let start = (number >> 16) as usize % (dictionary.len() - 64);
        let word = 3 + (number >> 40) as usize % 24;
        match number % 16 {
            0 => bytes.extend(std::iter::repeat_n(b' ', 1 + word * 8)),
            1 => bytes.extend(number.to_le_bytes()),
            2 if bytes.len() > 40_000 => {
                bytes.extend_from_within(bytes.len() - 30_000..bytes.len() - 30_000 + word * 9)
            }
            _ => bytes.extend_from_slice(&dictionary[start..start + word]),
        }
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn threads(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

pub(crate) fn compressed(input: &[u8], number: usize) -> Vec<u8> {
    let mut output = Vec::new();
    let written = gzip::compress(input, &mut output, threads(number)).unwrap();
    assert_eq!(written, output.len() as u64);
    output
}

/// Unpacks what `Compression::sniff` recognises.
pub(crate) fn unpacked(input: &[u8]) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    decoder(Compression::sniff(input), input).read_to_end(&mut output)?;
    Ok(output)
}
