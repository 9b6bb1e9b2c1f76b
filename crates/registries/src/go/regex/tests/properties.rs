//! What holds for every pattern.

use landfall_oci::Repository;
use proptest::prelude::*;

use super::super::*;

/// Pieces of patterns, good and bad.
const PIECES: &[&str] = &[
    "a",
    "b",
    "rancher",
    "/",
    "-",
    ".",
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "(?:",
    "(?P<n>",
    "(?i)",
    "(?U)",
    "(?m:",
    "[",
    "]",
    "^",
    "$",
    "{2}",
    "{0,1}",
    "{,2}",
    "{",
    "}",
    "\\.",
    "\\d",
    "\\w",
    "\\W",
    "\\b",
    "\\z",
    "\\A",
    "\\Q",
    "\\E",
    "\\x41",
    "\\141",
    "\\-",
    "\\]",
    "\\[",
    "\\^",
    "\\{",
    "\\}",
    "\\|",
    "[^\\d]",
    "[\\w.-]",
    "[\\W\\]]",
    "[a\\-z]",
    "[\\[:x]",
    ":]",
    "[[:alpha:]\\.]",
    "\\pN",
    "é",
    "\\x{e9}",
    "_",
    "1",
    ",",
];

fn pattern() -> impl Strategy<Value = String> {
    let pieces =
        prop::collection::vec(prop::sample::select(PIECES), 0..10).prop_map(|pieces| pieces.concat());
    let anything = prop::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter);
    prop_oneof![4 => pieces, 1 => anything]
}

fn text() -> impl Strategy<Value = String> {
    let letters = prop::sample::select("abAk/-._:[]{}1x,é\u{212a}^\\n".chars().collect::<Vec<_>>());
    prop::collection::vec(letters, 0..12).prop_map(String::from_iter)
}

fn repository() -> impl Strategy<Value = String> {
    let letters = prop::sample::select("abxn19/-._".chars().collect::<Vec<_>>());
    let names = prop::collection::vec(letters, 1..10).prop_map(String::from_iter);
    names.prop_filter("no repository", |name: &String| {
        name.parse::<Repository>().is_ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_error_points_into_the_pattern(pattern in pattern()) {
        if let Err(error) = GoRegex::compile(&pattern) {
            prop_assert!(pattern.get(error.span.clone()).is_some());
            prop_assert!(!error.by_go || error.message.starts_with("error parsing regexp: "));
            prop_assert!(!error.advice.is_empty());
        }
    }

    #[test]
    fn the_whole_match_for_itself_changes_nothing(pattern in pattern(), text in text()) {
        if let Ok(regex) = GoRegex::compile(&pattern) {
            prop_assert_eq!(regex.replace_all(&text, "$0"), text.clone());
            prop_assert_eq!(regex.replace_all(&text, "x$$") == text, !regex.is_match(&text));
        }
    }

    #[test]
    fn quoted_text_is_replaced_as_text(needle in text(), text in text()) {
        prop_assume!(!needle.is_empty() && !needle.contains('\\'));
        let regex = GoRegex::compile(&format!("\\Q{needle}\\E")).unwrap();
        prop_assert_eq!(regex.replace_all(&text, "<>"), text.replace(&needle, "<>"));
    }

    #[test]
    fn without_backslashes_is_the_same_pattern(pattern in pattern(), texts in prop::collection::vec(text(), 4)) {
        if let Ok(other) = without_backslashes(&pattern) {
            prop_assert!(!needs_escape(&other));
            let (one, two) = (GoRegex::compile(&pattern), GoRegex::compile(&other));
            if let Ok(one) = one {
                let two = two.unwrap();
                prop_assert_eq!(one.groups(), two.groups());
                for text in texts {
                    let result = |regex: &GoRegex| regex.replace_all(&text, "<$0|$1|$n>");
                    prop_assert_eq!(result(&one), result(&two), "{} {}", pattern, other);
                }
            }
        }
    }

    #[test]
    fn a_common_repository_is_found_by_both(one in pattern(), two in pattern(), names in prop::collection::vec(repository(), 4)) {
        let (Ok(one), Ok(two)) = (GoRegex::compile(&one), GoRegex::compile(&two)) else { return Ok(()) };
        match overlap(&one, &two) {
            Overlap::Repository(name) => {
                prop_assert!(name.parse::<Repository>().is_ok(), "{name}");
                prop_assert!(one.is_match(&name) && two.is_match(&name), "{name}");
            }
            Overlap::Disjoint => for name in names {
                prop_assert!(!(one.is_match(&name) && two.is_match(&name)), "{name}");
            },
            Overlap::Unknown(_) => {}
        }
    }

    #[test]
    fn a_conflict_is_real(one in pattern(), two in pattern()) {
        let (Ok(one), Ok(two)) = (GoRegex::compile(&one), GoRegex::compile(&two)) else { return Ok(()) };
        if let Conflict::Differ { repository, first, second } = conflict((&one, "p/$0"), (&two, "$1q")) {
            prop_assert_eq!(one.replace_all(&repository, "p/$0"), first.clone());
            prop_assert_eq!(two.replace_all(&repository, "$1q"), second.clone());
            prop_assert!(first != second && first != repository && second != repository);
        }
    }
}
