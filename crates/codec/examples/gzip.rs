//! `gzip THREADS < input > output`: what the bench and the comparisons with other programs call.
//! `gzip -d < input > output` unpacks anything.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;

use landfall_codec::{Compression, decoder, gzip};

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let (mut input, mut output) = (io::stdin(), io::stdout().lock());
    if argument == "-d" {
        let mut head = Vec::new();
        input
            .by_ref()
            .take(Compression::SNIFFED as u64)
            .read_to_end(&mut head)?;
        let compression = Compression::sniff(&head);
        io::copy(
            &mut decoder(compression, io::Cursor::new(head).chain(input)),
            &mut output,
        )?;
    } else {
        let threads = argument.parse::<NonZeroUsize>().unwrap_or(NonZeroUsize::MIN);
        gzip::compress(input, &mut output, threads)?;
    }
    output.flush()
}
