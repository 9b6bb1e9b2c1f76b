//! The tree of a pattern, with the figures by which Go limits patterns: height, size of the compiled program, number
//! of copies of the innermost thing.

use regex_syntax::hir::{ClassUnicode, Look};

/// One part of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Levels of nesting, this one included.
    pub(super) height: u32,
    /// Instructions of the compiled program, as Go estimates them.
    pub(super) size: u64,
    /// Copies of the innermost thing that counted repetitions make.
    pub(super) copies: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Empty,
    /// A character by its number: a surrogate is allowed and matches nothing.
    Literal {
        code: u32,
        fold: bool,
    },
    /// Case folding is already in it.
    Class(ClassUnicode),
    Look(Look),
    Repeat {
        min: u32,
        max: Option<u32>,
        greedy: bool,
        sub: Box<Node>,
    },
    Capture {
        index: u32,
        sub: Box<Node>,
    },
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
}

impl Node {
    pub(super) fn leaf(kind: Kind) -> Self {
        Self {
            kind,
            height: 1,
            size: 1,
            copies: 1,
        }
    }

    pub(super) fn repeat(sub: Self, min: u32, max: Option<u32>, greedy: bool) -> Self {
        let one = sub.size;
        let size = match (min, max) {
            (0, None) => one + 2,
            (_, None) => one.saturating_mul(min.into()) + 1,
            (_, Some(max)) => one.saturating_mul(max.into()) + u64::from(max.saturating_sub(min)),
        };
        let copies = match max {
            Some(0) => 1,
            max => max.unwrap_or(min).max(1).saturating_mul(sub.copies),
        };
        let height = sub.height + 1;
        Self {
            kind: Kind::Repeat {
                min,
                max,
                greedy,
                sub: Box::new(sub),
            },
            height,
            size: size.max(1),
            copies,
        }
    }

    pub(super) fn capture(index: u32, sub: Self) -> Self {
        let (height, size, copies) = (sub.height + 1, sub.size.saturating_add(2), sub.copies);
        Self {
            kind: Kind::Capture {
                index,
                sub: Box::new(sub),
            },
            height,
            size,
            copies,
        }
    }

    /// One after the other. A sequence in a sequence is dissolved, as Go does: brackets alone do not nest.
    pub(super) fn concat(items: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::new();
        for item in items {
            match item.kind {
                Kind::Concat(inner) if flat.is_empty() => flat = inner,
                Kind::Concat(inner) => flat.extend(inner),
                _ => flat.push(item),
            }
        }
        // Go keeps neighbouring characters as one string.
        let folds = |node: &Self| match node.kind {
            Kind::Literal { fold, .. } => Some(fold),
            _ => None,
        };
        let string = flat
            .first()
            .and_then(folds)
            .is_some_and(|f| flat.iter().all(|n| folds(n) == Some(f)));
        Self::join(flat, if string { 0 } else { 1 }, 0, Kind::Concat)
    }

    /// One or the other. A choice in a choice is dissolved.
    pub(super) fn alternate(items: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::new();
        for item in items {
            match item.kind {
                Kind::Alternate(inner) if flat.is_empty() => flat = inner,
                Kind::Alternate(inner) => flat.extend(inner),
                _ => flat.push(item),
            }
        }
        let forks = flat.len().saturating_sub(1) as u64;
        Self::join(flat, 1, forks, Kind::Alternate)
    }

    fn join(mut items: Vec<Self>, level: u32, extra: u64, kind: fn(Vec<Self>) -> Kind) -> Self {
        match items.len() {
            0 => Self::leaf(Kind::Empty),
            1 => items.swap_remove(0),
            _ => {
                let height = level + items.iter().map(|n| n.height).max().unwrap_or(0);
                let size = items
                    .iter()
                    .fold(extra, |sum, n| sum.saturating_add(n.size))
                    .max(1);
                let copies = items.iter().map(|n| n.copies).max().unwrap_or(1);
                Self {
                    kind: kind(items),
                    height,
                    size,
                    copies,
                }
            }
        }
    }
}
