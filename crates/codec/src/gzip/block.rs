//! A piece of the input, and what deflating it gives.

use std::io::{self, Read};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Changing it changes the bytes of every output, and so the digest of every layer that is compressed here.
pub(super) const BLOCK: usize = 512 << 10;
/// As is this. What `gzip` and `docker push` use, too.
const LEVEL: u32 = 6;
/// How far deflate looks back.
const WINDOW: usize = 32 << 10;

/// One block, with the buffers that it needs; they are used again for later ones.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The end of the block before, then this one.
    input: Vec<u8>,
    dictionary: usize,
    deflated: Vec<u8>,
    crc: Crc,
}

impl Block {
    /// Reads the next block, which follows `previous`; whether the input ended with it.
    pub(super) fn fill(&mut self, previous: &[u8], input: &mut impl Read) -> io::Result<bool> {
        self.dictionary = previous.len();
        self.input.clear();
        self.input.reserve_exact(WINDOW + BLOCK);
        self.input.extend_from_slice(previous);
        let read = input.by_ref().take(BLOCK as u64).read_to_end(&mut self.input)?;
        Ok(read < BLOCK)
    }

    fn content(&self) -> &[u8] {
        &self.input[self.dictionary..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.content().is_empty()
    }

    /// Remembers in `tail` what the next block may refer to.
    pub(super) fn keep_tail(&self, tail: &mut Vec<u8>) {
        tail.clear();
        tail.extend_from_slice(&self.input[self.input.len().saturating_sub(WINDOW)..]);
    }

    /// Deflates the block up to a byte's end, leaving the stream open. The state is new for each block: nothing that an
    /// earlier one left behind can have a part in the result.
    pub(super) fn deflate(&mut self) -> io::Result<()> {
        let (dictionary, content) = self.input.split_at(self.dictionary);
        self.crc = Crc::new();
        self.crc.update(content);
        let mut stream = Compress::new(Compression::new(LEVEL), false);
        if !dictionary.is_empty() {
            stream.set_dictionary(dictionary)?;
        }
        self.deflated.clear();
        self.deflated.reserve_exact(BLOCK + BLOCK / 8);
        loop {
            let consumed = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
            let rest = content.get(consumed..).unwrap_or_default();
            let status = stream.compress_vec(rest, &mut self.deflated, FlushCompress::Sync)?;
            // Room left over means that nothing is held back.
            if status != Status::StreamEnd && self.deflated.len() < self.deflated.capacity() {
                return Ok(());
            }
            self.deflated.reserve(BLOCK);
        }
    }

    pub(super) fn deflated(&self) -> &[u8] {
        &self.deflated
    }

    pub(super) fn crc(&self) -> &Crc {
        &self.crc
    }
}
