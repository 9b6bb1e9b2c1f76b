//! A stream of SHA-512, or of SHA-384, which is the same with another beginning and a shorter end. Its state can be
//! taken up again, which that of a library's digest context cannot.

use landfall_oci::{Algorithm, Digest};

use crate::kernel::{WIDE_BLOCK, WideState, compress_wide};

/// The initial hash values (FIPS 180-4 §5.3.4, §5.3.5).
const START_384: WideState = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];
const START_512: WideState = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Midstate, the bytes of an unfinished block, and the length so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sha512 {
    /// 384 bits at the end, not 512.
    is_short: bool,
    state: WideState,
    /// Zero behind the unfinished bytes.
    tail: [u8; WIDE_BLOCK],
    len: u64,
}

impl Sha512 {
    /// SHA-384 when that is the algorithm, else SHA-512.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let is_short = algorithm == Algorithm::Sha384;
        Self {
            is_short,
            state: if is_short { START_384 } else { START_512 },
            tail: [0; WIDE_BLOCK],
            len: 0,
        }
    }

    /// Goes on where another one was; `None` when the parts do not belong together.
    pub(crate) fn resume(algorithm: Algorithm, len: u64, words: &[u8], tail: &[u8]) -> Option<Self> {
        let mut hash = Self::new(algorithm);
        hash.len = len;
        if words.len() != size_of::<WideState>() || tail.len() != hash.held() {
            return None;
        }
        for (word, bytes) in hash.state.iter_mut().zip(words.chunks_exact(8)) {
            *word = u64::from_be_bytes(bytes.try_into().ok()?);
        }
        hash.tail[..tail.len()].copy_from_slice(tail);
        Some(hash)
    }

    pub(crate) fn update(&mut self, chunk: &[u8]) {
        let held = self.held();
        self.len += chunk.len() as u64;
        let mut rest = chunk;
        if held > 0 {
            let (head, after) = chunk.split_at(chunk.len().min(WIDE_BLOCK - held));
            self.tail[held..held + head.len()].copy_from_slice(head);
            if held + head.len() < WIDE_BLOCK {
                return;
            }
            compress_wide(&mut self.state, &self.tail);
            rest = after;
        }
        compress_wide(&mut self.state, rest);
        let odd = &rest[rest.len() - rest.len() % WIDE_BLOCK..];
        self.tail = [0; WIDE_BLOCK];
        self.tail[..odd.len()].copy_from_slice(odd);
    }

    /// Pads (FIPS 180-4 §5.1.2) and gives the digest.
    pub(crate) fn finish(mut self) -> Digest {
        let held = self.held();
        let mut padding = [0; 2 * WIDE_BLOCK];
        padding[..held].copy_from_slice(&self.tail[..held]);
        padding[held] = 0x80;
        let end = if held < WIDE_BLOCK - 16 {
            WIDE_BLOCK
        } else {
            2 * WIDE_BLOCK
        };
        let bits = u128::from(self.len) * 8;
        padding[end - 16..end].copy_from_slice(&bits.to_be_bytes());
        compress_wide(&mut self.state, &padding[..end]);
        let mut value = [0; 64];
        for (bytes, word) in value.chunks_exact_mut(8).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        if self.is_short {
            let mut short = [0; 48];
            short.copy_from_slice(&value[..48]);
            return Digest::Sha384(short);
        }
        Digest::Sha512(value)
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.is_short {
            true => Algorithm::Sha384,
            false => Algorithm::Sha512,
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) const fn words(&self) -> &WideState {
        &self.state
    }

    /// The bytes of the unfinished block.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail[..self.held()]
    }

    const fn held(&self) -> usize {
        (self.len % WIDE_BLOCK as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    #[test]
    fn any_cut_of_any_length_gives_the_same_digest() {
        let bytes: Vec<u8> = (0..600_u32).map(|i| (i * 7 % 251) as u8).collect();
        for algorithm in [Algorithm::Sha384, Algorithm::Sha512] {
            for len in 0..=400 {
                for cut in [0, 1, 111, 112, 127, 128, 129, 239, 256, len] {
                    let (first, second) = bytes[..len].split_at(cut.min(len));
                    let mut stream = Sha512::new(algorithm);
                    stream.update(first);
                    stream.update(second);
                    assert_eq!(
                        stream.finish(),
                        digest(algorithm, &bytes[..len]),
                        "{len} cut at {cut}"
                    );
                }
            }
        }
    }
}
