//! What yaml.v2 v2.4.0 says about some hundred texts (`tests/data/yaml_v2.jsonl`): its error or its value.

use landfall_diag::SourceId;
use landfall_diag::yaml::{Kind, Node, Style, parse, parse_bytes};

use crate::any::dump;

const SOURCE: SourceId = SourceId(0);

fn root(text: &str) -> Node {
    parse(SOURCE, text).unwrap().root.unwrap()
}

fn at<'a>(text: &'a str, node: &Node) -> &'a str {
    &text[node.span.range()]
}

#[test]
fn every_text_is_read_or_refused_as_yaml_v2_does() {
    let table = include_str!("../data/yaml_v2.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let found = match parse(SOURCE, text) {
            Err(error) => Err(error.message),
            Ok(document) => document.root.map_or(Ok("null".to_owned()), |root| {
                dump(&root).map_err(|error| format!("yaml: {error}"))
            }),
        };
        let expected = match case["error"].as_str().unwrap() {
            "" => Ok(case["value"].as_str().unwrap().to_owned()),
            error => Err(error.to_owned()),
        };
        if found != expected {
            wrong.push(format!("{text:?}\n  yaml.v2: {expected:?}\n  here:    {found:?}"));
        }
    }
    assert!(table.lines().count() > 600);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nodes_know_where_they_stand() {
    let text = "\u{feff}a: &x 'é\u{a0}'\nlist:\n  - one\n  -\n  - {k: \"v\\n\"}\nblock: |\n  x\nalias: *x\n";
    let node = root(text);
    let pairs = node.pairs().unwrap();
    assert_eq!(at(text, &pairs[0].0), "a");
    assert_eq!(at(text, &pairs[0].1), "'é\u{a0}'");
    assert_eq!(pairs[0].1.anchor.as_ref().unwrap().value, "x");
    assert_eq!(at(text, &pairs[1].1), "- one\n  -\n  - {k: \"v\\n\"}");
    let items = pairs[1].1.items().unwrap();
    assert_eq!(at(text, &items[0]), "one");
    assert_eq!(at(text, &items[1]), "");
    assert_eq!(at(text, &items[2]), "{k: \"v\\n\"}");
    assert_eq!(at(text, &items[2].pairs().unwrap()[0].1), "\"v\\n\"");
    assert_eq!(items[2].pairs().unwrap()[0].1.text(), Some("v\n"));
    assert_eq!(at(text, &pairs[2].1), "|\n  x\n");
    assert!(matches!(
        pairs[2].1.kind,
        Kind::Scalar {
            style: Style::Literal,
            ..
        }
    ));
    assert_eq!(at(text, &pairs[3].1), "*x");
    assert_eq!(pairs[3].1.alias.as_deref(), Some("x"));
    assert_eq!(pairs[3].1.text(), Some("é\u{a0}"));
    assert_eq!((pairs[3].1.line, pairs[2].1.line), (1, 6));
    assert_eq!(at(text, &node), text[3..].trim_end_matches('\n').trim_end());
}

#[test]
fn an_error_points_at_the_place_and_at_the_beginning() {
    let text = "a: b\nc: \"never closed\nd: e\n";
    let error = parse(SOURCE, text).unwrap_err();
    assert_eq!(error.message, "yaml: line 4: found unexpected end of stream");
    assert_eq!(error.span.range(), text.len()..text.len());
    assert_eq!(error.context.unwrap().range().start, text.find('"').unwrap());

    let text = "mirrors:\n  *:\n    x: y\n";
    let error = parse(SOURCE, text).unwrap_err();
    assert_eq!(&text[error.span.range()], ":");
    assert_eq!(error.context.unwrap().range(), 11..12);
}

#[test]
fn what_follows_the_first_document_is_named() {
    let rest = |text: &str| {
        parse(SOURCE, text)
            .unwrap()
            .rest
            .map(|span| text[span.range()].to_owned())
    };
    assert_eq!(rest("a: 1\n---\nb: 2\n").as_deref(), Some("---\nb: 2\n"));
    assert_eq!(rest("a: 1\n...\n# nothing\n"), None);
    assert_eq!(rest("a: 1\n---\n"), None);
    assert_eq!(rest("{a: 1} more\n").as_deref(), Some("more\n"));
    assert_eq!(rest("a: 1\n--- [\n").as_deref(), Some("--- [\n"));
    assert!(parse(SOURCE, "# nothing\n").unwrap().root.is_none());
}

#[test]
fn bytes_that_are_no_text_are_refused_in_yaml_v2s_words() {
    let cases: [(&[u8], &str); 12] = [
        (b"a: \xff\n", "yaml: invalid leading UTF-8 octet"),
        (b"a: \x80\n", "yaml: invalid leading UTF-8 octet"),
        (b"a: \xc3(\n", "yaml: invalid trailing UTF-8 octet"),
        (b"a: \xc0\x80\n", "yaml: invalid length of a UTF-8 sequence"),
        (b"a: \xed\xa0\x80\n", "yaml: invalid Unicode character"),
        (b"a: \xf4\x90\x80\x80\n", "yaml: invalid Unicode character"),
        (b"a: \xe2\x80", "yaml: incomplete UTF-8 octet sequence"),
        (b"\xff\xfea\x00:\x00 \x00b\x00", ""),
        (b"\xfe\xff\x00a\x00:\x00 \x00b", ""),
        (b"\xff\xfea\x00\x00\xdc", "yaml: unexpected low surrogate area"),
        (b"\xff\xfea\x00:\x00 ", "yaml: incomplete UTF-16 character"),
        // Stopped before the bad bytes are needed.
        (b"{a: 1}\n]xyzab\xe2\x80", ""),
    ];
    for (bytes, expected) in cases {
        let (text, document) = parse_bytes(SOURCE, bytes);
        match document {
            Ok(_) => assert_eq!(expected, "", "{bytes:?}"),
            Err(error) => {
                assert_eq!(error.message, expected, "{bytes:?}");
                assert!(text.get(error.span.range()).is_some());
            }
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(SOURCE, &nested(250)).is_ok());
    assert_eq!(
        parse(SOURCE, &nested(300)).unwrap_err().message,
        "yaml: nested too deeply"
    );
    assert!(parse(SOURCE, &"[".repeat(1_000_000)).is_err());
    let stairs: String = (0..300)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(parse(SOURCE, &stairs).is_err());
}
