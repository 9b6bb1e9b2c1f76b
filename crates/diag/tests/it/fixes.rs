//! Fixes and the preview of what they change.

use landfall_diag::{Edit, Fix, SourceId, Span, apply_fixes, diff};

const SOURCE: SourceId = SourceId(0);

fn fix(edits: &[(usize, usize, &str)]) -> Fix {
    let edits = edits.iter().map(|(start, end, text)| Edit {
        span: Span::new(SOURCE, *start..*end),
        text: (*text).to_owned(),
    });
    Fix {
        title: String::new(),
        edits: edits.collect(),
    }
}

#[test]
fn fixes_that_fit_together_are_made() {
    let text = "0123456789";
    let fixes = [
        fix(&[(8, 9, "H"), (0, 1, "")]),
        fix(&[(4, 6, "-")]),
        // Overlaps; touches only; repeats; outside.
        fix(&[(2, 3, "x"), (5, 7, "y")]),
        fix(&[(6, 7, "z")]),
        fix(&[(4, 6, "-")]),
        fix(&[(10, 11, "")]),
        fix(&[(10, 10, "!")]),
    ];
    let fixed = apply_fixes(SOURCE, text, &fixes);
    assert_eq!(fixed.text, "123-z7H9!");
    assert_eq!((fixed.applied, fixed.skipped), (5, vec![2, 5]));
}

#[test]
fn two_insertions_in_one_place_are_a_guess() {
    let fixed = apply_fixes(
        SOURCE,
        "ab",
        &[fix(&[(1, 1, "x")]), fix(&[(1, 1, "y")]), fix(&[(1, 1, "x")])],
    );
    assert_eq!(fixed.text, "axb");
    assert_eq!(fixed.skipped, [1]);
    // A place within a character, and another text.
    assert_eq!(apply_fixes(SOURCE, "é", &[fix(&[(1, 1, "x")])]).skipped, [0]);
    assert_eq!(
        apply_fixes(SourceId(1), "ab", &[fix(&[(1, 1, "x")])]).skipped,
        [0]
    );
}

#[test]
fn a_diff_is_what_patch_reads() {
    let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
    let new = old
        .replace("\n3\n", "\nthree\n")
        .replace("\n18\n", "\n18\nnew\n")
        .replace("\n19\n", "\n");
    let expected = "--- a/f\n+++ b/f\n@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n\
                    @@ -16,5 +16,5 @@\n 16\n 17\n 18\n-19\n+new\n 20\n";
    assert_eq!(diff(&old, &new, "f"), expected);
    assert_eq!(diff(&old, &old, "f"), "");
    assert_eq!(diff("", "a\n", "f"), "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
    assert_eq!(
        diff("a", "a\n", "f"),
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"
    );
}
