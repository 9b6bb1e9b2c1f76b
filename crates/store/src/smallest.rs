//! The first few of many, in order, in the memory of the few.

use std::collections::BinaryHeap;

/// Keeps the `limit` smallest of what is offered, behind a mark.
pub(crate) struct Smallest<'a> {
    after: Option<&'a str>,
    limit: usize,
    kept: BinaryHeap<String>,
    more: bool,
}

impl<'a> Smallest<'a> {
    pub(crate) fn new(after: Option<&'a str>, limit: usize) -> Self {
        Self {
            after,
            limit,
            kept: BinaryHeap::new(),
            more: false,
        }
    }

    pub(crate) fn offer(&mut self, name: &str) {
        if self.after.is_some_and(|after| name <= after) {
            return;
        }
        if self.kept.len() < self.limit {
            self.kept.push(name.to_owned());
            return;
        }
        self.more = true;
        if let Some(mut largest) = self.kept.peek_mut()
            && name < largest.as_str()
        {
            name.clone_into(&mut largest);
        }
    }

    /// What was kept, sorted, and whether something was left out.
    pub(crate) fn finish(self) -> (Vec<String>, bool) {
        (self.kept.into_sorted_vec(), self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_smallest_behind_the_mark() {
        let page = |after, limit| {
            let mut smallest = Smallest::new(after, limit);
            for name in ["c", "a", "e", "b", "d"] {
                smallest.offer(name);
            }
            smallest.finish()
        };
        assert_eq!(page(None, 2), (vec!["a".into(), "b".into()], true));
        assert_eq!(
            page(Some("b"), 3),
            (vec!["c".into(), "d".into(), "e".into()], false)
        );
        assert_eq!(page(Some("bb"), 1), (vec!["c".into()], true));
        assert_eq!(page(None, 0), (vec![], true));
        assert_eq!(page(Some("e"), 9), (vec![], false));
    }
}
