//! Archives made to harm, and archives that were cut: a clear error, and nothing left behind (each test's bench looks).

use std::io::Write;

use landfall_bundle::BundleError;
use serde_json::json;

use super::{Archive, Bench, config, gzip, layer, sha256};
use crate::support::noise;

/// Noise behind the manifest, so that every cut falls into an entry.
fn archive() -> Vec<u8> {
    let tar = layer("x", &noise(1, 9000));
    let config = config("amd64", &[&tar]);
    Archive::default()
        .file("c.json", &config)
        .json(
            "manifest.json",
            &json!([{"Config": "c.json", "RepoTags": ["a/b:1"], "Layers": ["l/layer.tar"]}]),
        )
        .file("l/layer.tar", &tar)
        .file("noise", &noise(2, 9000))
        .done()
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) -> BundleError {
    let bench = Bench::new();
    let path = bench.write("archive", bytes);
    let error = bench.open(&path).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(words) && text.contains(path.to_str().unwrap()),
        "{text}"
    );
    error
}

#[test]
fn cut_anywhere() {
    let plain = archive();
    assert!(Bench::new().open_bytes(&plain).is_ok());
    let zstd = zstd::encode_all(&plain[..], 3).unwrap();
    for (bytes, step) in [(plain.clone(), 512), (gzip(&plain), 700), (zstd, 700)] {
        for cut in (600..bytes.len() - 600).step_by(step) {
            let bench = Bench::new();
            let error = bench.open_bytes(&bytes[..cut]).unwrap_err();
            assert!(error.is_damage(), "{cut}: {error}");
            assert!(error.to_string().contains("again"), "{cut}: {error}");
        }
    }
    // The stream's own checksum, behind the end of the archive.
    let mut bytes = gzip(&plain);
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    refused(&bytes, "damaged");
}

#[test]
fn names_and_links_that_lead_out() {
    let with = |archive: Archive| gzip(&[archive.open_end(), self::archive()].concat());
    refused(&with(Archive::default().file("../x", b"x")), "leads out");
    refused(&with(Archive::default().file("/etc/passwd", b"x")), "absolute");
    refused(
        &with(Archive::default().symlink("l/x", "../../etc/passwd")),
        "link out",
    );
    refused(
        &with(Archive::default().symlink("l/x", "/etc/passwd")),
        "link out",
    );
    refused(
        &with(Archive::default().link(tar::EntryType::Link, "l/x", "../x")),
        "link out",
    );
    refused(
        &with(Archive::default().link(tar::EntryType::Fifo, "l/x", "")),
        "neither a file",
    );
    // Round and round: the layer is simply not there.
    let round = Archive::default().symlink("a", "b").symlink("b", "a");
    let bytes = round.file("c", &config("amd64", &[&layer("x", b"x")]));
    let list = json!([{"Config": "c", "RepoTags": ["a/b:1"], "Layers": ["a"]}]);
    let bundle = Bench::new()
        .open_bytes(&gzip(&bytes.json("manifest.json", &list).done()))
        .unwrap();
    assert!(bundle.refused()[0].reason.contains("not in the archive"));
}

#[test]
fn one_name_twice() {
    let with =
        |name: &str, bytes: &[u8]| [Archive::default().file(name, bytes).open_end(), archive()].concat();
    for bytes in [
        with("noise", b"x"),
        with("./manifest.json", b"[]"),
        with("l//layer.tar", b"x"),
    ] {
        let error = refused(&gzip(&bytes), "there twice");
        assert!(matches!(error, BundleError::Duplicate { .. }));
        refused(&bytes, "there twice");
    }
    // The same bytes twice are no question.
    assert!(
        Bench::new()
            .open_bytes(&gzip(&with("noise", &noise(2, 9000))))
            .is_ok()
    );
}

#[test]
fn documents_of_absurd_size_are_not_read() {
    for name in ["manifest.json", "index.json", "sub/index.json"] {
        let header = landfall_oci::tar::encode(name, 1 << 30);
        let error = refused(&gzip(&header), "at most");
        assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn sizes_beyond_the_disk_are_refused_before_they_are_read() {
    for size in [1 << 50, u64::MAX, i64::MAX as u64] {
        let mut bytes = landfall_oci::tar::encode("blob", size);
        bytes.extend([b'x'; 4096]);
        let error = Bench::new().open_bytes(&gzip(&bytes)).unwrap_err();
        let is_right = matches!(
            error,
            BundleError::SpoolFull { .. } | BundleError::UnsafeEntry { .. }
        );
        assert!(is_right, "{error}");
        if let BundleError::SpoolFull { .. } = error {
            assert!(error.to_string().contains("--spool"), "{error}");
        }
    }
}

#[test]
fn a_bomb_ends_by_what_it_grows_to() {
    // Ten terabytes of zeros, of which a zstd frame needs few bytes; the header says so honestly.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder
        .write_all(&landfall_oci::tar::encode("layer.tar", 10 << 40))
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..5 << 10 {
        encoder.write_all(&zeros).unwrap();
    }
    let bytes = encoder.finish().unwrap();
    let bench = Bench::new();
    let path = bench.write("archive", &bytes);
    // To look reads all of it and keeps nothing.
    let error = landfall_bundle::foreign::look(&path, &bench.workshop()).unwrap_err();
    assert!(error.to_string().contains("made to fill a disk"), "{error}");
}

#[test]
fn more_entries_than_anything_has() {
    let bytes = landfall_oci::tar::encode_directory("x/").repeat(4096);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..257 {
        encoder.write_all(&bytes).unwrap();
    }
    refused(&encoder.finish().unwrap(), "more than a million");
}

#[test]
fn wrong_digests_in_a_compressed_layout_are_found() {
    let bench = Bench::new();
    let blob = format!("blobs/sha256/{}", sha256(b"right").hex());
    let archive = Archive::default().file(&blob, b"wrong").json(
        "index.json",
        &json!({"schemaVersion": 2, "manifests": [{
            "mediaType": landfall_oci::MediaType::OCI_MANIFEST, "digest": sha256(b"right"), "size": 5,
            "annotations": {"io.containerd.image.name": "docker.io/a/b:1"},
        }]}),
    );
    let bundle = bench.open_bytes(&gzip(&archive.done())).unwrap();
    assert!(matches!(
        bundle.manifest(&sha256(b"right")),
        Err(BundleError::WrongDigest { .. })
    ));
}

#[test]
fn random_damage_never_panics() {
    let bench = Bench::new();
    let plain = archive();
    for seed in 0..200 {
        let mut bytes = plain.clone();
        for three in noise(seed, 24).chunks_exact(3) {
            let at = (usize::from(three[0]) * 256 + usize::from(three[1])) % bytes.len();
            bytes[at] = three[2];
        }
        let _ = bench.open_bytes(&bytes);
        let _ = bench.open_bytes(&zstd::encode_all(&bytes[..], 1).unwrap());
    }
}
