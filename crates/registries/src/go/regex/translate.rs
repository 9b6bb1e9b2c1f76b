//! From the tree of a Go pattern to the engine: leftmost-first search over UTF-8, with bounded memory.

use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, Repetition};

use super::error::{RegexError, too_much};
use super::node::{Kind, Node};
use super::unicode;

/// Deeper trees are not walked. Go goes down to 1000; nobody's rule has 20.
const MAX_HEIGHT: u32 = 250;
/// Bytes of a compiled pattern.
const MAX_PROGRAM: usize = 2 << 20;

/// The engine of a pattern.
pub(super) fn engine(pattern: &str, hir: &Hir) -> Result<meta::Regex, RegexError> {
    let config = meta::Config::new()
        .nfa_size_limit(Some(MAX_PROGRAM))
        .hybrid_cache_capacity(MAX_PROGRAM)
        // Patterns are many and names are short: building these costs more than they ever save.
        .dfa(false)
        .onepass(false);
    meta::Builder::new()
        .configure(config)
        .build_from_hir(hir)
        .map_err(|_| too_much(pattern, "it needs more than 2 MiB when compiled"))
}

/// A pattern's states, for walking through all texts that it finds. No groups in it.
pub(super) fn states(hir: &Hir) -> Option<thompson::NFA> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(thompson::WhichCaptures::None)
        .nfa_size_limit(Some(MAX_PROGRAM));
    thompson::Compiler::new()
        .configure(config)
        .build_from_hir(hir)
        .ok()
}

/// The tree in the engine's form. With an alphabet, for texts that have no other characters.
pub(super) fn hir(pattern: &str, node: &Node, alphabet: Option<&ClassUnicode>) -> Result<Hir, RegexError> {
    if node.height > MAX_HEIGHT {
        return Err(too_much(pattern, "it nests more than 250 levels deep"));
    }
    Ok(translate(node, alphabet))
}

fn translate(node: &Node, alphabet: Option<&ClassUnicode>) -> Hir {
    match &node.kind {
        Kind::Empty => Hir::empty(),
        Kind::Literal { code, fold } => literal(*code, *fold, alphabet),
        Kind::Class(set) => class(set.clone(), alphabet),
        Kind::Look(look) => Hir::look(*look),
        Kind::Repeat {
            min,
            max,
            greedy,
            sub,
        } => Hir::repetition(Repetition {
            min: *min,
            max: *max,
            greedy: *greedy,
            sub: Box::new(translate(sub, alphabet)),
        }),
        Kind::Capture { index, sub } => Hir::capture(Capture {
            index: *index,
            // Two groups may have one name in Go, so names are kept apart from the engine.
            name: None,
            sub: Box::new(translate(sub, alphabet)),
        }),
        Kind::Concat(items) => Hir::concat(items.iter().map(|item| translate(item, alphabet)).collect()),
        Kind::Alternate(items) => Hir::alternation(items.iter().map(|i| translate(i, alphabet)).collect()),
    }
}

fn literal(code: u32, fold: bool, alphabet: Option<&ClassUnicode>) -> Hir {
    // A surrogate is in no text.
    let Some(c) = char::from_u32(code) else {
        return Hir::fail();
    };
    let one = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    class(if fold { unicode::fold(&one) } else { one }, alphabet)
}

fn class(mut set: ClassUnicode, alphabet: Option<&ClassUnicode>) -> Hir {
    if let Some(alphabet) = alphabet {
        set.intersect(alphabet);
    }
    Hir::class(Class::Unicode(set))
}
