//! Any compressed stream as a plain one.
//!
//! The formats differ in how their streams follow each other and in what their decoders say of a stream that is cut;
//! here they all behave alike: streams one after the other are one, a cut one is an error and never a short success.

mod checked;
mod frames;

use std::io::{self, BufReader, Read};

use crate::{CodecError, Compression};
use checked::{Checked, Source};
use frames::{Bzip2, Frames, Gzip, Lz4};

/// The largest window of a zstd stream that is accepted: what `zstd --long=25` makes, as K3s' archives are.
pub(crate) const ZSTD_WINDOW: u64 = 1 << ZSTD_WINDOW_LOG;
const ZSTD_WINDOW_LOG: u32 = 25;

const BUFFER: usize = 128 << 10;

/// `input`, which is compressed with `compression`, unpacked. What is wrong with the stream comes as a [`CodecError`]
/// inside of the [`io::Error`]; what is wrong with `input` comes as it is.
pub fn decoder<'a>(compression: Compression, input: impl Read + Send + 'a) -> Box<dyn Read + Send + 'a> {
    let (source, seen) = Source::new(input);
    let input = BufReader::with_capacity(BUFFER, source);
    let plain: Box<dyn Read + Send + 'a> = match compression {
        Compression::None => return Box::new(input),
        Compression::Gzip => Box::new(Frames::<_, Gzip<_>>::new(input, seen.clone())),
        Compression::Lz4 => Box::new(Frames::<_, Lz4<_>>::new(input, seen.clone())),
        Compression::Bzip2 => Box::new(Frames::<_, Bzip2<_>>::new(input, seen.clone())),
        Compression::Zstd => match zstd(input) {
            Ok(plain) => Box::new(plain),
            Err(error) => Box::new(Refused(Some(error))),
        },
        Compression::Xz => Box::new(Refused(Some(CodecError::Unsupported { compression }.into()))),
    };
    Box::new(Checked::new(plain, seen, compression))
}

fn zstd<R: Read>(input: BufReader<R>) -> io::Result<zstd::stream::read::Decoder<'static, BufReader<R>>> {
    let mut plain = zstd::stream::read::Decoder::with_buffer(input)?;
    plain.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(plain)
}

/// A stream that cannot even be begun.
struct Refused(Option<io::Error>);

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(error) => Err(error),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
