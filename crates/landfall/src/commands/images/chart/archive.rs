//! A packed chart: a gzipped tar with one folder at its top, and packed charts in its `charts/`.
//!
//! Anyone may have made it: what it unpacks to is bounded, names lead nowhere else, and nothing is written to disk.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use landfall_oci::tar::{self, Kind};

use crate::exit::Exit;
use crate::failure::Failure;

/// What all files of a chart may have together; Helm's own bound.
const MAX_BYTES: u64 = 100 * 1024 * 1024;
const MAX_FILES: usize = 20_000;
const MAX_NAME: u64 = 64 * 1024;
/// Packed charts within packed charts.
const MAX_NESTING: usize = 4;

/// The files of a chart by their paths in it; packed charts within are folders of their names.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Unpacks a chart. `shown`: what messages call it.
pub(crate) fn unpack(bytes: &[u8], shown: &str) -> Result<Files, Failure> {
    let mut unpacker = Unpacker {
        shown,
        left: MAX_BYTES,
        files: Files::new(),
    };
    unpacker.archive(bytes, "", 0)?;
    Ok(unpacker.files)
}

/// Unpacks the packed charts among the files of a folder.
pub(super) fn unpack_within(files: Files, shown: &str) -> Result<Files, Failure> {
    let mut unpacker = Unpacker {
        shown,
        left: MAX_BYTES,
        files: Files::new(),
    };
    for (path, bytes) in files {
        unpacker.keep(path, bytes, 0)?;
    }
    Ok(unpacker.files)
}

struct Unpacker<'a> {
    shown: &'a str,
    left: u64,
    files: Files,
}

impl Unpacker<'_> {
    fn archive(&mut self, bytes: &[u8], folder: &str, nesting: usize) -> Result<(), Failure> {
        if !bytes.starts_with(&[0x1F, 0x8B]) {
            return Err(self.damaged(folder, "is no gzipped tar, so it is no packed chart"));
        }
        let mut reader = MultiGzDecoder::new(bytes);
        let mut long_name = None;
        while let Some(header) = self.header(&mut reader, folder)? {
            let extension = matches!(header.kind, Kind::Pax | Kind::LongName);
            if header.kind == Kind::File && header.size > self.left || extension && header.size > MAX_NAME {
                return Err(self.damaged(folder, "unpacks to more than 100 MiB, which Helm refuses too"));
            }
            let content = self.content(
                &mut reader,
                header.size,
                header.kind == Kind::File || extension,
                folder,
            )?;
            match header.kind {
                Kind::Pax => {
                    let fields = tar::decode_pax(&content)
                        .map_err(|error| self.damaged(folder, &error.to_string()))?;
                    long_name = fields.path.or(long_name);
                }
                Kind::LongName => {
                    let name = content.split(|byte| *byte == 0).next().unwrap_or_default();
                    long_name = Some(String::from_utf8_lossy(name).into_owned());
                }
                Kind::File => {
                    let name = long_name.take().unwrap_or(header.name);
                    let path = self.path(&name, folder)?;
                    self.left -= header.size;
                    self.keep(format!("{folder}{path}"), content, nesting)?;
                }
                _ => long_name = None,
            }
        }
        Ok(())
    }

    fn header(&self, reader: &mut impl Read, folder: &str) -> Result<Option<tar::Header>, Failure> {
        let mut block = [0; tar::BLOCK as usize];
        match reader.read_exact(&mut block) {
            Ok(()) => tar::decode(&block).map_err(|error| self.damaged(folder, &error.to_string())),
            Err(error) => Err(self.damaged(folder, &format!("is cut off or damaged ({error})"))),
        }
    }

    /// The content of an entry; what is not wanted is only passed over.
    fn content(
        &self,
        reader: &mut impl Read,
        size: u64,
        wanted: bool,
        folder: &str,
    ) -> Result<Vec<u8>, Failure> {
        let mut content = Vec::new();
        let padding = tar::padded(size.min(MAX_BYTES)) - size.min(MAX_BYTES);
        let passed = match wanted {
            true => reader
                .by_ref()
                .take(size)
                .read_to_end(&mut content)
                .map(|read| read as u64),
            false => std::io::copy(
                &mut reader.by_ref().take(size.min(MAX_BYTES)),
                &mut std::io::sink(),
            ),
        };
        let padded = std::io::copy(&mut reader.by_ref().take(padding), &mut std::io::sink());
        match (passed, padded) {
            (Ok(passed), Ok(_)) if passed == size => Ok(content),
            _ => Err(self.damaged(folder, "is cut off or damaged")),
        }
    }

    /// The path within the chart: without the folder at the top.
    fn path(&self, name: &str, folder: &str) -> Result<String, Failure> {
        let name = name.replace('\\', "/");
        let name = name.strip_prefix("./").unwrap_or(&name);
        let odd = name.starts_with('/') || name.split('/').any(|part| part == ".." || part.is_empty());
        match name.split_once('/') {
            Some((_, path)) if !odd => Ok(path.to_owned()),
            _ => Err(self.damaged(
                folder,
                &format!("has an entry `{name}` outside of the chart's folder"),
            )),
        }
    }

    fn keep(&mut self, path: String, content: Vec<u8>, nesting: usize) -> Result<(), Failure> {
        if self.files.len() >= MAX_FILES {
            return Err(self.damaged("", "has more files than any chart"));
        }
        let is_packed = path.ends_with(".tgz")
            && path
                .rsplit_once('/')
                .is_some_and(|(folder, _)| folder.ends_with("charts"));
        if !is_packed {
            self.files.insert(path, content);
            return Ok(());
        }
        if nesting == MAX_NESTING {
            return Err(self.damaged(&path, "is a packed chart within too many others"));
        }
        self.archive(&content, &format!("{path}/"), nesting + 1)
    }

    fn damaged(&self, folder: &str, reason: &str) -> Failure {
        let inner = folder.trim_end_matches('/');
        let place = if inner.is_empty() {
            self.shown.to_owned()
        } else {
            format!("{}: {inner}", self.shown)
        };
        Failure::new(Exit::Damaged, format!("{place} {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut plain = Vec::new();
        for (name, content) in entries {
            plain.extend(tar::encode(name, content.len() as u64));
            plain.extend(*content);
            plain.resize(plain.len().next_multiple_of(512), 0);
        }
        plain.resize(plain.len() + 1024, 0);
        gzip(&plain)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn charts_within_are_unpacked() {
        let long = format!("a/templates/{}.yaml", "x".repeat(150));
        let inner = packed(&[("b/Chart.yaml", b"name: b")]);
        let all = packed(&[
            ("a/Chart.yaml", b"name: a"),
            (&long, b"y"),
            ("a/charts/b-1.tgz", &inner),
        ]);
        let files = unpack(&all, "x").unwrap();
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["Chart.yaml", "charts/b-1.tgz/Chart.yaml", &long[2..]]);
    }

    #[test]
    fn hostile_archives_are_refused() {
        let huge = {
            let mut plain = tar::encode("a/values.yaml", 1 << 40);
            plain.resize(4096, 0);
            gzip(&plain)
        };
        let mut nested = packed(&[("a/Chart.yaml", b"name: a")]);
        for _ in 0..6 {
            nested = packed(&[("a/charts/a-1.tgz", &nested)]);
        }
        let whole = packed(&[("a/Chart.yaml", b"name: a")]);
        let cases: [(&[u8], &str); 8] = [
            (
                &packed(&[("a/../../etc/x", b"")]),
                "outside of the chart's folder",
            ),
            (&packed(&[("/etc/x", b"")]), "outside of the chart's folder"),
            (&packed(&[("x", b"")]), "outside of the chart's folder"),
            (&huge, "more than 100 MiB"),
            (&nested, "too many others"),
            (&whole[..whole.len() / 2], "cut off or damaged"),
            (b"no gzip", "no gzipped tar"),
            (&gzip(b"short"), "cut off"),
        ];
        for (bytes, expected) in cases {
            let error = unpack(bytes, "x.tgz").unwrap_err();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
            assert_eq!(error.exit, Exit::Damaged);
        }
    }

    #[test]
    fn what_unpacks_to_far_more_is_refused() {
        let plain = vec![0_u8; 80 << 20];
        let all = packed(&[("a/a.yaml", &plain), ("a/b.yaml", &plain)]);
        assert!(all.len() < 2 << 20);
        assert!(unpack(&all, "x").unwrap_err().to_string().contains("100 MiB"));
    }
}
