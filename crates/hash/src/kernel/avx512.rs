//! Sixteen SHA-256 streams side by side in AVX-512 registers.
//!
//! A register holds the same word of sixteen streams. The rotations and the three-input functions are single
//! instructions here, and state and schedule fit into the 32 registers.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::BLOCK;
use super::rounds::{K, next_words, one_block, round, sixteen_rounds};

const LANES: usize = 16;

/// Feeds as many blocks as the shortest of `data` has into every lane and says how many those were.
/// `states[word][lane]` are the midstates.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn compress(states: &mut [[u32; LANES]; 8], data: &[&[u8]; LANES]) -> usize {
    let blocks = data.iter().map(|lane| lane.len() / BLOCK).min().unwrap_or(0);
    let mut state = [_mm512_setzero_si512(); 8];
    for (vector, row) in state.iter_mut().zip(states.iter()) {
        // SAFETY: `row` is sixteen words, 64 bytes; the load has no alignment.
        *vector = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    for block in 0..blocks {
        let mut w = [_mm512_setzero_si512(); 16];
        for (vector, lane) in w.iter_mut().zip(data) {
            // SAFETY: `block < blocks` and the lane has at least `blocks * 64` bytes, so 64 bytes can be read at
            // `block * 64`; the load has no alignment.
            *vector = unsafe { _mm512_loadu_si512(lane.as_ptr().add(block * BLOCK).cast()) };
        }
        w = words_of(w);
        one_block!(state, w);
    }
    for (vector, row) in state.iter().zip(states.iter_mut()) {
        // SAFETY: `row` is sixteen words, 64 bytes; the store has no alignment.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *vector) };
    }
    blocks
}

/// Turns sixteen blocks (one per stream) into sixteen words (of all streams), big-endian numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn words_of(rows: [__m512i; 16]) -> [__m512i; 16] {
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut fours = [[_mm512_setzero_si512(); 4]; 4];
    for (four, rows) in fours.iter_mut().zip(rows.chunks_exact(4)) {
        *four = transpose_four(
            _mm512_shuffle_epi8(rows[0], swap),
            _mm512_shuffle_epi8(rows[1], swap),
            _mm512_shuffle_epi8(rows[2], swap),
            _mm512_shuffle_epi8(rows[3], swap),
        );
    }
    let mut words = [_mm512_setzero_si512(); 16];
    for column in 0..4 {
        // Each 128-bit quarter `q` of `fours[r][column]` is word `4q + column` of streams `4r..4r+4`.
        let [x0, x1, x2, x3] = [
            fours[0][column],
            fours[1][column],
            fours[2][column],
            fours[3][column],
        ];
        let even01 = _mm512_shuffle_i32x4::<0x88>(x0, x1);
        let odd01 = _mm512_shuffle_i32x4::<0xdd>(x0, x1);
        let even23 = _mm512_shuffle_i32x4::<0x88>(x2, x3);
        let odd23 = _mm512_shuffle_i32x4::<0xdd>(x2, x3);
        words[column] = _mm512_shuffle_i32x4::<0x88>(even01, even23);
        words[column + 4] = _mm512_shuffle_i32x4::<0x88>(odd01, odd23);
        words[column + 8] = _mm512_shuffle_i32x4::<0xdd>(even01, even23);
        words[column + 12] = _mm512_shuffle_i32x4::<0xdd>(odd01, odd23);
    }
    words
}

/// Transposes the 4 × 4 words in each 128-bit quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_four(r0: __m512i, r1: __m512i, r2: __m512i, r3: __m512i) -> [__m512i; 4] {
    let low01 = _mm512_unpacklo_epi32(r0, r1);
    let high01 = _mm512_unpackhi_epi32(r0, r1);
    let low23 = _mm512_unpacklo_epi32(r2, r3);
    let high23 = _mm512_unpackhi_epi32(r2, r3);
    [
        _mm512_unpacklo_epi64(low01, low23),
        _mm512_unpackhi_epi64(low01, low23),
        _mm512_unpacklo_epi64(high01, high23),
        _mm512_unpackhi_epi64(high01, high23),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(value: u32) -> __m512i {
    _mm512_set1_epi32(value.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(x: __m512i, y: __m512i) -> __m512i {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn ch(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xca>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn maj(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma0(x: __m512i) -> __m512i {
    xor3(
        _mm512_ror_epi32::<2>(x),
        _mm512_ror_epi32::<13>(x),
        _mm512_ror_epi32::<22>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma1(x: __m512i) -> __m512i {
    xor3(
        _mm512_ror_epi32::<6>(x),
        _mm512_ror_epi32::<11>(x),
        _mm512_ror_epi32::<25>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma0(x: __m512i) -> __m512i {
    xor3(
        _mm512_ror_epi32::<7>(x),
        _mm512_ror_epi32::<18>(x),
        _mm512_srli_epi32::<3>(x),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma1(x: __m512i) -> __m512i {
    xor3(
        _mm512_ror_epi32::<17>(x),
        _mm512_ror_epi32::<19>(x),
        _mm512_srli_epi32::<10>(x),
    )
}
