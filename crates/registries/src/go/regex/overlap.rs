//! Whether two rules want the same repository. K3s keeps rules in a map without order and takes the first one that
//! changes the name: where two rules change one name differently, each pull is decided by chance.

use std::ops::ControlFlow;

use super::GoRegex;
use super::walk::walk;

/// How many common repositories are tried when looking for one that two rules change differently.
const TRIES: usize = 500;
/// How often the search may pass through the same states to find more of them.
const VISITS: u8 = 8;

/// Whether there is a repository that is found by all patterns in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// There is none: proven.
    Disjoint,
    /// A shortest one.
    Repository(String),
    /// It could not be decided.
    Unknown(&'static str),
}

/// What two rules do to one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// No repository is found by both: proven.
    Disjoint,
    /// Both find this one, but none was seen that both change and change differently.
    Agree {
        /// A shortest repository that both find.
        repository: String,
    },
    /// Both change it, to different names: the node picks one by chance.
    Differ {
        /// The repository.
        repository: String,
        /// What the first rule makes of it.
        first: String,
        /// What the second rule makes of it.
        second: String,
    },
    /// It could not be decided.
    Unknown(&'static str),
}

/// A shortest repository that the pattern finds; `Disjoint`: it can never find any.
#[must_use]
pub fn witness(regex: &GoRegex) -> Overlap {
    first_of(&[regex])
}

/// A shortest repository that both patterns find.
#[must_use]
pub fn overlap(first: &GoRegex, second: &GoRegex) -> Overlap {
    first_of(&[first, second])
}

fn first_of(regexes: &[&GoRegex]) -> Overlap {
    match walk(regexes, 1, |name| ControlFlow::Break(name.to_owned())) {
        Ok(Some(name)) => Overlap::Repository(name),
        Ok(None) => Overlap::Disjoint,
        Err(why) => Overlap::Unknown(why),
    }
}

/// Whether two rules, each a pattern and its replacement, leave a repository to chance.
#[must_use]
pub fn conflict(first: (&GoRegex, &str), second: (&GoRegex, &str)) -> Conflict {
    let repository = match overlap(first.0, second.0) {
        Overlap::Repository(repository) => repository,
        Overlap::Disjoint => return Conflict::Disjoint,
        Overlap::Unknown(why) => return Conflict::Unknown(why),
    };
    let mut tries = 0;
    let differing = walk(&[first.0, second.0], VISITS, |name| {
        tries += 1;
        let (one, two) = (
            first.0.replace_all(name, first.1),
            second.0.replace_all(name, second.1),
        );
        if one != name && two != name && one != two {
            return ControlFlow::Break(Some((name.to_owned(), one, two)));
        }
        if tries < TRIES {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(None)
        }
    });
    match differing {
        Ok(Some(Some((repository, first, second)))) => Conflict::Differ {
            repository,
            first,
            second,
        },
        // A search that was given up has still seen a repository that both find.
        _ => Conflict::Agree { repository },
    }
}
