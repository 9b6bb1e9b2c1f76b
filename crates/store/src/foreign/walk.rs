//! The repositories of a foreign tree, a page at a time. Every folder whose name can be part of a repository's is gone
//! through; no link is followed.

use std::ops::ControlFlow;

use landfall_oci::{Algorithm, Repository};

use super::folders;
use crate::nested::walk;
use crate::{Beneath, Listing, Page, StoreError};

/// The page of those names for which `is_one` says yes.
pub(super) fn page(
    root: &Beneath,
    page: Page<'_>,
    is_one: &dyn Fn(&Repository) -> Result<bool, StoreError>,
) -> Result<Listing<Repository>, StoreError> {
    let mut items = Vec::new();
    let names = |prefix: &str, take: &mut dyn FnMut(&str)| names(root, prefix, take);
    let flow = walk(&names, page.after, &mut |repository| {
        if !is_one(&repository)? {
            return Ok(ControlFlow::Continue(()));
        }
        if items.len() == page.limit {
            return Ok(ControlFlow::Break(()));
        }
        items.push(repository);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Listing {
        items,
        more: flow.is_break(),
    })
}

/// The folders below a prefix whose names can be part of a repository's.
fn names(root: &Beneath, prefix: &str, take: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
    for name in folders(root, prefix)? {
        let name = name?;
        // `_manifests` and `.uploads` are the programs' own; anything else that is no name is somebody's mistake.
        if name.starts_with(['_', '.']) || holds_blobs(prefix, &name) {
            continue;
        }
        let full = format!("{prefix}{name}");
        match full.parse::<Repository>() {
            Ok(_) => take(&name),
            Err(_) => {
                tracing::warn!(path = %root.join(&full).display(), "is not the name of a repository: left out");
            }
        }
    }
    Ok(())
}

/// `blobs/sha256` of a layout: thousands of files, not a repository.
fn holds_blobs(prefix: &str, name: &str) -> bool {
    (prefix == "blobs/" || prefix.ends_with("/blobs/"))
        && Algorithm::ALL.iter().any(|algorithm| algorithm.as_str() == name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_come_in_byte_order_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "a/b",
            "a/b/_tags",
            "a-b",
            "a.b/c",
            "a0",
            "b/a/a",
            "Nope",
            "a/blobs/sha256/x",
            "a/.up",
        ] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("file"), "").unwrap();
        symlink(root.join("a"), root.join("link")).unwrap();
        let beneath = Beneath::new(root).unwrap();
        let list = |after, limit| {
            let found = page(&beneath, Page { after, limit }, &|_| Ok(true)).unwrap();
            let names: Vec<_> = found.items.iter().map(Repository::to_string).collect();
            (names, found.more)
        };
        let (all, more) = list(None, 100);
        assert!(!more);
        assert_eq!(
            all,
            [
                "a", "a-b", "a.b", "a.b/c", "a/b", "a/blobs", "a0", "b", "b/a", "b/a/a"
            ]
        );
        for (position, name) in all.iter().enumerate() {
            assert_eq!(list(Some(name), 100).0, all[position + 1..]);
        }
        assert_eq!(list(Some("a/"), 2), (vec!["a/b".into(), "a/blobs".into()], true));
    }
}
