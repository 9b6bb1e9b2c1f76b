//! Eight SHA-256 streams side by side in AVX2 registers: a register holds the same word of eight streams.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::BLOCK;
use super::rounds::{K, next_words, one_block, round, sixteen_rounds};

const LANES: usize = 8;

/// Feeds as many blocks as the shortest of `data` has into every lane and says how many those were.
/// `states[word][lane]` are the midstates.
#[target_feature(enable = "avx2")]
pub(super) fn compress(states: &mut [[u32; LANES]; 8], data: &[&[u8]; LANES]) -> usize {
    let blocks = data.iter().map(|lane| lane.len() / BLOCK).min().unwrap_or(0);
    let mut state = [_mm256_setzero_si256(); 8];
    for (vector, row) in state.iter_mut().zip(states.iter()) {
        // SAFETY: `row` is eight words, 32 bytes; the load has no alignment.
        *vector = unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
    }
    for block in 0..blocks {
        let mut low = [_mm256_setzero_si256(); 8];
        let mut high = [_mm256_setzero_si256(); 8];
        for (lane, bytes) in data.iter().enumerate() {
            // SAFETY: `block < blocks` and the lane has at least `blocks * 64` bytes, so 64 bytes can be read at
            // `block * 64`: these two halves. The loads have no alignment.
            unsafe {
                let start = bytes.as_ptr().add(block * BLOCK);
                low[lane] = _mm256_loadu_si256(start.cast());
                high[lane] = _mm256_loadu_si256(start.add(32).cast());
            }
        }
        let [w0, w1, w2, w3, w4, w5, w6, w7] = words_of(low);
        let [w8, w9, w10, w11, w12, w13, w14, w15] = words_of(high);
        let mut w = [
            w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15,
        ];
        one_block!(state, w);
    }
    for (vector, row) in state.iter().zip(states.iter_mut()) {
        // SAFETY: `row` is eight words, 32 bytes; the store has no alignment.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), *vector) };
    }
    blocks
}

/// Turns eight half blocks (one per stream) into eight words (of all streams), big-endian numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn words_of(rows: [__m256i; 8]) -> [__m256i; 8] {
    let first = transpose_four(rows[0], rows[1], rows[2], rows[3]);
    let second = transpose_four(rows[4], rows[5], rows[6], rows[7]);
    let mut words = [_mm256_setzero_si256(); 8];
    for column in 0..4 {
        // Each half `q` of `first[column]` is word `4q + column` of streams 0..4, of `second` of streams 4..8.
        words[column] = _mm256_permute2x128_si256::<0x20>(first[column], second[column]);
        words[column + 4] = _mm256_permute2x128_si256::<0x31>(first[column], second[column]);
    }
    words
}

/// Makes numbers of big-endian bytes and transposes the 4 × 4 words in each half.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_four(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> [__m256i; 4] {
    let swap = _mm256_setr_epi32(
        0x0001_0203,
        0x0405_0607,
        0x0809_0a0b,
        0x0c0d_0e0f,
        0x0001_0203,
        0x0405_0607,
        0x0809_0a0b,
        0x0c0d_0e0f,
    );
    let r0 = _mm256_shuffle_epi8(r0, swap);
    let r1 = _mm256_shuffle_epi8(r1, swap);
    let r2 = _mm256_shuffle_epi8(r2, swap);
    let r3 = _mm256_shuffle_epi8(r3, swap);
    let low01 = _mm256_unpacklo_epi32(r0, r1);
    let high01 = _mm256_unpackhi_epi32(r0, r1);
    let low23 = _mm256_unpacklo_epi32(r2, r3);
    let high23 = _mm256_unpackhi_epi32(r2, r3);
    [
        _mm256_unpacklo_epi64(low01, low23),
        _mm256_unpackhi_epi64(low01, low23),
        _mm256_unpacklo_epi64(high01, high23),
        _mm256_unpackhi_epi64(high01, high23),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(value: u32) -> __m256i {
    _mm256_set1_epi32(value.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: __m256i, y: __m256i) -> __m256i {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(x, y), z)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: __m256i) -> __m256i {
    const { assert!(RIGHT + LEFT == 32) }
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn ch(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn maj(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma0(x: __m256i) -> __m256i {
    xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma1(x: __m256i) -> __m256i {
    xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma0(x: __m256i) -> __m256i {
    xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma1(x: __m256i) -> __m256i {
    xor3(
        rotate::<17, 15>(x),
        rotate::<19, 13>(x),
        _mm256_srli_epi32::<10>(x),
    )
}
