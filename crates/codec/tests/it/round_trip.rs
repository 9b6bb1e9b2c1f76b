//! What goes in comes out.

use std::io::{self, Read};

use landfall_codec::{Compression, decoder, gzip};
use proptest::prelude::*;

use crate::support::{compressed, noise, prose, threads, unpacked};

#[test]
fn around_the_size_of_a_block() {
    let sizes = [
        0,
        1,
        32 << 10,
        gzip::BLOCK_SIZE - 1,
        gzip::BLOCK_SIZE,
        gzip::BLOCK_SIZE + 1,
    ];
    let more = [2, 3, 5].map(|blocks| blocks * gzip::BLOCK_SIZE);
    for size in sizes.into_iter().chain(more) {
        for input in [prose(7, size), noise(8, size), vec![0; size]] {
            assert!(unpacked(&compressed(&input, 2)).unwrap() == input, "{size}");
        }
    }
}

#[test]
fn what_cannot_be_compressed_grows_little() {
    let input = noise(3, 4 * gzip::BLOCK_SIZE);
    let output = compressed(&input, 2);
    assert!(
        output.len() < input.len() + input.len() / 1000,
        "{}",
        output.len()
    );
}

#[test]
fn blocks_refer_to_the_end_of_the_one_before() {
    // Noise of half a window, over and over: what a block could not find in the one before, it would have to spell out.
    let piece = noise(5, 16 << 10);
    let input: Vec<u8> = piece.iter().copied().cycle().take(8 * gzip::BLOCK_SIZE).collect();
    let output = compressed(&input, 2);
    assert!(output.len() < piece.len() + input.len() / 64, "{}", output.len());
}

#[test]
fn it_is_one_member_without_time_name_or_system() {
    let input = prose(1, 3 * gzip::BLOCK_SIZE + 17);
    let output = compressed(&input, 2);
    assert_eq!(output[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut first = Vec::new();
    flate2_single(&output).read_to_end(&mut first).unwrap();
    assert!(first == input);
    assert_eq!(
        output[output.len() - 4..],
        u32::try_from(input.len()).unwrap().to_le_bytes()
    );
}

/// Reads the first member only.
fn flate2_single(input: &[u8]) -> impl Read {
    flate2::bufread::GzDecoder::new(input)
}

/// Gives as many bytes at a time as it likes.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 * 7 % 1009 + 1;
        if self.1.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = self.1.min(buf.len()).min(self.0.len());
        buf[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

#[test]
fn how_the_input_arrives_does_not_matter() {
    let input = prose(4, 2 * gzip::BLOCK_SIZE + 999);
    let whole = compressed(&input, 1);
    let mut dripped = Vec::new();
    gzip::compress(Drip(&input, 1), &mut dripped, threads(3)).unwrap();
    assert!(whole == dripped);
    let mut plain = Vec::new();
    decoder(Compression::Gzip, Drip(&whole, 2))
        .read_to_end(&mut plain)
        .unwrap();
    assert!(plain == input);
}

#[test]
fn streams_behind_each_other_are_one() {
    let (one, two) = (prose(1, 70_000), prose(2, 1_000));
    let mut both = compressed(&one, 1);
    both.extend(compressed(&[], 1));
    both.extend(compressed(&two, 1));
    assert!(unpacked(&both).unwrap() == [one, two].concat());
}

#[test]
fn zeros_behind_the_end_are_padding() {
    let input = prose(1, 1_000);
    let mut padded = compressed(&input, 1);
    padded.resize(padded.len() + 300_000, 0);
    assert!(unpacked(&padded).unwrap() == input);
}

#[test]
fn what_is_not_compressed_comes_as_it_is() {
    assert_eq!(unpacked(b"").unwrap(), b"");
    assert_eq!(unpacked(b"ustar").unwrap(), b"ustar");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_with_any_number_of_threads(
        seed in 1_u64..1 << 40, len in 0_usize..3 * gzip::BLOCK_SIZE, noisy in any::<bool>(), number in 1_usize..6,
    ) {
        let input = if noisy { noise(seed, len) } else { prose(seed, len) };
        let output = compressed(&input, number);
        prop_assert!(output == compressed(&input, 1));
        prop_assert!(unpacked(&output).unwrap() == input);
    }
}
