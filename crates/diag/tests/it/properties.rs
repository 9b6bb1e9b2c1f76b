//! What holds for all texts, spans and fixes.

use landfall_diag::render::*;
use landfall_diag::yaml::{Node, parse, parse_bytes};
use landfall_diag::*;
use proptest::prelude::*;

/// Pieces that YAML cares about, so that arbitrary texts are not all plain words.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "a", "b", ": ", ":", "- ", "\n", "\n  ", "\n- ", "\t", "\r\n", "'", "\"", "[", "]", "{", "}",
            ",", "? ", "&a ", "*a", "!!str ", "!x", "|\n", ">-\n", "#", "---\n", "...\n", "<<: ", "%TAG",
            "\\", "\u{feff}", "\u{200b}", "\u{a0}", "\u{85}", "\u{2028}", "é", "😀", "\0", "012", "yes", "~",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn check(text: &str, node: &Node, around: std::ops::Range<usize>) {
    let range = node.span.range();
    assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
    assert!(
        around.start <= range.start && range.end <= around.end,
        "{range:?} not in {around:?} of {text:?}"
    );
    // What an alias names stands somewhere else.
    if node.alias.is_none() {
        for item in node.items().unwrap_or_default() {
            check(text, item, range.clone());
        }
        for (key, value) in node.pairs().unwrap_or_default() {
            check(text, key, range.clone());
            check(text, value, range.clone());
        }
    }
}

fn diagnostic(spans: &[(u32, u32, u32)], words: &str) -> Diagnostic {
    let span = |at: usize| {
        let (source, start, end) = spans[at % spans.len()];
        Span {
            source: SourceId(source),
            start,
            end,
        }
    };
    Diagnostic::at("L00", Severity::Warning, span(0), words)
        .label(words)
        .also(span(1), words)
        .also(span(2), "")
        .consequence(words)
        .help(words)
        .fix(
            words,
            vec![
                Edit {
                    span: span(3),
                    text: words.to_owned(),
                },
                Edit {
                    span: span(4),
                    text: String::new(),
                },
            ],
        )
}

proptest! {
    #[test]
    fn parsing_ends_and_spans_are_in_the_text(text in pieces()) {
        match parse(SourceId(0), &text) {
            Ok(document) => {
                if let Some(root) = &document.root {
                    check(&text, root, 0..text.len());
                }
                prop_assert!(document.rest.is_none_or(|rest| text.get(rest.range()).is_some()));
            }
            Err(error) => {
                prop_assert!(text.get(error.span.range()).is_some(), "{error:?}");
                prop_assert!(error.context.is_none_or(|span| text.get(span.range()).is_some()), "{error:?}");
                prop_assert!(error.message.starts_with("yaml: "));
            }
        }
    }

    #[test]
    fn bytes_end_too(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (text, document) = parse_bytes(SourceId(0), &bytes);
        if let Err(error) = document {
            prop_assert!(text.get(error.span.range()).is_some());
        }
    }

    #[test]
    fn renderers_bear_all_spans(
        one in pieces(),
        two in pieces(),
        words in "[a\u{200b}\n\u{1b}é]{0,9}",
        spans in prop::collection::vec((0..3_u32, 0..90_u32, 0..90_u32), 1..6),
        colour: bool, unicode: bool, width in 0..200_usize,
    ) {
        let mut sources = Sources::default();
        sources.add(Source::new("one", one));
        sources.add(Source::new("two", two));
        let all = [diagnostic(&spans, &words), Diagnostic::whole("L01", Severity::Note, words)];
        let drawn = render_text(&sources, &all, Style { colour, width, unicode });
        prop_assert!(drawn.contains("warning"));
        prop_assert_eq!(render_json(&sources, &all).lines().count(), 2);
        prop_assert_eq!(render_short(&sources, &all).lines().count(), 2);
        let tool = Tool { name: "t", version: "1", uri: None };
        let sarif = render_sarif(&sources, &all, tool, &[]);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&sarif).is_ok());
    }

    #[test]
    fn fixes_change_nothing_else(
        text in "[abcé\n]{0,40}",
        cuts in prop::collection::vec((0..45_usize, 0..4_usize, "[xy]{0,3}"), 0..8),
    ) {
        let fixes: Vec<_> = cuts.iter().map(|(start, length, new)| Fix {
            title: String::new(),
            edits: vec![Edit { span: Span::new(SourceId(0), *start..start + length), text: new.clone() }],
        }).collect();
        let fixed = apply_fixes(SourceId(0), &text, &fixes);
        prop_assert_eq!(fixed.applied + fixed.skipped.len(), fixes.len());
        // Without the characters that only fixes bring, what is left is the old text without what was cut.
        let kept: String = fixed.text.chars().filter(|c| !matches!(c, 'x' | 'y')).collect();
        let made = (0..fixes.len()).filter(|at| !fixed.skipped.contains(at)).map(|at| &fixes[at].edits[0]);
        let made: Vec<_> = made.collect();
        let expected: String = text
            .char_indices()
            .filter(|(at, _)| !made.iter().any(|edit| edit.span.range().contains(at)))
            .map(|(_, c)| c)
            .collect();
        prop_assert_eq!(kept, expected);
    }

    #[test]
    fn a_diff_gives_the_new_text(old in "([ab]{0,2}\n){0,12}[ab]?", new in "([ab]{0,2}\n){0,12}[ab]?") {
        prop_assert_eq!(patched(&old, &diff(&old, &new, "f")), new);
    }
}

/// Applies a unified diff.
fn patched(old: &str, patch: &str) -> String {
    let lines: Vec<_> = old.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    let mut rest = patch.lines().skip(2).peekable();
    while let Some(line) = rest.next() {
        if let Some(header) = line.strip_prefix("@@ -") {
            let (range, _) = header.split_once(' ').unwrap();
            let (start, count) = range.split_once(',').unwrap_or((range, "1"));
            let first = start.parse::<usize>().unwrap() - usize::from(count != "0");
            out.push_str(&lines[at..first].concat());
            at = first;
            continue;
        }
        let ending = if rest.next_if(|next| next.starts_with('\\')).is_some() {
            ""
        } else {
            "\n"
        };
        let (sign, text) = line.split_at(1);
        let text = format!("{text}{ending}");
        if sign != "+" {
            assert_eq!(lines[at], text);
            at += 1;
        }
        if sign != "-" {
            out.push_str(&text);
        }
    }
    out.push_str(&lines[at..].concat());
    out
}
