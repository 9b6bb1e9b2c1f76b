//! Zip files made to order: whole ones, and ones that lie.

use landfall_bundle::BundleError;

use super::Bench;

/// A zip file under construction.
#[derive(Clone, Default)]
pub(crate) struct Zip {
    zip64: bool,
    body: Vec<u8>,
    directory: Vec<u8>,
    count: u64,
}

impl Zip {
    pub(crate) fn new(zip64: bool) -> Self {
        Self {
            zip64,
            ..Self::default()
        }
    }

    pub(crate) fn stored(self, name: &str, bytes: &[u8]) -> Self {
        self.entry(name, bytes, 0, bytes.len() as u64)
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.stored(name, b"")
    }

    fn entry(mut self, name: &str, bytes: &[u8], method: u16, size: u64) -> Self {
        let offset = self.body.len() as u64;
        let header = |bytes: &mut Vec<u8>, signature: &[u8], version: &[u8]| {
            bytes.extend_from_slice(signature);
            bytes.extend_from_slice(version);
            bytes.extend_from_slice(&0u16.to_le_bytes());
            bytes.extend_from_slice(&method.to_le_bytes());
            bytes.extend_from_slice(&[0; 8]);
        };
        header(&mut self.body, b"PK\x03\x04", &[20, 0]);
        self.body.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.body.extend_from_slice(&(size as u32).to_le_bytes());
        self.body.extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.body.extend_from_slice(&0u16.to_le_bytes());
        self.body.extend_from_slice(name.as_bytes());
        self.body.extend_from_slice(bytes);
        header(&mut self.directory, b"PK\x01\x02", &[20, 0, 20, 0]);
        let mut extra = Vec::new();
        let (packed, whole, place) = match self.zip64 {
            true => {
                extra.extend_from_slice(&[1, 0, 24, 0]);
                for value in [size, bytes.len() as u64, offset] {
                    extra.extend_from_slice(&value.to_le_bytes());
                }
                (u32::MAX, u32::MAX, u32::MAX)
            }
            false => (bytes.len() as u32, size as u32, offset as u32),
        };
        self.directory.extend_from_slice(&packed.to_le_bytes());
        self.directory.extend_from_slice(&whole.to_le_bytes());
        self.directory
            .extend_from_slice(&(name.len() as u16).to_le_bytes());
        self.directory
            .extend_from_slice(&(extra.len() as u16).to_le_bytes());
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&place.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.directory.extend_from_slice(&extra);
        self.count += 1;
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        let (offset, size, count) = (self.body.len() as u64, self.directory.len() as u64, self.count);
        self.done_saying(offset, size, count)
    }

    /// With an end record that says this.
    fn done_saying(self, offset: u64, size: u64, count: u64) -> Vec<u8> {
        let mut out = self.body;
        let end64 = (out.len() + self.directory.len()) as u64;
        out.extend(self.directory);
        let mut end = (offset as u32, size as u32, count as u16);
        if self.zip64 {
            out.extend_from_slice(b"PK\x06\x06");
            out.extend_from_slice(&44u64.to_le_bytes());
            out.extend_from_slice(&[45, 0, 45, 0]);
            out.extend_from_slice(&[0; 8]);
            for value in [count, count, size, offset] {
                out.extend_from_slice(&value.to_le_bytes());
            }
            out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            out.extend_from_slice(&end64.to_le_bytes());
            out.extend_from_slice(&1u32.to_le_bytes());
            end = (u32::MAX, u32::MAX, u16::MAX);
        }
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        out.extend_from_slice(&end.2.to_le_bytes());
        out.extend_from_slice(&end.2.to_le_bytes());
        out.extend_from_slice(&end.1.to_le_bytes());
        out.extend_from_slice(&end.0.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        out
    }
}

const INDEX: &[u8] = br#"{"list":[],"version":"v1.2.0"}"#;

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let bench = Bench::new();
    let error = bench.open(&bench.write("x.zip", bytes)).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_good_one_is_read() {
    let bench = Bench::new();
    for zip64 in [false, true] {
        let zip = Zip::new(zip64);
        assert!(
            bench
                .open(&bench.write("x.zip", &zip.stored("index.json", INDEX).done()))
                .is_ok()
        );
    }
}

#[test]
fn names_that_lead_out_and_names_twice() {
    let zip = |name: &str| Zip::default().stored(name, b"x").stored("index.json", INDEX);
    refused(&zip("../x").done(), "leads out");
    refused(&zip("/etc/passwd").done(), "absolute");
    let bench = Bench::new();
    let twice = bench
        .open(&bench.write("x.zip", &zip("./index.json").done()))
        .unwrap_err();
    assert!(matches!(twice, BundleError::Duplicate { .. }), "{twice}");
}

#[test]
fn compressed_entries_say_what_to_do() {
    refused(
        &Zip::default()
            .entry("share/x", b"zip", 8, 100)
            .stored("index.json", INDEX)
            .done(),
        "zip -0",
    );
    refused(
        &Zip::default()
            .entry("share/x", b"zip", 0, 100)
            .stored("index.json", INDEX)
            .done(),
        "zip -0",
    );
}

#[test]
fn directories_that_lie() {
    for zip64 in [false, true] {
        let zip = || Zip::new(zip64).stored("index.json", INDEX);
        let whole = zip().done();
        let (offset, size) = (zip().body.len() as u64, zip().directory.len() as u64);
        for (offset, size, count) in [
            (offset, size, 60_000),
            (offset, 40_000, 1),
            (70_000, size, 1),
            (offset, size, 0),
            (offset + 1, size, 1),
            (0, size, 1),
        ] {
            let bench = Bench::new();
            let bytes = zip().done_saying(offset, size, count);
            assert!(
                bench.open(&bench.write("x.zip", &bytes)).is_err(),
                "{offset} {size} {count}"
            );
        }
        for cut in [whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            refused(&whole[..cut], "");
        }
    }
    let huge = Zip::new(true).stored("index.json", INDEX);
    for (offset, size, count) in [
        (u64::MAX, 1, 1),
        (1, u64::MAX, 1),
        (0, 10, u64::MAX),
        (u64::MAX, u64::MAX, u64::MAX),
    ] {
        refused(&huge.clone().done_saying(offset, size, count), "cannot be");
    }
    // Another name in the entry's own header.
    let mut bytes = Zip::default().stored("index.json", INDEX).done();
    bytes[30] = b'x';
    refused(&bytes, "not where the directory");
    refused(
        &Zip::default().stored("index.json", INDEX).done()[..60],
        "incomplete",
    );
}
