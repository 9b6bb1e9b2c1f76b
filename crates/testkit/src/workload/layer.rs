//! Layers: a tar, compressed with gzip, hashed on both sides of the compressor in one pass.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use landfall_oci::Digest;

use crate::digest::Hashing;

const BLOCK: u64 = 512;

/// What a finished layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the compressed bytes: the blob's name.
    pub digest: Digest,
    /// Length of the compressed bytes.
    pub size: u64,
    /// Digest of the tar: what the image's config lists.
    pub diff_id: Digest,
}

/// Writes a layer, file after file.
pub struct LayerWriter<W: Write> {
    tar: Hashing<GzEncoder<Hashing<W>>>,
}

impl<W: Write> LayerWriter<W> {
    /// Starts a layer; `level` is gzip's (0 stores).
    pub fn new(out: W, level: u32) -> Self {
        let gzip = GzEncoder::new(Hashing::new(out), Compression::new(level));
        Self {
            tar: Hashing::new(gzip),
        }
    }

    /// Adds a regular file of exactly `size` bytes. Names have at most 100 bytes.
    ///
    /// # Errors
    /// What the reader or the writer said; a reader with fewer bytes than it said is one.
    pub fn file(&mut self, name: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        self.tar.write_all(&header(name, mode, size))?;
        let copied = io::copy(&mut content.take(size), &mut self.tar)?;
        if copied != size {
            let reason = format!("{name} has {copied} bytes, not {size}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        self.tar.write_all(&[0; BLOCK as usize][..padding as usize])
    }

    /// Bytes of tar so far.
    pub fn tar_len(&self) -> u64 {
        self.tar.len()
    }

    /// Bytes that the compressor has let go so far.
    pub fn compressed_len(&self) -> u64 {
        self.tar.get_ref().get_ref().len()
    }

    /// Ends the tar and the stream.
    ///
    /// # Errors
    /// What the writer said.
    pub fn finish(mut self) -> io::Result<(W, Layer)> {
        self.tar.write_all(&[0; 2 * BLOCK as usize])?;
        let (gzip, diff_id, _) = self.tar.finish();
        let (out, digest, size) = gzip.finish()?.finish();
        Ok((
            out,
            Layer {
                digest,
                size,
                diff_id,
            },
        ))
    }
}

/// A ustar header with the mode of the file; owner root, time 0.
fn header(name: &str, mode: u32, size: u64) -> [u8; BLOCK as usize] {
    assert!(name.len() <= 100, "a name of {} bytes: {name}", name.len());
    let mut block = [0_u8; BLOCK as usize];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{Scratch, run};

    #[test]
    fn tar_reads_what_was_written() {
        let mut layer = LayerWriter::new(Vec::new(), 6);
        layer.file("bin/hello", 0o755, 5, &b"hello"[..]).unwrap();
        layer.file("etc/empty", 0o644, 0, &b""[..]).unwrap();
        let (bytes, made) = layer.finish().unwrap();
        assert_eq!(made.digest, crate::digest::sha256(&bytes));
        let scratch = Scratch::new();
        let path = scratch.write("l.tar.gz", &bytes);
        let listed = run(Command::new("tar").arg("-tvzf").arg(&path)).ok();
        assert!(
            listed.contains("-rwxr-xr-x") && listed.contains("bin/hello"),
            "{listed}"
        );
        let plain = run(Command::new("sh")
            .arg("-c")
            .arg(format!("gzip -dc {} | sha256sum", path.display())))
        .ok();
        assert!(plain.starts_with(&made.diff_id.hex()));
    }

    #[test]
    fn a_short_file_is_an_error() {
        let mut layer = LayerWriter::new(Vec::new(), 1);
        assert!(layer.file("x", 0o644, 6, &b"hello"[..]).is_err());
    }
}
