//! Rewrite rules one by one: what Go makes of a pattern, a replacement and a repository.

use landfall_registries::go::regex::GoRegex;

use crate::vectors;

#[test]
fn vectors_rewrites_are_what_go_makes_of_them() {
    let cases = vectors::load().rewrite_regex_cases;
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let got =
                GoRegex::compile(&case.pattern).map(|re| re.replace_all(&case.input, &case.replacement));
            (got.as_ref().ok() != case.go.as_ref()).then(|| format!("{case:?}\n  got {got:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Why there is a reader of Go's grammar at all: the engine alone disagrees, and exactly there.
#[test]
fn vectors_name_where_the_engine_alone_would_be_wrong() {
    for case in vectors::load().rewrite_regex_cases {
        let got = regex::Regex::new(&case.pattern).ok().map(|re| {
            re.replace_all(&case.input, case.replacement.as_str())
                .into_owned()
        });
        assert_eq!(got, case.rust_regex, "{case:?}");
    }
}
