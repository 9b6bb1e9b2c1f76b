//! Streams that follow each other in one file.
//!
//! `cat a.gz b.gz` is a gzip file, and pigz, bgzip and pbzip2 write such files. Zeros behind the last stream are padding
//! of a tape or a block device; anything else there is somebody's mistake and told.

use std::io::{self, BufRead, Read};
use std::mem;
use std::sync::Arc;

use super::checked::Seen;
use crate::{CodecError, Compression};

/// A decoder of one stream, which leaves what follows it to the next.
pub(super) trait Frame<R>: Read {
    const COMPRESSION: Compression;
    /// What each stream begins with.
    const FIRST: u8;
    fn begin(input: R) -> Self;
    fn finish(self) -> R;
}

/// All streams of an input as one.
pub(super) struct Frames<R, F> {
    state: State<R, F>,
    begun: bool,
    seen: Arc<Seen>,
}

enum State<R, F> {
    Between(R),
    Within(F),
    Done,
}

impl<R: BufRead, F: Frame<R>> Frames<R, F> {
    pub(super) fn new(input: R, seen: Arc<Seen>) -> Self {
        Self {
            state: State::Between(input),
            begun: false,
            seen,
        }
    }

    /// Goes on to the next stream, if there is one.
    fn next(&mut self, mut input: R) -> io::Result<()> {
        let compression = F::COMPRESSION;
        let head = match skip_padding(&mut input, self.begun) {
            Ok(head) => head,
            Err(error) => {
                self.state = State::Between(input);
                return Err(error);
            }
        };
        match head {
            Some(first) if first == F::FIRST => self.state = State::Within(F::begin(input)),
            None if self.begun => self.state = State::Done,
            None => return Err(CodecError::Cut { compression }.into()),
            Some(_) => {
                self.state = State::Between(input);
                return Err(CodecError::Garbage { compression }.into());
            }
        }
        self.begun = true;
        Ok(())
    }
}

/// The first byte that is no padding, left where it is.
fn skip_padding(input: &mut impl BufRead, padded: bool) -> io::Result<Option<u8>> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let padding = if padded {
            buffer.iter().take_while(|byte| **byte == 0).count()
        } else {
            0
        };
        if let Some(first) = buffer.get(padding) {
            let first = *first;
            input.consume(padding);
            return Ok(Some(first));
        }
        input.consume(padding);
    }
}

impl<R: BufRead, F: Frame<R>> Read for Frames<R, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Between(input) => self.next(input)?,
                State::Within(mut frame) => {
                    let read = frame.read(buf);
                    if !matches!(read, Ok(0)) {
                        self.state = State::Within(frame);
                        return read;
                    }
                    // Lz4's decoder takes the end of the file for the end of its frame.
                    if self.seen.end() {
                        self.state = State::Within(frame);
                        return Err(CodecError::Cut {
                            compression: F::COMPRESSION,
                        }
                        .into());
                    }
                    self.state = State::Between(frame.finish());
                }
            }
        }
    }
}

pub(super) type Gzip<R> = flate2::bufread::GzDecoder<R>;
pub(super) type Bzip2<R> = bzip2::bufread::BzDecoder<R>;
pub(super) type Lz4<R> = lz4_flex::frame::FrameDecoder<R>;

impl<R: BufRead> Frame<R> for Gzip<R> {
    const COMPRESSION: Compression = Compression::Gzip;
    const FIRST: u8 = 0x1f;
    fn begin(input: R) -> Self {
        Self::new(input)
    }
    fn finish(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> Frame<R> for Bzip2<R> {
    const COMPRESSION: Compression = Compression::Bzip2;
    const FIRST: u8 = b'B';
    fn begin(input: R) -> Self {
        Self::new(input)
    }
    fn finish(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> Frame<R> for Lz4<R> {
    const COMPRESSION: Compression = Compression::Lz4;
    const FIRST: u8 = 0x04;
    fn begin(input: R) -> Self {
        Self::new(input)
    }
    fn finish(self) -> R {
        self.into_inner()
    }
}
