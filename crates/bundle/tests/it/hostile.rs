//! Tars and layouts made to harm: each is refused with its own error, and nothing big is allocated for it.

use std::path::Path;

use landfall_bundle::{Bundle, BundleError};
use landfall_oci::tar::HeaderError;

use crate::support::{noise, scratch, tar_of, world};

const INDEX: (&str, &[u8]) = ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);

/// One raw entry before a good index.
fn with_entry(change: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path("x").unwrap();
    header.set_size(0);
    header.set_mode(0o644);
    change(&mut header);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(tar_of(&[INDEX]));
    out
}

fn named(name: &str) -> Vec<u8> {
    with_entry(|header| {
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name.as_bytes());
    })
}

fn open(bytes: &[u8]) -> Result<Bundle, BundleError> {
    let dir = scratch();
    let path = dir.path().join("hostile.tar");
    std::fs::write(&path, bytes).unwrap();
    Bundle::open(&path)
}

fn unsafe_reason(bytes: &[u8]) -> String {
    match open(bytes).unwrap_err() {
        BundleError::UnsafeEntry { reason, .. } => reason.to_owned(),
        other => panic!("{other}"),
    }
}

#[test]
fn the_helper_makes_good_tars_too() {
    assert!(open(&named("harmless")).is_ok());
}

#[test]
fn cve_2024_3727_names_that_lead_out() {
    assert!(unsafe_reason(&named("/etc/passwd")).contains("absolute"));
    for name in ["../x", "a/../../x", "..", "./.."] {
        assert!(
            unsafe_reason(&named(name)).contains("out of the archive"),
            "{name}"
        );
    }
    // By way of a pax record.
    let mut pax = named("unused");
    let record = b"16 path=/etc/xx\n";
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(record.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(record);
    bytes.resize(1024, 0);
    bytes.append(&mut pax);
    assert!(unsafe_reason(&bytes).contains("absolute"));
}

#[test]
fn what_is_neither_file_nor_directory() {
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let link = with_entry(|header| {
            header.set_entry_type(kind);
            header.set_link_name("index.json").unwrap();
        });
        assert!(unsafe_reason(&link).contains("link"));
    }
    for kind in [
        tar::EntryType::Char,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
    ] {
        let other = with_entry(|header| header.set_entry_type(kind));
        assert!(unsafe_reason(&other).contains("neither"));
    }
}

#[test]
fn the_same_name_twice() {
    let blob = format!("blobs/sha256/{}", "a".repeat(64));
    let dotted = format!("./{blob}");
    for (first, second) in [
        ("index.json", "./index.json"),
        (blob.as_str(), dotted.as_str()),
        ("a/b", "a//b"),
    ] {
        let bytes = tar_of(&[(first, INDEX.1), (second, INDEX.1), ("index.json", INDEX.1)]);
        let error = open(&bytes).unwrap_err();
        assert!(matches!(error, BundleError::Duplicate { .. }), "{error}");
    }
}

#[test]
fn sizes_that_overflow() {
    for size in [u64::MAX, u64::MAX - 511, i64::MAX as u64, 1 << 40] {
        let mut bytes = landfall_oci::tar::encode("x", size);
        bytes.extend(tar_of(&[INDEX]));
        match open(&bytes).unwrap_err() {
            BundleError::UnsafeEntry { .. } => assert!(size > 1 << 40),
            BundleError::Truncated { expected, .. } => assert_eq!(expected, 512 + size),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn documents_too_large_are_not_read() {
    let dir = scratch();
    let path = dir.path().join("huge.tar");
    let size: u64 = 10 << 30;
    std::fs::write(&path, landfall_oci::tar::encode("index.json", size)).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(512 + size + 1024).unwrap();
    let error = Bundle::open(&path).unwrap_err();
    assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
}

#[test]
fn extensions_too_large_are_not_read() {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(8 << 20);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(512 + (8 << 20), b'x');
    bytes.extend(tar_of(&[INDEX]));
    assert!(unsafe_reason(&bytes).contains("absurd"));
}

#[test]
fn damaged_headers_are_placed() {
    let world = world();
    let mut bytes = world.expected();
    let at = world.layout().entries()[5].header;
    bytes[usize::try_from(at).unwrap() + 3] ^= 1;
    match open(&bytes).unwrap_err() {
        BundleError::Damaged { offset, source, .. } => {
            assert_eq!((offset, source), (at, HeaderError::Checksum))
        }
        other => panic!("{other}"),
    }
    // Data after the end: one reader would see it, another would not.
    let mut bytes = world.expected();
    let end = bytes.len() - 512;
    bytes[end] = 1;
    assert!(matches!(open(&bytes).unwrap_err(), BundleError::Damaged { .. }));
}

#[test]
fn manifests_that_are_not_what_their_name_says() {
    let world = world();
    let dir = scratch();
    let path = dir.path().join("b.tar");
    let root = world.images[0].root.digest;
    let mut bytes = world.expected();
    let at = usize::try_from(world.layout().extent_of(&root).unwrap().offset).unwrap();
    bytes[at + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    match bundle.manifest(&root).unwrap_err() {
        BundleError::WrongDigest { expected, found, .. } => assert!(*expected == root && *found != root),
        other => panic!("{other}"),
    }
    let layer = world
        .blobs
        .iter()
        .find(|(_, (bytes, _))| bytes.len() == 3000)
        .unwrap()
        .0;
    assert!(matches!(
        bundle.manifest(layer),
        Err(BundleError::Manifest { .. })
    ));
}

#[test]
fn random_bytes_never_panic() {
    let dir = scratch();
    let path = dir.path().join("noise");
    let world = world().expected();
    for seed in 0..300 {
        let mut bytes = world.clone();
        for (at, byte) in noise(seed, 24)
            .chunks_exact(3)
            .map(|three| (three[0] as usize * 256 + three[1] as usize, three[2]))
        {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        let _ = Bundle::open(Path::new(&path))
            .map(|bundle| bundle.referrers(&landfall_oci::Digest::Sha256([0; 32])));
    }
}

#[test]
fn cve_2024_3727_links_in_a_directory() {
    let dir = scratch();
    std::fs::write(dir.path().join("real.json"), INDEX.1).unwrap();
    std::os::unix::fs::symlink("real.json", dir.path().join("index.json")).unwrap();
    assert!(Bundle::open(dir.path()).is_err());
    std::fs::remove_file(dir.path().join("index.json")).unwrap();
    std::fs::write(dir.path().join("index.json"), INDEX.1).unwrap();
    let blobs = dir.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", blobs.join("a".repeat(64))).unwrap();
    assert!(matches!(
        Bundle::open(dir.path()),
        Err(BundleError::UnsafeEntry { .. })
    ));
}
