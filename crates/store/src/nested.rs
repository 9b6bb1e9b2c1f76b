//! Repositories in byte order of their full names, from nested folders that come in no order.
//!
//! `a-b` sorts between `a` and `a/b`, so a folder's own name and what lies below it are two entries.

use std::ops::ControlFlow;

use landfall_oci::Repository;

use crate::StoreError;

/// Told of a repository; a break ends the walk.
pub(crate) type Visit<'a> = dyn FnMut(Repository) -> Result<ControlFlow<()>, StoreError> + 'a;
/// Gives the names below a prefix (empty, or ending with `/`) that can be part of a repository's.
pub(crate) type Names<'a> = dyn Fn(&str, &mut dyn FnMut(&str)) -> Result<(), StoreError> + 'a;

/// Walks the repositories behind `after` until `visit` breaks.
pub(crate) fn walk(
    names: &Names<'_>,
    after: Option<&str>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    descend(names, "", after, visit)
}

fn descend(
    names: &Names<'_>,
    prefix: &str,
    after: Option<&str>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut steps = Vec::new();
    names(prefix, &mut |name| {
        let full = format!("{prefix}{name}");
        let below = format!("{full}/");
        // A subtree that ends before the page begins need not be opened.
        if after.is_none_or(|after| after < below.as_str() || after.starts_with(&below)) {
            steps.push(below);
        }
        if after.is_none_or(|after| full.as_str() > after) {
            steps.push(full);
        }
    })?;
    steps.sort_unstable();
    for step in steps {
        let flow = match step.parse() {
            Ok(repository) => visit(repository)?,
            Err(_) if step.ends_with('/') => descend(names, &step, after, visit)?,
            // Longer than a name may be.
            Err(_) => ControlFlow::Continue(()),
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}
