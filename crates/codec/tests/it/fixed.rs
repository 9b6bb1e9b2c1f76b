//! Bytes that must never change: layers compressed here keep their digests.
//!
//! Who gets another digest on another machine, or after an update of the deflate library, has found the one thing that
//! this crate promises not to happen. An update that changes them is to be told in the changelog, not to be hidden by
//! new digests here.

use landfall_codec::gzip;
use landfall_testkit::digest::sha256;

use crate::support::{compressed, noise, prose};

const BLOCK: usize = gzip::BLOCK_SIZE;

#[test]
fn the_bytes_are_those_of_every_other_machine() {
    let mixed = [
        prose(11, BLOCK + 5),
        noise(12, BLOCK),
        vec![0; BLOCK + 1],
        prose(13, 99_999),
    ]
    .concat();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        (
            "nothing",
            Vec::new(),
            "ac73670af3abed54ac6fb4695131f4099be9fbe39d6076c5d0264a6bbdae9d83",
        ),
        (
            "a line",
            b"landfall\n".to_vec(),
            "df594f1dc6b817d8ff28db95a0b42e7da23c254834634ac2d47904ede4eaa7c3",
        ),
        (
            "prose",
            prose(21, 3 * BLOCK + 77),
            "2fa951b1f651f21d7b9e7f859cbdcde59589eedfcaa5396d7c05e1cf3b0b7940",
        ),
        (
            "noise",
            noise(22, 2 * BLOCK),
            "d304082702b8b9c464c1d98288dec8fa6ce4aed75170af211a30ab292961b3c1",
        ),
        (
            "mixed",
            mixed,
            "c00fbb29b5c6e0aa0a8cbca39f30ec61c35d9e1a4fb88873ec4aaac0a7866a7e",
        ),
    ];
    for (name, input, expected) in cases {
        for threads in [1, 2, 7] {
            assert_eq!(
                sha256(&compressed(&input, threads)).hex(),
                expected,
                "{name}, {threads} threads"
            );
        }
    }
}
