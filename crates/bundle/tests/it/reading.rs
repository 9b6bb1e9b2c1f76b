//! Opening: our bundles, other tools' layouts, and what is cut short or something else altogether.

use std::path::Path;
use std::time::{Duration, Instant};

use landfall_bundle::{Bundle, BundleError};
use landfall_oci::Digest;
use serde_json::json;

use crate::support::{scratch, tar_of, world};

const OCI_LAYOUT: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
const EMPTY_INDEX: (&str, &[u8]) = ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);

fn refusal(path: &Path, bytes: &[u8]) -> BundleError {
    std::fs::write(path, bytes).unwrap();
    Bundle::open(path).unwrap_err()
}

#[test]
fn everything_written_is_read_back() {
    let (dir, world) = (scratch(), world());
    let bundle = Bundle::open(&world.write(&dir.path().join("b.tar"))).unwrap();
    assert_eq!(bundle.images().len(), 3);
    assert_eq!(bundle.blobs().len(), world.blobs.len() + world.manifests.len());
    for (digest, (bytes, _)) in &world.blobs {
        let extent = bundle.blob(digest).unwrap();
        assert_eq!(&extent.read_at(0, bytes.len()).unwrap()[..], bytes);
        assert!(bundle.contains(digest));
        assert_eq!(bundle.size_of(digest), Some(bytes.len() as u64));
    }
    for (digest, manifest) in &world.manifests {
        assert_eq!(bundle.manifest(digest).unwrap(), *manifest);
    }
    let nothing = Digest::Sha256([0; 32]);
    assert!(!bundle.contains(&nothing) && bundle.blob(&nothing).is_none());
    assert!(matches!(
        bundle.manifest(&nothing),
        Err(BundleError::NotInBundle { .. })
    ));
    let found = bundle.image(&"busybox:1.36".parse().unwrap()).unwrap().unwrap();
    assert_eq!(found.digest, world.images[0].root.digest);
}

#[test]
fn entries_in_any_order_with_dots_and_directories() {
    let (dir, world) = (scratch(), world());
    let ours = world.write(&dir.path().join("b.tar"));
    let unpacked = dir.path().join("unpacked");
    tar::Archive::new(std::fs::File::open(&ours).unwrap())
        .unpack(&unpacked)
        .unwrap();
    // As GNU tar or a Go program would pack the directory: `./`, directory entries, no order of ours.
    let path = dir.path().join("theirs.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
    builder.append_dir_all("./", &unpacked).unwrap();
    builder.into_inner().unwrap();
    let (first, second) = (Bundle::open(&ours).unwrap(), Bundle::open(&path).unwrap());
    assert_eq!(first.blobs(), second.blobs());
    assert_eq!(first.images(), second.images());
    let third = Bundle::open(&unpacked).unwrap();
    assert_eq!(first.blobs(), third.blobs());
    assert_eq!(first.images(), third.images());
    for (digest, _) in first.blobs() {
        let read = |bundle: &Bundle| {
            let extent = bundle.blob(&digest).unwrap();
            extent.read_at(0, usize::try_from(extent.len).unwrap()).unwrap()
        };
        assert_eq!(read(&first), read(&second));
        assert_eq!(read(&first), read(&third));
    }
}

#[test]
fn long_names_of_gnu_and_pax_are_read() {
    let dir = scratch();
    let bytes = b"sixty-four bytes of digest";
    let digest = landfall_hash::digest(landfall_oci::Algorithm::Sha512, bytes);
    let name = format!("./blobs/sha512/{}", digest.hex());
    let path = dir.path().join("long.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&path).unwrap());
    for (name, bytes) in [(name.as_str(), &bytes[..]), EMPTY_INDEX] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    builder
        .append_pax_extensions([("comment", &b"nothing to see"[..])])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    builder.append_data(&mut header, "last", &b""[..]).unwrap();
    builder.into_inner().unwrap();
    assert_eq!(
        Bundle::open(&path).unwrap().blobs(),
        [(digest, bytes.len() as u64)]
    );
}

#[test]
fn every_truncation_is_seen_and_placed() {
    let (dir, world) = (scratch(), world());
    let whole = std::fs::read(world.write(&dir.path().join("b.tar"))).unwrap();
    let layout = world.layout();
    let mut cuts: Vec<u64> = (1..whole.len() as u64 / 512).map(|block| block * 512).collect();
    for entry in layout.entries() {
        let end = entry.content.offset + entry.content.len;
        cuts.extend([
            entry.header + 1,
            entry.header + 511,
            end,
            end.saturating_sub(1),
            end + 1,
        ]);
    }
    let path = dir.path().join("cut.tar");
    for cut in cuts {
        if cut >= whole.len() as u64 {
            continue;
        }
        std::fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
        let opened = Bundle::open(&path);
        if cut == layout.total() - 512 {
            // One of the two blocks of zeros: nothing is lost, every reader takes it.
            assert!(opened.is_ok());
            continue;
        }
        match opened.unwrap_err() {
            BundleError::Truncated {
                entry,
                expected,
                actual,
                ..
            } => {
                assert_eq!(actual, cut);
                assert!(expected > cut);
                let inside = layout.entries().iter().find(|entry| {
                    (entry.content.offset..entry.content.offset + entry.content.len).contains(&cut)
                });
                assert_eq!(
                    entry,
                    inside.map_or("end of archive", |entry| entry.name.as_str())
                );
            }
            BundleError::NotABundle { .. } => assert!(cut < 512),
            other => panic!("cut at {cut}: {other}"),
        }
    }
}

#[test]
fn other_files_are_named() {
    let dir = scratch();
    let path = dir.path().join("x");
    let missing = Bundle::open(&dir.path().join("nothing")).unwrap_err();
    assert!(matches!(missing, BundleError::NotFound { .. }));
    for (magic, name) in [
        (&b"\x1f\x8b\x08"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh9", "bzip2"),
    ] {
        let mut bytes = magic.to_vec();
        bytes.resize(5000, 1);
        match refusal(&path, &bytes) {
            BundleError::Compressed { kind, .. } => assert_eq!(kind, name),
            other => panic!("{other}"),
        }
    }
    for (bytes, words) in [
        (&b""[..], "empty"),
        (b"docker.io/library/busybox:1.36\n", "neither a tar"),
        (&[7; 4096], "neither a tar"),
        (&tar_of(&[("notes.txt", b"x")]), "no index.json"),
        (&tar_of(&[OCI_LAYOUT]), "without its index.json"),
        (
            &tar_of(&[("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#), EMPTY_INDEX]),
            "version 2.0.0",
        ),
    ] {
        let error = refusal(&path, bytes);
        assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let archive = tar_of(&[("manifest.json", b"[]"), ("abc.json", b"{}")]);
    assert!(matches!(
        refusal(&path, &archive),
        BundleError::DockerArchive { .. }
    ));
    let newer = json!({"version": 2}).to_string();
    let newer = tar_of(&[OCI_LAYOUT, EMPTY_INDEX, ("landfall.json", newer.as_bytes())]);
    assert!(matches!(
        refusal(&path, &newer),
        BundleError::NewerFormat { version: 2, .. }
    ));
    let broken = tar_of(&[("index.json", b"{\"schemaVersion\":")]);
    assert!(matches!(refusal(&path, &broken), BundleError::Json { .. }));
    assert!(matches!(
        Bundle::open(Path::new("/dev/null")),
        Err(BundleError::NotABundle { .. })
    ));
    assert!(matches!(
        Bundle::open(dir.path()),
        Err(BundleError::NotABundle { .. })
    ));
}

#[test]
fn a_layout_without_its_marker_is_read() {
    let dir = scratch();
    let path = dir.path().join("b.tar");
    std::fs::write(&path, tar_of(&[EMPTY_INDEX])).unwrap();
    assert!(Bundle::open(&path).unwrap().info().is_none());
}

#[test]
fn fifty_thousand_entries_open_at_once() {
    let dir = scratch();
    let path = dir.path().join("many.tar");
    let names: Vec<String> = (0..50_000_u32)
        .map(|number| {
            let digest = landfall_hash::digest(landfall_oci::Algorithm::Sha256, &number.to_le_bytes());
            format!("blobs/sha256/{}", digest.hex())
        })
        .collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    files.push(EMPTY_INDEX);
    std::fs::write(&path, tar_of(&files)).unwrap();
    let start = Instant::now();
    assert_eq!(Bundle::open(&path).unwrap().blobs().len(), 50_000);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}
