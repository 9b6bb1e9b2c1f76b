//! What may be wrong with a rule that Go accepts: groups that do not exist, a pattern that matches in the middle of a
//! name, results that are no repository.

use std::ops::{ControlFlow, Range};

use landfall_oci::Repository;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::node::{Kind, Node};
use super::replace::{Piece, meant, pieces};
use super::walk::walk;
use super::{GoRegex, translate};

/// How many repositories are tried to find bad results.
const TRIES: usize = 300;
const VISITS: u8 = 4;

/// A reference in a replacement to a group that the pattern has not: it stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingGroup {
    /// Bytes of the replacement.
    pub range: Range<usize>,
    /// The name that Go looks for, as `1_x` in `$1_x`.
    pub name: String,
    /// What was probably meant, as `${1}_x`.
    pub instead: Option<String>,
}

/// References of the replacement to groups that do not exist.
#[must_use]
pub fn missing_groups(regex: &GoRegex, replacement: &str) -> Vec<MissingGroup> {
    let names = regex.groups();
    let missing = |piece: Piece<'_>| match piece {
        Piece::Group { name, braced, range } if meant(name, names).is_empty() => Some(MissingGroup {
            range,
            name: name.to_owned(),
            instead: if braced { None } else { split(name, names) },
        }),
        _ => None,
    };
    pieces(replacement).into_iter().filter_map(missing).collect()
}

/// The longest beginning of a name that is a group, in braces, and the rest behind it.
fn split(name: &str, names: &[Option<String>]) -> Option<String> {
    let ends = name.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    let (head, tail) = ends
        .map(|at| name.split_at(at))
        .rfind(|(head, _)| !meant(head, names).is_empty())?;
    Some(format!("${{{head}}}{tail}"))
}

/// Where a pattern is tied to the ends of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchors {
    /// Every match begins at the start: `^`, or anything goes before (`.*`).
    pub start: bool,
    /// Every match ends at the end: `$`, or anything goes behind.
    pub end: bool,
}

/// Whether a pattern is tied to start and end. One that is not finds its text in the middle of other names.
#[must_use]
pub fn anchors(regex: &GoRegex) -> Anchors {
    let Ok(hir) = translate::hir(&regex.pattern, &regex.parsed.node, None) else {
        return Anchors {
            start: false,
            end: false,
        };
    };
    let (prefix, suffix) = (
        hir.properties().look_set_prefix(),
        hir.properties().look_set_suffix(),
    );
    Anchors {
        start: prefix.contains(Look::Start) || anything(&regex.parsed.node, Side::Start),
        end: suffix.contains(Look::End) || anything(&regex.parsed.node, Side::End),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// Whether the outermost part at one side is a `.*`.
fn anything(node: &Node, side: Side) -> bool {
    match &node.kind {
        // At the end a lazy one takes nothing; at the start it takes all that is needed.
        Kind::Repeat {
            min: 0,
            max: None,
            greedy,
            sub,
        } => match &sub.kind {
            Kind::Class(set) => (*greedy || side == Side::Start) && all_of_a_name(set),
            _ => false,
        },
        Kind::Capture { sub, .. } => anything(sub, side),
        Kind::Concat(items) => {
            let outermost = if side == Side::Start {
                items.first()
            } else {
                items.last()
            };
            outermost.is_some_and(|item| anything(item, side))
        }
        Kind::Alternate(items) => items.iter().all(|item| anything(item, side)),
        _ => false,
    }
}

fn all_of_a_name(set: &ClassUnicode) -> bool {
    let spans = [('-', '9'), ('_', '_'), ('a', 'z')].map(|(a, b)| ClassUnicodeRange::new(a, b));
    let mut missing = ClassUnicode::new(spans);
    missing.difference(set);
    missing.ranges().is_empty()
}

/// What is wrong with the result of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadResult {
    /// Nothing is left.
    Empty,
    /// It begins with `/`: the request works, but the scope of its token is wrong.
    LeadingSlash,
    /// It has capitals, which no registry has.
    UpperCase,
    /// It is no repository's name for another reason.
    Invalid,
}

/// A repository for which a rule gives a bad result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadExample {
    /// What is wrong.
    pub what: BadResult,
    /// The repository.
    pub repository: String,
    /// What the rule makes of it.
    pub result: String,
}

/// Bad results that a rule may give, with one example each. Found by trying the shortest repositories that the
/// pattern finds: an empty answer is no proof.
#[must_use]
pub fn bad_results(regex: &GoRegex, replacement: &str) -> Vec<BadExample> {
    let mut found: Vec<BadExample> = Vec::new();
    let mut tries = 0;
    // A search that was given up has still shown what it found.
    let _ = walk(&[regex], VISITS, |repository| {
        tries += 1;
        let result = regex.replace_all(repository, replacement);
        if result != repository
            && let Some(what) = judge(&result)
            && found.iter().all(|known| known.what != what)
        {
            found.push(BadExample {
                what,
                repository: repository.to_owned(),
                result,
            });
        }
        if tries < TRIES {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    found
}

/// What is wrong with the result of a rule; `None` for one that can be a repository.
#[must_use]
pub fn judge(result: &str) -> Option<BadResult> {
    match result {
        "" => Some(BadResult::Empty),
        _ if result.starts_with('/') => Some(BadResult::LeadingSlash),
        _ if result.chars().any(char::is_uppercase) => Some(BadResult::UpperCase),
        _ if result.parse::<Repository>().is_err() => Some(BadResult::Invalid),
        _ => None,
    }
}
