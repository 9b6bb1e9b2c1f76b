//! Listings in byte order, a page at a time, from directories that come in no order.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use landfall_oci::Repository;

use super::Inner;
use super::index::{NamePage, Take, has_manifests};
use super::publish::if_present;
use crate::nested::{self, Visit};
use crate::smallest::Smallest;
use crate::{Listing, Page, StoreError};

/// Folders and catalogs with fewer entries are read as they are.
const SMALL: usize = 256;

impl Inner {
    /// The first `limit` names of a folder behind `after`, and whether there are more. A folder that is not there is
    /// empty.
    pub(super) fn names_in(
        &self,
        folder: &Path,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamePage, StoreError> {
        let indexes = self.publisher.disk().indexes();
        if let Some(page) = indexes.page(folder, after, limit) {
            return Ok(page);
        }
        // A large folder is read once, for its index, and not once more for the page.
        if is_large(folder)? {
            indexes.build(folder, |take| each_name(folder, take))?;
            if let Some(page) = indexes.page(folder, after, limit) {
                return Ok(page);
            }
        }
        names_after(folder, after, limit)
    }

    /// The repositories that hold a manifest.
    pub(super) fn list_repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        let indexes = self.publisher.disk().indexes();
        let catalog = indexes.catalog();
        if let Some((names, more)) = indexes.page(&catalog, page.after, page.limit) {
            let items = names.iter().filter_map(|name| name.parse().ok()).collect();
            return Ok(Listing { items, more });
        }
        let mut items = Vec::new();
        let flow = self.each_repository(page.after, &mut |repository| {
            if items.len() == page.limit {
                return ControlFlow::Break(());
            }
            items.push(repository);
            ControlFlow::Continue(())
        })?;
        let more = flow.is_break();
        if more || items.len() > SMALL {
            let scan = |take: &mut Take<'_>| {
                let scan = self.each_repository(None, &mut |repository| take(repository.as_str()));
                scan.map(|_| ())
            };
            indexes.build(&catalog, scan)?;
        }
        Ok(Listing { items, more })
    }

    fn each_repository(
        &self,
        after: Option<&str>,
        take: &mut dyn FnMut(Repository) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        walk(&self.layout.repositories(), after, &mut |repository| {
            let folder = self.layout.repository(&repository);
            match has_manifests(&folder).map_err(StoreError::io("list", &folder))? {
                true => Ok(take(repository)),
                false => Ok(ControlFlow::Continue(())),
            }
        })
    }
}

/// Whether an index is worth its making; reads no more than that takes.
fn is_large(folder: &Path) -> Result<bool, StoreError> {
    let mut seen = 0;
    each_name(folder, &mut |_| {
        seen += 1;
        match seen > SMALL {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(seen > SMALL)
}

/// A page of a folder, which is read from its first name to its last. Memory is that of the page, whatever the folder holds.
pub(super) fn names_after(folder: &Path, after: Option<&str>, limit: usize) -> Result<NamePage, StoreError> {
    let mut smallest = Smallest::new(after, limit);
    each_name(folder, &mut |name| {
        smallest.offer(name);
        ControlFlow::Continue(())
    })?;
    Ok(smallest.finish())
}

/// The names of a folder, in no order.
fn each_name(folder: &Path, take: &mut Take<'_>) -> Result<(), StoreError> {
    let Some(entries) = if_present(fs::read_dir(folder), "list", folder)? else {
        return Ok(());
    };
    for entry in entries {
        let name = entry.map_err(StoreError::io("list", folder))?.file_name();
        if name.to_str().is_some_and(|name| take(name).is_break()) {
            break;
        }
    }
    Ok(())
}

/// Walks the repositories behind `after` in byte order of their full names, until `visit` breaks.
pub(super) fn walk(
    root: &Path,
    after: Option<&str>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let names = |prefix: &str, take: &mut dyn FnMut(&str)| {
        each_name(&root.join(prefix), &mut |name| {
            // What begins with `_` is a record of the repository above.
            if !name.starts_with('_') && name.parse::<Repository>().is_ok() {
                take(name);
            }
            ControlFlow::Continue(())
        })
    };
    nested::walk(&names, after, visit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(root: &Path, after: Option<&str>, limit: usize) -> Vec<String> {
        let mut found = Vec::new();
        let _ = walk(root, after, &mut |repository| {
            found.push(repository.to_string());
            Ok(match found.len() == limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })
        .unwrap();
        found
    }

    #[test]
    fn a_page_is_the_smallest_names_behind_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["c", "a", "e", "b", "d"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let page = |after, limit| names_after(folder.path(), after, limit).unwrap();
        assert_eq!(page(None, 2), (vec!["a".into(), "b".into()], true));
        assert_eq!(
            page(Some("b"), 3),
            (vec!["c".into(), "d".into(), "e".into()], false)
        );
        assert_eq!(page(Some("bb"), 1), (vec!["c".into()], true));
        assert_eq!(page(None, 0), (vec![], true));
        assert_eq!(page(Some("e"), 9), (vec![], false));
    }

    #[test]
    fn repositories_come_in_byte_order_of_their_full_names() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/b", "a/b/_tags", "a-b", "a.b/c", "a0", "b/a/a", "Nope"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let all = collect(root.path(), None, usize::MAX);
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(all, sorted);
        assert_eq!(
            all,
            ["a", "a-b", "a.b", "a.b/c", "a/b", "a0", "b", "b/a", "b/a/a"]
        );
        for (position, name) in all.iter().enumerate() {
            assert_eq!(collect(root.path(), Some(name), usize::MAX), all[position + 1..]);
        }
        assert_eq!(collect(root.path(), Some("a/"), 2), ["a/b", "a0"]);
    }
}
