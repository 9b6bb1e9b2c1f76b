//! Nearest names, hidden characters, places.

use landfall_diag::hidden::{hidden, visible};
use landfall_diag::{Source, SourceId, nearest};

#[test]
fn the_name_that_was_meant() {
    let keys = [
        "username",
        "password",
        "auth",
        "identity_token",
        "ca_file",
        "tls",
        "rewrite",
        "endpoint",
    ];
    let meant = |word: &str| nearest(word, keys);
    assert_eq!(meant("Username"), Some("username"));
    assert_eq!(meant("usernmae"), Some("username"));
    assert_eq!(meant("user_name"), Some("username"));
    assert_eq!(meant("identity-token"), Some("identity_token"));
    assert_eq!(meant("identitytoken"), Some("identity_token"));
    assert_eq!(meant("endpoints"), Some("endpoint"));
    assert_eq!(meant("rewrites"), Some("rewrite"));
    assert_eq!(meant("tsl"), Some("tls"));
    assert_eq!(meant("cafile"), Some("ca_file"));
    assert_eq!(meant("token"), None);
    assert_eq!(meant("x"), None);
    assert_eq!(meant(""), None);
    assert_eq!(meant("auth"), None);
    assert_eq!(nearest("a", ["A"]), Some("A"));
    assert_eq!(nearest("ab", ["cb", "ba", "AB"]), Some("AB"));
    assert_eq!(nearest("ab", ["cd", "abcdef"]), None);
}

#[test]
fn hidden_characters_have_places_and_names() {
    let text = "\u{feff}a\u{200b}b\u{a0}c\r\nd\r\te\u{7}\u{202e}\u{2028}é";
    let found = hidden(SourceId(0), text);
    let names: Vec<_> = found.iter().map(|hidden| hidden.name()).collect();
    let expected = [
        "U+FEFF ZERO WIDTH NO-BREAK SPACE (BYTE ORDER MARK)",
        "U+200B ZERO WIDTH SPACE",
        "U+00A0 NO-BREAK SPACE",
        "U+000D CARRIAGE RETURN",
        "U+0007 CONTROL CHARACTER",
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+2028 LINE SEPARATOR",
    ];
    assert_eq!(names, expected);
    assert_eq!(&text[found[1].span.range()], "\u{200b}");
    assert_eq!(visible("a\u{200b}\n\tb"), "a‹U+200B›  b");
}

#[test]
fn a_byte_order_mark_is_no_column() {
    let source = Source::new("f", "\u{feff}ab\ncé\u{200b}d");
    let place = |byte| (source.place(byte).line, source.place(byte).column);
    assert_eq!(place(0), (1, 1));
    assert_eq!(place(3), (1, 1));
    assert_eq!(place(4), (1, 2));
    assert_eq!(place(6), (2, 1));
    assert_eq!(place(9), (2, 3));
    assert_eq!(place(12), (2, 4));
    // Within a character, and behind the end.
    assert_eq!(place(8), (2, 2));
    assert_eq!(place(99), (2, 5));
}
