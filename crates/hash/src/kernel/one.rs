//! One stream: aws-lc's block function, which takes the processor's SHA instructions where there are any.
//!
//! The block function rather than a whole digest context, because its state is a bare midstate that can move into
//! lanes for the next chunk and back.
#![allow(unsafe_code)]

use super::{BLOCK, State};

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
