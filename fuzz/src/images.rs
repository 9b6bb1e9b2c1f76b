//! Names, lists, manifests and files of images.

use std::cell::OnceCell;
use std::path::PathBuf;

use bytes::Bytes;
use landfall_bundle::{Bundle, BundleStore};
use landfall_images::List;
use landfall_images::chart::{Chart, Given};
use landfall_images::manifests::{Manifests, Origin};
use landfall_oci::tar;
use landfall_oci::{
    Digest, MediaType, Platform, RawManifest, Reference, ReferenceError, Repository, Tag, View,
};

use crate::text;

/// Names, tags, digests, platforms.
pub fn reference(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(reference) = Reference::parse(text) {
        assert_eq!(
            Reference::parse(&reference.to_string()).as_ref(),
            Ok(&reference),
            "{reference}"
        );
        // As Docker shows it: never another image, though perhaps (64 hexadecimal digits) none.
        let familiar = reference.familiar();
        match Reference::parse(&familiar) {
            Err(ReferenceError::HexId { .. }) => {}
            read => assert_eq!(read.as_ref(), Ok(&reference), "{familiar}"),
        }
        safe(reference.repository().as_str());
    }
    if let Ok(repository) = text.parse::<Repository>() {
        assert_eq!(repository.as_str(), text);
        safe(text);
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert_eq!(tag.as_str(), text);
        assert!(!text.starts_with('.') && !text.contains('/') && text.len() <= 128);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
        assert!(digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().as_ref(), Ok(&platform));
    }
}

/// Names become paths: nothing in them leads anywhere else.
fn safe(name: &str) {
    assert!(
        name.len() <= 255 && !name.starts_with('/') && !name.contains(['\\', '\0']),
        "{name}"
    );
    assert!(
        name.split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.')),
        "{name}"
    );
}

/// Lists of images, in whichever encoding.
pub fn list(data: &[u8]) {
    let list = match List::parse_bytes(data) {
        Ok(list) => list,
        Err(at) => return assert!(at <= data.len()),
    };
    for note in &list.notes {
        assert!(note.line >= 1 && note.line <= data.len() + 1, "{note}");
    }
    let names: Vec<String> = list
        .entries
        .iter()
        .map(|entry| entry.reference.to_string())
        .collect();
    let again = List::parse(&names.join("\n"));
    assert_eq!(again.errors().count(), 0, "{names:?}");
    let read: Vec<String> = again
        .entries
        .iter()
        .map(|entry| entry.reference.to_string())
        .collect();
    assert_eq!(read, names);
}

/// Manifests and indexes: the first byte says as what they were sent.
pub fn manifest(data: &[u8]) {
    let Some((sent_as, bytes)) = data.split_first() else {
        return;
    };
    let kinds = MediaType::MANIFESTS;
    let sent_as = kinds.get(usize::from(*sent_as));
    let bytes = Bytes::copy_from_slice(bytes);
    let digest = Digest::Sha256([0; 32]);
    let Ok(manifest) = RawManifest::new(sent_as, digest, bytes.clone()) else {
        return;
    };
    assert_eq!(manifest.bytes, bytes);
    assert!(manifest.media_type.is_manifest());
    // Never two things at once, and told the same way again.
    let again = RawManifest::new(Some(&manifest.media_type), digest, bytes).expect("it was read before");
    assert_eq!(again, manifest);
    let view = manifest.view().expect("checked by new");
    assert_eq!(matches!(view, View::Index(_)), manifest.media_type.is_index());
    assert!(view.children().is_empty() || view.blobs().next().is_none());
    for descriptor in view.children().iter().chain(view.blobs()).chain(view.subject()) {
        let json = serde_json::to_vec(descriptor).expect("it was read from JSON");
        let read: landfall_oci::Descriptor = serde_json::from_slice(&json).expect("we wrote it");
        assert_eq!(read, *descriptor);
    }
}

const BLOCK_LEN: usize = tar::BLOCK as usize;

thread_local! {
    /// The file that takes the place of a bundle: in memory, where there is such a place.
    static FILE: OnceCell<(tempfile::TempDir, PathBuf)> = const { OnceCell::new() };
}

/// Bundles: the tar's headers, its documents, and what a registry makes of them. A byte before each header that has no
/// right checksum would make all of them useless, so the checksums are put right first.
pub fn tar_index(data: &[u8]) {
    for block in data.chunks_exact(BLOCK_LEN) {
        decode(block.try_into().expect("of this length"));
    }
    let _ = tar::decode_pax(data);
    let mut bytes = data.to_vec();
    for block in bytes
        .chunks_exact_mut(BLOCK_LEN)
        .filter(|block| block[257..262] == *b"ustar")
    {
        seal(block);
    }
    FILE.with(|file| {
        let (_, path) = file.get_or_init(|| {
            let memory = std::path::Path::new("/dev/shm");
            let folder = if memory.is_dir() {
                tempfile::tempdir_in(memory)
            } else {
                tempfile::tempdir()
            };
            let folder = folder.expect("a folder for one file");
            let path = folder.path().join("bundle.tar");
            (folder, path)
        });
        std::fs::write(path, &bytes).expect("room for one small file");
        let Ok(bundle) = Bundle::open(path) else { return };
        for (digest, size) in bundle.blobs() {
            let extent = bundle.blob(&digest).expect("it is listed");
            assert_eq!(extent.len, size);
            let end = extent.offset.checked_add(extent.len).expect("within a file");
            assert!(
                end <= bytes.len() as u64,
                "{digest} ends at {end} of {}",
                bytes.len()
            );
            if let Ok(manifest) = bundle.manifest(&digest) {
                assert_eq!(landfall_hash::digest(digest.algorithm(), &manifest.bytes), digest);
            }
        }
        let _ = BundleStore::new(bundle.clone());
        for repository in bundle.repositories() {
            safe(repository.as_str());
            for tag in bundle.tags(&repository, None).unwrap_or_default() {
                let target = landfall_oci::Target::Tag(tag);
                assert!(bundle.resolve(&repository, None, &target).is_some());
            }
        }
    });
}

fn decode(block: &[u8; BLOCK_LEN]) {
    if let Ok(Some(header)) = tar::decode(block)
        && header.kind == tar::Kind::File
        && header.name.len() <= 100
        && header.size < 1 << 33
        && !header.name.contains('\0')
    {
        let encoded = tar::encode(&header.name, header.size);
        let again = encoded
            .first_chunk()
            .map(tar::decode)
            .expect("a header is a block long");
        let again = again.expect("we wrote it").expect("not zeros");
        assert_eq!((again.name, again.size), (header.name, header.size));
    }
}

/// Puts a header's checksum right.
pub(crate) fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Kubernetes objects; and the same bytes as the values and the template of a chart.
pub fn manifests(data: &[u8]) {
    let mut manifests = Manifests::new("fuzz");
    manifests.read("fuzz.yaml", data, Origin::File);
    let (gathered, _) = manifests.finish();
    for (text, wanted) in gathered.iter() {
        let read = Reference::parse(text).map(Reference::with_default_tag);
        assert_eq!(read.as_ref(), Ok(&wanted.reference), "{text}");
        assert!(!text.contains("{{") && !text.contains("$("), "{text}");
    }
    let files = [
        ("Chart.yaml", b"name: fuzz\nversion: 1.0.0\nappVersion: 2.0.0\n".as_slice()),
        ("templates/fuzz.yaml", data),
        ("values.yaml", data),
    ];
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).into();
    let chart = Chart::from_files("fuzz", &files).expect("its Chart.yaml is good");
    let (gathered, _) = chart.scan(&Given::default()).expect("nothing was given");
    for (text, wanted) in gathered.iter() {
        let read = Reference::parse(text).map(Reference::with_default_tag);
        assert_eq!(read.as_ref(), Ok(&wanted.reference), "{text}");
    }
}
