//! One stream: aws-lc's block function, which takes the processor's SHA instructions where there are any.
//!
//! The block function rather than a whole digest context, because its state is a bare midstate that can move into
//! lanes for the next chunk and back.
#![allow(unsafe_code)]

use super::{BLOCK, State, WIDE_BLOCK, WideState};

/// Feeds the whole blocks of `data` into `state`; bytes after the last whole block are not looked at.
pub(crate) fn compress(state: &mut State, data: &[u8]) {
    let blocks = data.len() / BLOCK;
    if blocks == 0 {
        return;
    }
    // SAFETY: the function reads `blocks * 64` bytes from `data`, which has at least that many, and reads and
    // writes eight words at `state`, which is exactly that; it keeps neither pointer.
    unsafe { aws_lc_sys::SHA256_TransformBlocks(state.as_mut_ptr(), data.as_ptr(), blocks) }
}

/// The same for SHA-512 and SHA-384.
pub(crate) fn compress_wide(state: &mut WideState, data: &[u8]) {
    let whole = data.len() - data.len() % WIDE_BLOCK;
    let mut context = aws_lc_sys::SHA512_CTX {
        h: *state,
        Nl: 0,
        Nh: 0,
        p: [0; WIDE_BLOCK],
        num: 0,
        md_len: 64,
    };
    // SAFETY: the function reads `whole` bytes from `data`, which has at least that many, and changes nothing but
    // the context, which is whole; of whole blocks it keeps none there, and it keeps no pointer.
    unsafe { aws_lc_sys::SHA512_Update(&raw mut context, data.as_ptr().cast(), whole) };
    *state = context.h;
}
