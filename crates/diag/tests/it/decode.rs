//! How values are filled in; all messages are those of yaml.v2 v2.4.0.

use std::collections::BTreeMap;

use landfall_diag::SourceId;
use landfall_diag::yaml::{Decoded, Decoder, YamlError, parse};

type Map = BTreeMap<String, String>;

/// Fills a `map[string]string` as Go does, and gives the message at the end.
fn strings(text: &str) -> (Map, Option<String>) {
    let mut map = Map::new();
    let mut decoder = Decoder::new();
    let root = parse(SourceId(0), text).unwrap().root.unwrap();
    let done = decoder.mapping(&root, "map[string]string", &mut |decoder, key, value| {
        match decoder.string(value)? {
            Decoded::Value(text) => map.insert(key.value, text),
            Decoded::Null => map.insert(key.value, String::new()),
            Decoded::Refused => None,
        };
        Ok(())
    });
    let error = done.err().or_else(|| decoder.finish().err());
    (map, error.map(|error| error.message))
}

fn map(pairs: &[(&str, &str)]) -> Map {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn scalars_keep_their_spelling_as_text() {
    let (found, error) = strings("a: 012\nb: yes\nc: 1_0\nd: ~\ne: 2001-01-01\n1: x\ntrue: y\n~: z\n");
    assert_eq!(error, None);
    let expected = [
        ("a", "012"),
        ("b", "yes"),
        ("c", "1_0"),
        ("d", ""),
        ("e", "2001-01-01"),
        ("1", "x"),
        ("true", "y"),
        ("", "z"),
    ];
    assert_eq!(found, map(&expected));
}

#[test]
fn pairs_take_effect_in_the_order_of_the_file() {
    assert_eq!(strings("a: 1\na: 2\n").0, map(&[("a", "2")]));
    assert_eq!(
        strings("<<: {a: 1, b: 1}\na: 2\n").0,
        map(&[("a", "2"), ("b", "1")])
    );
    // A merge behind the key overrides it.
    assert_eq!(strings("a: 2\n<<: {a: 1}\n").0, map(&[("a", "1")]));
    // Of several, the first wins.
    assert_eq!(
        strings("<<: [{a: 1}, {a: 2, b: 2}]\n").0,
        map(&[("a", "1"), ("b", "2")])
    );
    assert_eq!(
        strings("'<<': {a: 1}\n").1.unwrap(),
        "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into string"
    );
}

#[test]
fn wrong_types_are_left_out_and_complained_of_at_the_end() {
    let (found, error) = strings("a: [1]\nb: {c: d}\nc: x\n? [k]\n: v\n");
    assert_eq!(found, map(&[("c", "x")]));
    let expected = "yaml: unmarshal errors:
  line 1: cannot unmarshal !!seq into string
  line 2: cannot unmarshal !!map into string
  line 4: cannot unmarshal !!seq into string";
    assert_eq!(error.unwrap(), expected);

    let root = parse(SourceId(0), "yes I really mean it").unwrap().root.unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.boolean(&root).unwrap(), Decoded::Refused);
    assert_eq!(
        decoder.misfits()[0].message,
        "line 1: cannot unmarshal !!str `yes I r...` into bool"
    );
    assert_eq!(decoder.misfits()[0].span, root.span);
}

#[test]
fn merges_of_something_else_end_it_all() {
    let wanted = "yaml: map merge requires map or sequence of maps as the value";
    assert_eq!(strings("<<: 1\n").1.unwrap(), wanted);
    assert_eq!(strings("<<: [1]\n").1.unwrap(), wanted);
    assert_eq!(strings("a: [1]\n<<: ~\n").1.unwrap(), wanted);
    assert_eq!(
        strings("a: !!int x\n").1.unwrap(),
        "yaml: cannot decode !!str `x` as a !!int"
    );
}

#[test]
fn a_pointer_shows_only_where_go_does_not_unwrap_it() {
    let refused = |text: &str| {
        let root = parse(SourceId(0), text).unwrap().root.unwrap();
        let mut decoder = Decoder::new();
        let done = decoder
            .mapping(&root, "*pkg.Auth", &mut |_, _, _| Ok(()))
            .unwrap();
        (
            done,
            decoder
                .finish()
                .err()
                .map(|error| error.message.lines().last().unwrap().to_owned()),
        )
    };
    assert_eq!(refused("null"), (Decoded::Null, None));
    assert_eq!(refused("NULL"), (Decoded::Value(()), None));
    assert_eq!(
        refused("a").1.unwrap(),
        "  line 1: cannot unmarshal !!str `a` into pkg.Auth"
    );
    assert_eq!(
        refused("'null'").1.unwrap(),
        "  line 1: cannot unmarshal !!str `null` into *pkg.Auth"
    );
}

#[test]
fn lists_leave_out_what_does_not_fit() {
    let root = parse(SourceId(0), "[a, 1, ~, [b], '']").unwrap().root.unwrap();
    let mut decoder = Decoder::new();
    let found = decoder.strings(&root).unwrap().value().unwrap();
    let found: Vec<_> = found.iter().map(|text| text.value.as_str()).collect();
    assert_eq!(found, ["a", "1", "", ""]);
    assert_eq!(decoder.misfits().len(), 1);
}

/// Walks everything, as Go does for a type that wants everything.
fn walk(decoder: &mut Decoder, node: &landfall_diag::yaml::Node) -> Result<(), YamlError> {
    decoder.sequence(node, "[]any", |decoder, item| walk(decoder, item).map(Some))?;
    Ok(())
}

#[test]
fn a_bomb_is_read_but_not_unpacked() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='k').zip('a'..) {
        let list = vec![format!("*{before}"); 9].join(", ");
        text.push_str(&format!("{name}: &{name} [{list}]\n"));
    }
    let root = parse(SourceId(0), &text).unwrap().root.unwrap();
    let mut decoder = Decoder::new();
    let last = &root.pairs().unwrap().last().unwrap().1;
    assert_eq!(
        walk(&mut decoder, last).unwrap_err().message,
        "yaml: document contains excessive aliasing"
    );

    let root = parse(SourceId(0), "&a [*a]").unwrap().root.unwrap();
    assert_eq!(
        walk(&mut Decoder::new(), &root).unwrap_err().message,
        "yaml: anchor 'a' value contains itself"
    );
}
