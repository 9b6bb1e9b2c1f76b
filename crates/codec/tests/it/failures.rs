//! Readers and writers that fail: their own error comes out, and nobody waits for anybody.

use std::io::{self, Read, Write};

use landfall_codec::{Compression, decoder, gzip};

use crate::support::{compressed, noise, threads};

/// Gives so many bytes, then fails.
struct Broken(u64);

impl Read for Broken {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the disk is on fire"));
        }
        io::repeat(7)
            .take(self.0)
            .read(buf)
            .inspect(|read| self.0 -= *read as u64)
    }
}

/// Takes so many bytes, then fails.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 {
            Err(io::Error::new(io::ErrorKind::StorageFull, "no room"))
        } else {
            Ok(taken)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_readers_error_comes_out() {
    for blocks in [0, 1, 9] {
        let broken = Broken(blocks * gzip::BLOCK_SIZE as u64 + 5);
        let error = gzip::compress(broken, io::sink(), threads(2)).unwrap_err();
        assert_eq!(error.to_string(), "the disk is on fire");
    }
}

#[test]
fn the_writers_error_comes_out() {
    let input = noise(1, 12 * gzip::BLOCK_SIZE);
    for room in [0, 5, 100, gzip::BLOCK_SIZE * 3, compressed(&input, 2).len() - 1] {
        for number in [1, 4] {
            let error = gzip::compress(&input[..], Full(room), threads(number)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{room}");
        }
    }
}

#[test]
fn what_fails_below_a_decoder_is_not_blamed_on_the_stream() {
    let encoded = compressed(&noise(1, 400_000), 1);
    let input = encoded[..300_000].chain(Broken(0));
    let error = decoder(Compression::Gzip, input)
        .read_to_end(&mut Vec::new())
        .unwrap_err();
    assert_eq!(error.to_string(), "the disk is on fire");
}

/// Counts what has been read and was not yet written.
#[test]
fn what_is_under_way_is_bounded() {
    use std::cell::Cell;
    struct Reader<'a>(&'a Cell<u64>, u64);
    impl Read for Reader<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let read = io::repeat(0).take(self.1).read(buf)?;
            self.1 -= read as u64;
            self.0.set(self.0.get() + read as u64);
            Ok(read)
        }
    }
    struct Writer<'a>(&'a Cell<u64>, u64, u64);
    impl Write for Writer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A block of zeros is some hundred bytes; header and end are ten or less.
            if bytes.len() > 10 {
                let ahead = self.0.get() - self.1;
                assert!(ahead <= self.2, "{ahead}");
                self.1 += gzip::BLOCK_SIZE as u64;
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let read = Cell::new(0);
    let bound = 2 * 2 * gzip::BLOCK_SIZE as u64;
    let input = Reader(&read, 40 * gzip::BLOCK_SIZE as u64);
    gzip::compress(input, Writer(&read, 0, bound), threads(2)).unwrap();
    assert_eq!(read.get(), 40 * gzip::BLOCK_SIZE as u64);
}
