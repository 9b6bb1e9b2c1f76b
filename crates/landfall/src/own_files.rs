//! What this program needs to run somewhere else: its own file, the shared libraries that the loader finds for it,
//! the CA certificates, and two lines of configuration for name look-ups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file for an image's root file system.
#[derive(Debug)]
pub(crate) struct RootFile {
    /// Where it goes, without the leading slash.
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) bytes: Vec<u8>,
}

const CA_BUNDLES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// Where the program lies in its image.
pub(crate) const PROGRAM: &str = "/usr/local/bin/landfall";

/// Reads all of them. Blocking.
pub(crate) fn collect() -> io::Result<Vec<RootFile>> {
    let own = std::env::current_exe()?;
    let program = fs::read(&own)?;
    let interpreter = interpreter(&program);
    let mut files = Vec::new();
    if let Some(interpreter) = interpreter {
        for library in libraries(&interpreter, &own)? {
            files.push(file(&library, &library, 0o755)?);
        }
    }
    files.push(RootFile {
        name: PROGRAM.trim_start_matches('/').to_owned(),
        mode: 0o755,
        bytes: program,
    });
    if let Some(bundle) = CA_BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
        files.push(file(bundle, Path::new(CA_BUNDLES[0]), 0o644)?);
    }
    files.push(text("etc/nsswitch.conf", "hosts: files dns\n"));
    files.push(text(
        "etc/passwd",
        "root:x:0:0:root:/:/sbin/nologin\nlandfall:x:65532:65532::/:/sbin/nologin\n",
    ));
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files.dedup_by(|one, other| one.name == other.name);
    Ok(files)
}

fn text(name: &str, content: &str) -> RootFile {
    RootFile {
        name: name.to_owned(),
        mode: 0o644,
        bytes: content.as_bytes().to_vec(),
    }
}

fn file(from: &Path, to: &Path, mode: u32) -> io::Result<RootFile> {
    let name = to.to_string_lossy().trim_start_matches('/').to_owned();
    Ok(RootFile {
        name,
        mode,
        bytes: fs::read(from)?,
    })
}

/// The loader named in the ELF header (`PT_INTERP`); `None` for a statically linked program.
fn interpreter(elf: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let number = |offset: usize, length: usize| -> Option<u64> {
        let bytes = elf.get(offset..offset.checked_add(length)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        )
    };
    let is_elf64_little = elf.get(..6)? == b"\x7fELF\x02\x01";
    if !is_elf64_little {
        return None;
    }
    let (table, entry_size, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let headers = (0..entries).map(|entry| usize::try_from(table + entry * entry_size).ok());
    let header = headers
        .flatten()
        .find(|header| number(*header, 4) == Some(PT_INTERP))?;
    let (start, length) = (
        usize::try_from(number(header + 8, 8)?).ok()?,
        usize::try_from(number(header + 32, 8)?).ok()?,
    );
    let path = elf.get(start..start.checked_add(length)?)?;
    let path = std::str::from_utf8(path).ok()?.trim_end_matches('\0');
    Some(PathBuf::from(path))
}

/// The loader and the libraries that it would load, by the names under which it looks for them.
fn libraries(interpreter: &Path, program: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = Command::new(interpreter).arg("--list").arg(program).output()?;
    if !listed.status.success() {
        let message = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
        return Err(io::Error::other(format!(
            "{} --list: {message}",
            interpreter.display()
        )));
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    let paths = text.lines().filter_map(|line| {
        let line = line.trim();
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        let path = path.split(" (").next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    let mut all: Vec<_> = paths.chain([interpreter.to_owned()]).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_and_its_libraries_are_found() {
        let files = collect().unwrap();
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert!(names.contains(&"usr/local/bin/landfall"), "{names:?}");
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        if interpreter(&own).is_some() {
            assert!(names.iter().any(|name| name.contains("libc.so")), "{names:?}");
        }
        assert_eq!(interpreter(b"\x7fELF\x02\x01"), None);
        assert_eq!(interpreter(b"#!/bin/sh"), None);
    }
}
