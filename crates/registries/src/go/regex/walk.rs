//! Walks through all repositories that several patterns find together, shortest first: the product of their automata
//! and of the grammar of repository names.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::{GoRegex, translate};

/// What a repository's path may be; its length is counted while walking.
const GRAMMAR: &str = "^[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*)*$";
const MAX_NAME: u8 = 255;
/// In the order in which a reader likes them.
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz/0123456789-._";
/// Bounds of one automaton and of the walk.
const MAX_AUTOMATON: usize = 1 << 20;
const MAX_BUILD: usize = 8 << 20;
const MAX_STEPS: usize = 40_000;

/// Why a walk says nothing certain.
pub(super) const TOO_MANY_STATES: &str = "the pattern has too many states to be searched";
pub(super) const TOO_MANY_STEPS: &str = "the search was given up after 40000 steps";

struct Automata(Vec<dense::DFA<Vec<u32>>>);

/// Where one automaton stands: `None` once its pattern has been found.
type Place = Option<StateID>;

struct Step {
    places: Vec<Place>,
    parent: usize,
    byte: u8,
    length: u8,
}

fn automaton(regex: &GoRegex) -> Option<dense::DFA<Vec<u32>>> {
    static LETTERS: LazyLock<ClassUnicode> = LazyLock::new(|| {
        ClassUnicode::new(
            ALPHABET
                .iter()
                .map(|b| ClassUnicodeRange::new(char::from(*b), char::from(*b))),
        )
    });
    let hir = translate::hir(&regex.pattern, &regex.parsed.node, Some(&LETTERS)).ok()?;
    // Without this, what can no longer match at the start would be walked for ever.
    let anchored = hir.properties().look_set_prefix().contains(Look::Start);
    let config = dense::Config::new()
        .start_kind(if anchored {
            StartKind::Anchored
        } else {
            StartKind::Unanchored
        })
        .accelerate(false)
        .dfa_size_limit(Some(MAX_AUTOMATON))
        .determinize_size_limit(Some(MAX_BUILD));
    dense::Builder::new()
        .configure(config)
        .build_from_nfa(&translate::states(&hir)?)
        .ok()
}

impl Automata {
    fn new(regexes: &[&GoRegex]) -> Option<Self> {
        static NAMES: LazyLock<Option<dense::DFA<Vec<u32>>>> =
            LazyLock::new(|| GoRegex::compile(GRAMMAR).ok().as_ref().and_then(automaton));
        let mut all = vec![NAMES.clone()?];
        for regex in regexes {
            all.push(automaton(regex)?);
        }
        Some(Self(all))
    }

    /// Where everything stands before the first byte. `None`: nothing can be found any more.
    fn start(&self) -> Option<Vec<Place>> {
        let place = |dfa: &dense::DFA<Vec<u32>>| {
            let anchored = if dfa.start_kind() == StartKind::Anchored {
                Anchored::Yes
            } else {
                Anchored::No
            };
            let state = dfa.start_state_forward(&Input::new("").anchored(anchored)).ok()?;
            Self::place(dfa, state)
        };
        self.0.iter().map(place).collect()
    }

    fn place(dfa: &dense::DFA<Vec<u32>>, state: StateID) -> Option<Place> {
        match state {
            state if dfa.is_match_state(state) => Some(None),
            state if dfa.is_dead_state(state) || dfa.is_quit_state(state) => None,
            state => Some(Some(state)),
        }
    }

    fn after(&self, places: &[Place], byte: u8) -> Option<Vec<Place>> {
        let next = |(dfa, place): (&dense::DFA<Vec<u32>>, &Place)| match place {
            None => Some(None),
            Some(state) => Self::place(dfa, dfa.next_state(*state, byte)),
        };
        self.0.iter().zip(places).map(next).collect()
    }

    fn accepts(&self, places: &[Place]) -> bool {
        let found = |(dfa, place): (&dense::DFA<Vec<u32>>, &Place)| {
            place.is_none_or(|state| dfa.is_match_state(dfa.next_eoi_state(state)))
        };
        self.0.iter().zip(places).all(found)
    }
}

/// Shows repositories that all patterns find, shortest first, until told to stop. Each combination of states is
/// visited up to `visits` times: with one visit the first repository is a shortest one, and none means there is none;
/// more visits show more of them. `Some` tells what the visitor found.
///
/// # Errors
/// Why nothing certain can be said.
pub(super) fn walk<T>(
    regexes: &[&GoRegex],
    visits: u8,
    mut visit: impl FnMut(&str) -> ControlFlow<T>,
) -> Result<Option<T>, &'static str> {
    let automata = Automata::new(regexes).ok_or(TOO_MANY_STATES)?;
    let Some(start) = automata.start() else {
        return Ok(None);
    };
    let mut seen: HashMap<Vec<Place>, u8> = HashMap::new();
    let mut steps = vec![Step {
        places: start,
        parent: 0,
        byte: 0,
        length: 0,
    }];
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        if automata.accepts(&step.places)
            && let ControlFlow::Break(found) = visit(&name(&steps, at))
        {
            return Ok(Some(found));
        }
        let length = step.length;
        for &byte in ALPHABET.iter().filter(|_| length < MAX_NAME) {
            let Some(places) = automata.after(&steps[at].places, byte) else {
                continue;
            };
            let count = seen.entry(places.clone()).or_insert(0);
            if *count < visits {
                *count += 1;
                steps.push(Step {
                    places,
                    parent: at,
                    byte,
                    length: length + 1,
                });
            }
        }
        at += 1;
        if at > MAX_STEPS {
            return Err(TOO_MANY_STEPS);
        }
    }
    Ok(None)
}

/// The bytes on the way to a step.
fn name(steps: &[Step], mut at: usize) -> String {
    let mut bytes = Vec::new();
    while let Some(step) = steps.get(at).filter(|step| step.length > 0) {
        bytes.push(char::from(step.byte));
        at = step.parent;
    }
    bytes.iter().rev().collect()
}
