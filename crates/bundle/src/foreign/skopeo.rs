//! Folders that skopeo writes: one image (`dir:`), or a tree of them whose paths are their names (`skopeo sync`).

use std::collections::VecDeque;
use std::fs::DirEntry;
use std::io;
use std::path::Path;

use landfall_oci::{Algorithm, Descriptor, Digest, Reference};

use super::pieces::Pieces;
use crate::reader::{self, Piece};
use crate::{Bundle, BundleError};

const MAX_DEPTH: usize = 16;

/// Makes a bundle of a folder of skopeo's; `None` when it is none.
pub(super) fn bundle(root: &Path) -> Result<Option<Bundle>, BundleError> {
    let mut pieces = Pieces::new(root, None)?;
    let mut folders = VecDeque::from([(String::new(), 0)]);
    let mut is_any = false;
    while let Some((folder, depth)) = folders.pop_front() {
        if is_image(root, &folder) {
            is_any = true;
            image(&mut pieces, root, &folder)?;
            continue;
        }
        if depth == MAX_DEPTH {
            continue;
        }
        let mut below: Vec<_> = list(root, &folder)?
            .into_iter()
            .filter(is_folder)
            .filter_map(text)
            .collect();
        below.sort();
        folders.extend(below.into_iter().map(|name| (join(&folder, &name), depth + 1)));
    }
    match is_any {
        true => pieces.finish().map(Some),
        false => Ok(None),
    }
}

fn is_image(root: &Path, folder: &str) -> bool {
    let has = |name: &str| {
        root.join(folder)
            .join(name)
            .symlink_metadata()
            .is_ok_and(|stat| stat.is_file())
    };
    has("manifest.json") && has("version")
}

fn image(pieces: &mut Pieces, root: &Path, folder: &str) -> Result<(), BundleError> {
    for entry in list(root, folder)? {
        let stat = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(BundleError::io("examine", &entry.path()))?,
        };
        if let Some(name) = text(entry)
            && let Some(digest) = digest_of(&name)
            && stat.is_file()
        {
            pieces
                .blobs
                .insert(digest, Piece::File(join(folder, &name).into(), stat.len()));
        }
    }
    let root_manifest = manifest(pieces, root, &join(folder, "manifest.json"));
    let name = match folder {
        "" => root
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default(),
        folder => folder,
    };
    // What has neither tag nor digest is the name of somebody's folder.
    let is_name = name
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains([':', '@']));
    let reference = Reference::parse(name).ok().filter(|_| is_name);
    let name = match (&reference, &root_manifest) {
        (None, Ok(root)) if folder.is_empty() => root.digest.to_string(),
        _ => name.to_owned(),
    };
    pieces.add(name, reference, root_manifest);
    Ok(())
}

/// The image's own manifest, whose file does not have its digest for a name.
fn manifest(pieces: &mut Pieces, root: &Path, name: &str) -> Result<Descriptor, String> {
    let extent = reader::folder_extent(root, name).map_err(|error| error.to_string())?;
    let extent = extent.ok_or("its manifest.json cannot be opened")?;
    if extent.len > landfall_oci::MAX_MANIFEST_BYTES as u64 {
        return Err(format!("its manifest.json has {} bytes", extent.len));
    }
    let bytes = reader::read_all(&extent).map_err(|error| error.to_string())?;
    let digest = landfall_hash::digest(Algorithm::Sha256, &bytes);
    pieces.blobs.insert(digest, Piece::File(name.into(), extent.len));
    Ok(pieces.manifest(&digest)?.descriptor())
}

/// `<hex>`, `<algorithm>-<hex>`, and `<hex>.manifest.json` for the members of an index.
fn digest_of(name: &str) -> Option<Digest> {
    let name = name.strip_suffix(".manifest.json").unwrap_or(name);
    match name.split_once('-') {
        Some((algorithm, hex)) => format!("{algorithm}:{hex}").parse().ok(),
        None => format!("sha256:{name}").parse().ok(),
    }
}

fn list(root: &Path, folder: &str) -> Result<Vec<DirEntry>, BundleError> {
    let path = root.join(folder);
    let entries = std::fs::read_dir(&path).and_then(Iterator::collect);
    entries.map_err(BundleError::io("list", &path))
}

/// Links are not followed.
fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

fn text(entry: DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}
