//! A sorted set of names that takes little more room than what tells them apart.
//!
//! Names lie in blocks, in order; within a block each is written as how many bytes it shares with the one before,
//! how many follow, and those. A change rewrites one block, a page reads as many blocks as it has names for.

/// Bytes at which a block is divided: small enough that a change is cheap, large enough that what a block costs
/// besides its names does not count.
const MAX_BLOCK: usize = 1024;
/// What a block takes besides its bytes: its place in the list, and what the allocator keeps.
const BLOCK_COST: usize = 32;

/// A set of names of at most 255 bytes each, in byte order.
#[derive(Debug, Default)]
pub(super) struct Names {
    blocks: Vec<Box<[u8]>>,
    bytes: usize,
}

/// A name too long to be kept; no tag and no repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Names {
    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.blocks.len() * BLOCK_COST
    }

    /// Adds a name, if it is not there.
    pub(super) fn insert(&mut self, name: &str) -> Result<(), TooLong> {
        if name.len() > usize::from(u8::MAX) {
            return Err(TooLong);
        }
        let Some(at) = self.block_of(name) else {
            let mut block = Vec::new();
            push(&mut block, b"", name.as_bytes());
            self.put(0..0, [block]);
            return Ok(());
        };
        let gap = gap(&self.blocks[at], name.as_bytes());
        if gap.found {
            return Ok(());
        }
        let block = respell(&self.blocks[at], &gap, Some(name.as_bytes()));
        if block.len() <= MAX_BLOCK {
            self.put(at..at + 1, [block]);
        } else {
            self.put(at..at + 1, divide(&block));
        }
        Ok(())
    }

    /// Takes a name out, if it is there.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(at) = self.block_of(name) else {
            return;
        };
        let gap = gap(&self.blocks[at], name.as_bytes());
        if gap.found {
            let block = respell(&self.blocks[at], &gap, None);
            self.put(at..at + 1, Some(block).filter(|block| !block.is_empty()));
        }
    }

    /// The first `limit` names behind `after`, and whether there are more.
    pub(super) fn after(&self, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
        let start = after.and_then(|after| self.block_of(after)).unwrap_or_default();
        let mut found = Vec::new();
        for block in &self.blocks[start..] {
            let mut reader = Reader::new(block);
            while reader.advance() {
                let name = String::from_utf8_lossy(&reader.name);
                if after.is_some_and(|after| *name <= *after) {
                    continue;
                }
                if found.len() == limit {
                    return (found, true);
                }
                found.push(name.into_owned());
            }
        }
        (found, false)
    }

    /// The block in which the name is, or would be. `None` when there are no blocks.
    fn block_of(&self, name: &str) -> Option<usize> {
        let behind = self
            .blocks
            .partition_point(|block| first_name(block) <= name.as_bytes());
        (!self.blocks.is_empty()).then(|| behind.saturating_sub(1))
    }

    fn put(&mut self, place: std::ops::Range<usize>, blocks: impl IntoIterator<Item = Vec<u8>>) {
        self.bytes -= self.blocks[place.clone()]
            .iter()
            .map(|block| block.len())
            .sum::<usize>();
        let new: Vec<Box<[u8]>> = blocks.into_iter().map(Vec::into_boxed_slice).collect();
        self.bytes += new.iter().map(|block| block.len()).sum::<usize>();
        self.blocks.splice(place, new);
    }
}

/// Reads the names of a block, one behind the other.
struct Reader<'a> {
    rest: &'a [u8],
    name: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(block: &'a [u8]) -> Self {
        Self {
            rest: block,
            name: Vec::new(),
        }
    }

    /// Goes to the next name; false at the end.
    fn advance(&mut self) -> bool {
        let [shared, own, rest @ ..] = self.rest else {
            return false;
        };
        let (own, rest) = rest.split_at(usize::from(*own));
        self.name.truncate(usize::from(*shared));
        self.name.extend_from_slice(own);
        self.rest = rest;
        true
    }
}

/// Where a name is in a block, or would be.
struct Gap {
    found: bool,
    /// The name before it; empty at the beginning.
    before: Vec<u8>,
    /// Where the name's own bytes begin.
    start: usize,
    /// The name behind it, and where that one's bytes end.
    behind: Option<(Vec<u8>, usize)>,
}

fn gap(block: &[u8], name: &[u8]) -> Gap {
    let mut reader = Reader::new(block);
    let mut gap = Gap {
        found: false,
        before: Vec::new(),
        start: 0,
        behind: None,
    };
    while reader.advance() {
        let end = block.len() - reader.rest.len();
        if *reader.name > *name {
            gap.behind = Some((reader.name, end));
            break;
        }
        if *reader.name == *name {
            gap.found = true;
            continue;
        }
        gap.before.clone_from(&reader.name);
        gap.start = end;
    }
    gap
}

/// The block with `name` in the gap, or with nothing there. Only the name behind the gap is spelt anew.
fn respell(block: &[u8], gap: &Gap, name: Option<&[u8]>) -> Vec<u8> {
    let mut new = Vec::with_capacity(block.len() + name.map_or(0, <[u8]>::len) + 4);
    new.extend_from_slice(&block[..gap.start]);
    let mut before = gap.before.as_slice();
    if let Some(name) = name {
        push(&mut new, before, name);
        before = name;
    }
    if let Some((behind, end)) = &gap.behind {
        push(&mut new, before, behind);
        new.extend_from_slice(&block[*end..]);
    }
    new
}

fn divide(block: &[u8]) -> [Vec<u8>; 2] {
    let mut halves = [Vec::new(), Vec::new()];
    let mut reader = Reader::new(block);
    let mut before = [Vec::new(), Vec::new()];
    while reader.advance() {
        let half = usize::from(block.len() - reader.rest.len() > block.len() / 2);
        push(&mut halves[half], &before[half], &reader.name);
        before[half].clone_from(&reader.name);
    }
    halves
}

/// Writes a name behind another. Both have at most 255 bytes.
fn push(block: &mut Vec<u8>, before: &[u8], name: &[u8]) {
    let shared = before.iter().zip(name).take_while(|(a, b)| a == b).count();
    let own = &name[shared..];
    block.push(u8::try_from(shared).unwrap_or(u8::MAX));
    block.push(u8::try_from(own.len()).unwrap_or(u8::MAX));
    block.extend_from_slice(own);
}

/// The first name of a block, which shares nothing.
fn first_name(block: &[u8]) -> &[u8] {
    match block {
        [_, own, rest @ ..] => &rest[..usize::from(*own)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn page(set: &BTreeSet<String>, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
        let behind = |name: &&String| after.is_none_or(|after| name.as_str() > after);
        let mut found: Vec<_> = set.iter().filter(behind).take(limit + 1).cloned().collect();
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(
            changes in prop::collection::vec((any::<bool>(), "[ab]{0,3}[0-9]{0,3}(x{0,250})?"), 0..400),
            after in prop::option::of("[ab]{0,3}[0-9]{0,2}"),
            limit in 0..50_usize,
        ) {
            let (mut names, mut set) = (Names::default(), BTreeSet::new());
            for (adds, name) in changes {
                if name.len() > 255 {
                    prop_assert_eq!(names.insert(&name), Err(TooLong));
                } else if adds {
                    names.insert(&name).unwrap();
                    set.insert(name);
                } else {
                    names.remove(&name);
                    set.remove(&name);
                }
            }
            prop_assert_eq!(names.after(None, usize::MAX - 1), page(&set, None, usize::MAX - 1));
            prop_assert_eq!(names.after(after.as_deref(), limit), page(&set, after.as_deref(), limit));
            let held: usize = names.blocks.iter().map(|block| block.len()).sum();
            prop_assert_eq!(names.bytes, held);
        }
    }

    #[test]
    fn a_tag_takes_a_dozen_bytes() {
        let mut names = Names::default();
        // In an order that has nothing to do with theirs, as a folder gives them.
        for number in 0..100_000_u32 {
            let number = number.wrapping_mul(7919) % 100_000;
            names
                .insert(&format!("v1.{}.{}-build.{number}", number % 30, number % 7))
                .unwrap();
        }
        assert_eq!(names.after(None, usize::MAX).0.len(), 100_000);
        assert!(names.bytes() < 100_000 * 13, "{}", names.bytes());
    }
}
