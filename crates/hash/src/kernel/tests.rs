//! Every kernel against aws-lc, byte for byte.

use aws_lc_rs::digest as lc;
use proptest::prelude::*;

use super::*;
use crate::sha256::Sha256;

fn engines() -> impl Iterator<Item = Engine> {
    Kernel::ALL.into_iter().filter_map(Engine::new)
}

fn bytes(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            (x >> 24) as u8
        })
        .collect()
}

fn check(engine: Engine, messages: &[Vec<u8>], cuts: &[usize]) {
    let mut streams = vec![Sha256::new(); messages.len()];
    let mut done = vec![0; messages.len()];
    for round in 0.. {
        let mut jobs = Vec::new();
        for (i, stream) in streams.iter_mut().enumerate() {
            let rest = &messages[i][done[i]..];
            let piece = &rest[..rest.len().min(cuts[(round + i) % cuts.len()])];
            done[i] += piece.len();
            if !piece.is_empty() {
                jobs.push(stream.absorb(piece));
            }
        }
        if jobs.is_empty() {
            break;
        }
        engine.run(&mut jobs);
    }
    for (stream, message) in streams.into_iter().zip(messages) {
        let expected = lc::digest(&lc::SHA256, message);
        assert_eq!(
            stream.finish().as_bytes(),
            expected.as_ref(),
            "{engine:?}, {} bytes",
            message.len()
        );
    }
}

#[test]
fn every_kernel_agrees_around_the_edges_of_blocks() {
    let lengths: Vec<usize> = (0..=1)
        .chain(55..=65)
        .chain(119..=129)
        .chain([191, 192, 193, 4096, 100_003])
        .collect();
    for engine in engines() {
        for group in [1, 2, 3, 7, 8, 9, 15, 16, 17, lengths.len()] {
            for lengths in lengths.chunks(group) {
                let messages: Vec<_> = lengths.iter().map(|len| bytes(*len, 7 + *len as u32)).collect();
                check(engine, &messages, &[usize::MAX]);
                check(engine, &messages, &[64, 1, 63, 1000]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn each_lane_is_its_own() {
    // All lanes of one length, so that no block takes the one-stream way.
    for engine in engines() {
        let messages: Vec<_> = (0..16).map(|lane| bytes(64 * 9, 100 + lane)).collect();
        check(engine, &messages, &[usize::MAX]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_kernel_agrees_on_anything(
        lengths in prop::collection::vec(prop_oneof![0_usize..260, 0_usize..20_000], 1..40),
        cuts in prop::collection::vec(prop_oneof![1_usize..200, 1_usize..9000], 1..6),
        seed: u32,
    ) {
        let messages: Vec<_> = lengths.iter().zip(seed..).map(|(len, seed)| bytes(*len, seed)).collect();
        for engine in engines() {
            check(engine, &messages, &cuts);
        }
    }
}
