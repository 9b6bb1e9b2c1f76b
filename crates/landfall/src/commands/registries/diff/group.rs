//! Images with the same change, told together: a list of hundreds has few different ones.

use landfall_oci::Reference;
use landfall_registries::containerd::LogLine;
use landfall_registries::diff::{Difference, Pull, compare};

use super::super::configuration::Configured;

/// Which program pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Containerd,
    Wharfie,
}

/// Images with one change.
pub(super) struct Group {
    pub(super) by: By,
    /// Of the first image; those of the others are the same but for the repositories.
    pub(super) difference: Difference,
    /// What is logged now and was not before: often the cause.
    pub(super) logged: Vec<LogLine>,
    pub(super) images: Vec<Reference>,
}

/// All changes of a list.
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    /// How many images there are.
    pub(super) of: usize,
}

impl Groups {
    pub(super) fn new(of: usize) -> Self {
        Self { all: Vec::new(), of }
    }

    /// Images that are pulled differently by any program.
    pub(super) fn differing(&self) -> usize {
        let images = self.all.iter().flat_map(|group| &group.images);
        images.collect::<std::collections::HashSet<_>>().len()
    }

    /// Compares one image and puts it to its like.
    pub(super) fn put(&mut self, by: By, image: &Reference, old: &Configured, new: &Configured) {
        let ((before, known), (after, log)) = (pull(by, image, old), pull(by, image, new));
        let Some(difference) = compare(&before, &after) else {
            return;
        };
        let logged: Vec<LogLine> = log
            .into_iter()
            .filter(|line| known.iter().all(|other| other.text != line.text))
            .collect();
        let like = self.all.iter_mut().find(|group| {
            group.by == by && group.difference.changes == difference.changes && group.logged == logged
        });
        match like {
            Some(group) => group.images.push(image.clone()),
            None => self.all.push(Group {
                by,
                difference,
                logged,
                images: vec![image.clone()],
            }),
        }
    }
}

fn pull(by: By, image: &Reference, configured: &Configured) -> (Pull, Vec<LogLine>) {
    if by == By::Wharfie
        && let Some(wharfie) = configured.wharfie()
    {
        let told = wharfie.explain(image);
        return (Pull::by_wharfie(&told, image), told.log);
    }
    let told = configured.explain(image);
    (Pull::by_containerd(&told, image), told.log)
}
