//! Places of errors, limits, and the analyses of rules.

use super::super::*;
use super::regex;

#[test]
fn an_error_has_its_place_and_advice() {
    for (pattern, meant, advice) in [
        ("^rancher/(?!mirrored)(.*)", "(?!", "look-ahead"),
        ("x(?<=a)b", "(?<=a)b", "look-behind"),
        ("(a(b", "(", "[(]"),
        ("a)b", ")", "[)]"),
        ("ab[cd", "[", "[[]"),
        ("a*", "", ""),
        ("*.example", "*", ".*"),
        ("ab**", "**", "follow each other"),
        ("a++", "++", "possessive"),
        ("x\\u0061", "\\u", "\\x{...}"),
        ("(a)\\1", "\\1", "back references"),
        ("abc\\", "\\", "remove it"),
        ("\\y", "\\y", "leave the backslash out: y"),
        ("[[:foo:]]", "[:foo:]", "alnum"),
        ("[z-a]", "z-a", "backwards"),
        ("(?x)a", "(?x", "flags are i, m, s and U"),
        ("é{1001}", "{1001}", "1000"),
    ] {
        match GoRegex::compile(pattern) {
            Ok(_) => assert!(advice.is_empty(), "{pattern} compiles"),
            Err(error) => {
                assert_eq!(&pattern[error.span.clone()], meant, "{pattern}");
                assert!(
                    !advice.is_empty() && error.advice.contains(advice),
                    "{pattern}: {}",
                    error.advice
                );
                assert!(error.by_go);
            }
        }
    }
}

/// The texts are Go's, the bounds near to Go's.
#[test]
fn limits_of_go() {
    let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    let error = |pattern: &str| GoRegex::compile(pattern).unwrap_err();
    assert!(
        error(&deep(1000))
            .message
            .starts_with("error parsing regexp: expression nests too deeply: `((((")
    );
    assert!(!error(&deep(999)).by_go);
    assert!(GoRegex::compile(&deep(200)).is_ok());
    let large = format!("(?:{}){{1000}}", ".".repeat(8000));
    assert_eq!(
        error(&large).message,
        format!("error parsing regexp: expression too large: `{large}`")
    );
    // Go takes a program of a million and a half instructions; we say that we do not.
    let large = error(&"[ab]{1000}".repeat(1500));
    assert!(!large.by_go && large.message.contains("2 MiB"), "{large}");
}

/// None of these may take long or much; the bounds are counted, not timed.
#[test]
fn hostile_patterns_end() {
    for pattern in [
        "(".repeat(16_000),
        "(?:".repeat(5_000) + &")".repeat(5_000).replace(')', "a)"),
        "a{1000}".repeat(2_000),
        "(?:a?){1000}".repeat(1_000),
        "\\pL".repeat(5_000),
        "(?i)[\\x{0}-\\x{10FFFF}]".repeat(600),
        "[".repeat(16_000),
        "{".repeat(16_000),
        "|".repeat(16_000),
        "(?i)(?-i)".repeat(1_500),
        "x".repeat(17_000),
        ".{1000}".to_owned(),
        "(a*)*b".to_owned(),
        "(?:(?:(?:a*)*)*)*".repeat(300),
    ] {
        if let Ok(regex) = GoRegex::compile(&pattern) {
            assert!(!regex.replace_all(&"a".repeat(255), "${0}b").is_empty());
        }
    }
}

#[test]
fn what_only_newer_releases_of_go_accept() {
    assert_eq!(regex("(?P<n>a)").needs_go(), None);
    assert_eq!(regex("(?<n>a)").needs_go(), Some(22));
    assert_eq!(regex("\\p{Letter}").needs_go(), Some(25));
    assert_eq!(regex("\\p{Greek}\\pL").needs_go(), None);
}

#[test]
fn a_witness_is_a_shortest_repository() {
    for (pattern, expected) in [
        ("^rancher/(.*)", Some("rancher/a")),
        ("", Some("a")),
        (".*", Some("a")),
        ("[A-Z]", None),
        ("^/", None),
        ("--$", None),
        ("a__b", Some("a__b")),
        ("___", None),
        (":", None),
        ("^library/nginx$", Some("library/nginx")),
        ("(?m)^b$", Some("b")),
        ("\\bq\\b", Some("q")),
        ("^.{255}$", Some(&*"a".repeat(255))),
        ("^.{256}$", None),
        ("[^a]é|\\x{D800}", None),
        ("(?i)RANCHER", Some("rancher")),
    ] {
        let expected = expected.map_or(Overlap::Disjoint, |name| Overlap::Repository(name.to_owned()));
        assert_eq!(witness(&regex(pattern)), expected, "{pattern}");
    }
}

#[test]
fn overlapping_rules_have_a_witness() {
    for (first, second, expected) in [
        ("^rancher/(.*)", "(.*)", Some("rancher/a")),
        ("^rancher/", "^library/", None),
        ("^rancher/", "pause$", Some("rancher/pause")),
        ("^a", "b$", Some("ab")),
        ("a.c", "^[^b]+$", Some("aac")),
        ("^team-[0-9]+/", "^team-a/", None),
        ("x{3}", "y{3}", Some("xxxyyy")),
    ] {
        let expected = expected.map_or(Overlap::Disjoint, |name| Overlap::Repository(name.to_owned()));
        assert_eq!(
            overlap(&regex(first), &regex(second)),
            expected,
            "{first} {second}"
        );
        let other = overlap(&regex(second), &regex(first));
        assert_eq!(
            expected == Overlap::Disjoint,
            other == Overlap::Disjoint,
            "{second} {first}"
        );
    }
}

#[test]
fn a_conflict_is_two_different_changes() {
    let rule = |pattern: &str| regex(pattern);
    let (all, rancher) = (rule("^(.*)$"), rule("^rancher/(.*)"));
    assert_eq!(
        conflict((&all, "m/$1"), (&rancher, "r/$1")),
        Conflict::Differ {
            repository: "rancher/a".to_owned(),
            first: "m/rancher/a".to_owned(),
            second: "r/a".to_owned(),
        }
    );
    let agree = Conflict::Agree {
        repository: "rancher/a".to_owned(),
    };
    assert_eq!(conflict((&all, "m/$1"), (&rancher, "m/rancher/$1")), agree);
    // A rule that changes nothing is passed over by the node.
    assert_eq!(conflict((&all, "$1"), (&rancher, "r/$1")), agree);
    assert_eq!(
        conflict((&rule("^a/"), "x/"), (&rancher, "r/$1")),
        Conflict::Disjoint
    );
    // The shortest common repository is changed alike; a longer one is not.
    let (one, two) = (rule("^a(.*)$"), rule("^a(b?).*$"));
    let found = conflict((&one, "x$1"), (&two, "x$1"));
    assert!(
        matches!(&found, Conflict::Differ { first, second, .. } if first != second),
        "{found:?}"
    );
}

#[test]
fn what_cannot_be_decided_is_said_so() {
    // Each automaton must remember the last twenty characters.
    let (a, b) = (regex("a[a-z]{20}$"), regex("b[a-z]{19}$"));
    assert!(matches!(overlap(&a, &b), Overlap::Unknown(_)));
}

#[test]
fn references_to_groups_that_do_not_exist() {
    let missing = |pattern: &str, replacement: &str| -> Vec<(String, Option<String>)> {
        let found = missing_groups(&regex(pattern), replacement);
        found
            .into_iter()
            .map(|m| (replacement[m.range].to_owned(), m.instead))
            .collect()
    };
    let one = |text: &str, instead: Option<&str>| vec![(text.to_owned(), instead.map(str::to_owned))];
    assert_eq!(missing("^rancher/(.*)", "m/$1_x"), one("$1_x", Some("${1}_x")));
    assert_eq!(missing("(a)", "$1x/$0"), one("$1x", Some("${1}x")));
    assert_eq!(missing("(a)", "$2"), one("$2", None));
    assert_eq!(missing("(a)", "${1x}"), one("${1x}", None));
    assert_eq!(missing("(?P<n>a)", "$nx-$n"), one("$nx", Some("${n}x")));
    assert_eq!(missing("(a)", "é$1é"), one("$1é", Some("${1}é")));
    assert_eq!(missing("(a)", "$11"), one("$11", Some("${1}1")));
    assert_eq!(missing("(a)", "$$2 ${foo-bar} $1-x ${1}_x $ ${"), vec![]);
}

#[test]
fn where_a_pattern_is_tied() {
    for (pattern, start, end) in [
        ("^a$", true, true),
        ("\\Aa\\z", true, true),
        ("a", false, false),
        ("^a|b$", false, false),
        ("^a|^b", true, false),
        ("(.*)/a", true, false),
        ("a/(.*)", false, true),
        ("a/(.*?)", false, false),
        ("([a-z0-9._/-]*)/a$", true, true),
        ("[a-z]*/a$", false, true),
        ("(?m)^a$", false, false),
        ("(?:^)(a)", true, false),
    ] {
        assert_eq!(anchors(&regex(pattern)), Anchors { start, end }, "{pattern}");
    }
}

#[test]
fn bad_results_have_an_example() {
    let bad = |pattern: &str, replacement: &str| -> Vec<(BadResult, String, String)> {
        let found = bad_results(&regex(pattern), replacement);
        found
            .into_iter()
            .map(|bad| (bad.what, bad.repository, bad.result))
            .collect()
    };
    let one = |what, repository: &str, result: &str| vec![(what, repository.to_owned(), result.to_owned())];
    assert_eq!(bad("^rancher/(.*)", "m/$1"), vec![]);
    assert_eq!(
        bad("^rancher/(.*)", "$1_x"),
        one(BadResult::Empty, "rancher/a", "")
    );
    assert_eq!(
        bad("^rancher/(.*)", "/$1"),
        one(BadResult::LeadingSlash, "rancher/a", "/a")
    );
    assert_eq!(
        bad("^rancher/(.*)", "Mirror/$1"),
        one(BadResult::UpperCase, "rancher/a", "Mirror/a")
    );
    assert_eq!(
        bad("^rancher/(.*)", "m//$1"),
        one(BadResult::Invalid, "rancher/a", "m//a")
    );
    assert_eq!(bad("^(.*)/", "$1:5000/")[0].0, BadResult::Invalid);
}

#[test]
fn patterns_without_backslashes() {
    for (pattern, expected) in [
        ("^a\\.b$", Some("^a[.]b$")),
        ("\\d+\\w*", Some("[0-9]+[0-9A-Za-z_]*")),
        ("\\D\\W", Some("[^0-9][^0-9A-Za-z_]")),
        ("^rancher\\/(.*)", Some("^rancher/(.*)")),
        ("[\\w.-]+", Some("[.0-9A-Z_a-z-]+")),
        ("[^\\d/]", Some("[^/-9]")),
        ("[\\]\\[\\^\\-]", Some("[][^-]")),
        ("[\\^\\-]", Some("[-^]")),
        ("a{2\\}", Some("a{2[}]")),
        ("\\Qa.b\\E", Some("a[.]b")),
        ("\\A\\x61\\z", Some("^a$")),
        ("\\[\\]\\(\\)\\|\\$", Some("[[][]][(][)][|][$]")),
        ("^rancher/(.*)", Some("^rancher/(.*)")),
        ("\\s", None),
        ("\\bpause", None),
        ("\\\\", None),
        ("\\^", None),
        ("[\\^]", None),
        ("\\n", None),
        ("\\pL", None),
        ("(?m)\\A", None),
        ("a\"b", None),
        ("\\\"", None),
        ("(", None),
    ] {
        assert_eq!(
            without_backslashes(pattern).ok().as_deref(),
            expected,
            "{pattern}"
        );
    }
    assert!(needs_escape("a\\.b") && needs_escape("a\"b") && needs_escape("a\nb") && !needs_escape("a[.]'b"));
}
