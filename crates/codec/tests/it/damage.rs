//! Streams that are cut, altered, followed by something else, or that want too much.

use std::error::Error as _;
use std::io::{self, Read, Write};

use landfall_codec::{CodecError, Compression, decoder};

use crate::support::{compressed, noise, prose, unpacked};

fn lz4(input: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(input: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

fn zstd(input: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

fn gzip(input: &[u8]) -> Vec<u8> {
    compressed(input, 1)
}

type Encode = fn(&[u8]) -> Vec<u8>;
const ALL: [(Compression, Encode); 4] = [
    (Compression::Gzip, gzip),
    (Compression::Zstd, zstd),
    (Compression::Lz4, lz4),
    (Compression::Bzip2, bzip2),
];

fn codec_error(error: &io::Error) -> &CodecError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not ours: {error:?}"))
}

#[test]
fn all_formats_are_read_alone_and_behind_each_other() {
    let input = [prose(1, 300_000), noise(2, 1_000)].concat();
    for (compression, encode) in ALL {
        let encoded = encode(&input);
        assert_eq!(Compression::sniff(&encoded), compression);
        assert!(unpacked(&encoded).unwrap() == input, "{compression}");
        let twice = unpacked(&encoded.repeat(2)).unwrap();
        assert!(twice == input.repeat(2), "{compression}");
    }
}

#[test]
fn a_cut_stream_is_never_a_short_one() {
    let input = prose(1, 2_000);
    for (compression, encode) in ALL {
        let encoded = encode(&input);
        for len in 0..encoded.len() {
            let mut plain = Vec::new();
            let error = decoder(compression, &encoded[..len])
                .read_to_end(&mut plain)
                .expect_err("cut");
            assert!(
                matches!(codec_error(&error), CodecError::Cut { .. }),
                "{compression} at {len}: {error}"
            );
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

#[test]
fn an_altered_byte_is_an_error_or_harmless_and_never_a_panic() {
    let input = prose(1, 3_000);
    for (compression, encode) in ALL {
        let encoded = encode(&input);
        for place in 0..encoded.len() {
            let mut altered = encoded.clone();
            altered[place] ^= 1 << (place % 8);
            let mut plain = Vec::new();
            match decoder(compression, &altered[..])
                .take(1 << 20)
                .read_to_end(&mut plain)
            {
                Ok(_) => assert!(
                    plain == input,
                    "{compression} at {place}: other content, and nobody told"
                ),
                Err(error) => {
                    codec_error(&error);
                }
            }
        }
    }
}

#[test]
fn what_follows_a_stream_is_told() {
    for (compression, encode) in ALL {
        let mut encoded = encode(b"some content");
        encoded.extend(b"?? and something else");
        let error = unpacked(&encoded).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(compression.name()), "{told}");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{told}");
    }
}

#[test]
fn an_error_is_told_again_to_who_reads_on() {
    let encoded = gzip(&prose(1, 9_000));
    let mut plain = decoder(Compression::Gzip, &encoded[..encoded.len() - 20]);
    let mut sink = Vec::new();
    plain.read_to_end(&mut sink).unwrap_err();
    plain.read_to_end(&mut sink).unwrap_err();
}

#[test]
fn a_large_window_is_read_up_to_its_bound() {
    let input = noise(3, 1_000);
    let with_window = |log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder.write_all(&input).unwrap();
        encoder.finish().unwrap()
    };
    assert!(unpacked(&with_window(25)).unwrap() == input);
    let error = unpacked(&with_window(26)).unwrap_err();
    assert!(matches!(codec_error(&error), CodecError::Window), "{error}");
    assert!(error.to_string().contains("more than 32 MiB"), "{error}");
}

#[test]
fn a_bomb_gives_no_more_than_is_asked_for() {
    let zeros = gzip(&vec![0; 64 << 20]);
    assert!(zeros.len() < 1 << 17);
    let mut plain = decoder(Compression::Gzip, &zeros[..]).take(1 << 20);
    assert_eq!(io::copy(&mut plain, &mut io::sink()).unwrap(), 1 << 20);
}

#[test]
fn xz_is_recognised_and_refused() {
    let error = unpacked(b"\xfd7zXZ\0\0\x04").unwrap_err();
    assert!(matches!(codec_error(&error), CodecError::Unsupported { .. }));
    assert_eq!(
        error.to_string(),
        "xz is not supported; unpack the file first (`xz -d`)"
    );
    assert!(error.source().is_none());
}
