//! How diagnostics look.

use landfall_diag::render::*;
use landfall_diag::*;
use serde_json::Value;

const TEXT: &str = "\u{feff}mirrors:\n  docker.io:\n    endpoint:\n      - \"https://har\u{200b}bor.example\"\n    \
                    rewrite:\n\t\"^a/\\.(.*)\": \"x\"\r\n      b:\u{a0}c\nq: \"unclosed\n";

fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.add(Source::new("registries.yaml", TEXT));
    sources
}

fn at(needle: &str) -> Span {
    let start = TEXT.find(needle).unwrap();
    Span::new(SourceId(0), start..start + needle.len())
}

fn full() -> Diagnostic {
    Diagnostic::at(
        "L01",
        Severity::Error,
        at("\\."),
        "the backslash breaks the rendered file",
    )
    .label("no such escape in TOML")
    .also(at("docker.io"), "for this host")
    .consequence("the file is not read, and docker.io itself is asked")
    .help("write [.] for a dot")
    .fix(
        "write the dot in brackets",
        vec![Edit {
            span: at("\\."),
            text: "[.]".to_owned(),
        }],
    )
}

#[test]
fn text_shows_place_line_consequence_help_and_fix() {
    let expected = "\
error[L01]: the backslash breaks the rendered file
 --> registries.yaml:6:6
  |
2 |   docker.io:
  |   --------- for this host
...
6 | →   \"^a/\\.(.*)\": \"x\"
  |         ^^ no such escape in TOML
  |
  = what happens: the file is not read, and docker.io itself is asked
  = help: write [.] for a dot
help: write the dot in brackets
  |
6 - →   \"^a/\\.(.*)\": \"x\"
6 + →   \"^a/[.](.*)\": \"x\"
  |
";
    assert_eq!(render_text(&sources(), &[full()], Style::default()), expected);
}

#[test]
fn hidden_characters_are_drawn_and_columns_are_those_of_the_file() {
    let drawn = |needle: &str| {
        let diagnostic = Diagnostic::at("L02", Severity::Warning, at(needle), "a\u{200b}b").label("here");
        render_text(&sources(), &[diagnostic], Style::default())
    };
    let expected = "\
warning[L02]: a‹U+200B›b
 --> registries.yaml:4:21
  |
4 |       - \"https://har‹U+200B›bor.example\"
  |                     ^^^^^^^^ here
";
    assert_eq!(drawn("\u{200b}"), expected);
    let expected = "\
warning[L02]: a‹U+200B›b
 --> registries.yaml:7:9
  |
7 |       b:‹U+00A0›c
  |         ^^^^^^^^ here
";
    assert_eq!(drawn("\u{a0}"), expected);
    assert!(drawn("\t").contains("6 | →   \"^a"), "{}", drawn("\t"));
    assert!(drawn("\u{feff}").contains("registries.yaml:1:1\n  |\n1 | ‹U+FEFF›mirrors:\n  | ^^^^^^^^ here"));
    // Nobody spoke of it.
    assert!(drawn("mirrors").contains("registries.yaml:1:1\n  |\n1 | mirrors:\n  | ^^^^^^^ here"));
}

#[test]
fn the_end_of_the_file_is_a_place() {
    let end = Span::new(SourceId(0), TEXT.len()..TEXT.len());
    let diagnostic = Diagnostic::at("L03", Severity::Error, end, "unclosed")
        .label("ends")
        .also(at("\"unclosed"), "begins");
    let drawn = render_text(&sources(), &[diagnostic], Style::default());
    assert!(
        drawn.starts_with("error[L03]: unclosed\n --> registries.yaml:9:1\n"),
        "{drawn}"
    );
    assert!(drawn.contains("begins"), "{drawn}");
}

#[test]
fn long_lines_are_cut_around_the_label() {
    let mut sources = Sources::default();
    let text = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
    let id = sources.add(Source::new("long", text));
    let diagnostic = Diagnostic::at("L04", Severity::Note, Span::new(id, 5000..5004), "long").label("this");
    let drawn = render_text(
        &sources,
        &[diagnostic],
        Style {
            width: 80,
            ..Style::default()
        },
    );
    assert!(
        drawn.starts_with("note[L04]: long\n --> long:1:5001\n"),
        "{drawn}"
    );
    assert!(drawn.contains("HERE") && drawn.contains("^^^^ this"), "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= 90), "{drawn}");
}

#[test]
fn several_files_and_no_place() {
    let mut sources = sources();
    let other = sources.add(Source::new("hosts.toml", "server = \"x\"\n"));
    let diagnostic =
        Diagnostic::at("L05", Severity::Error, at("\\."), "m").also(Span::new(other, 0..6), "there");
    let drawn = render_text(&sources, &[diagnostic], Style::default());
    assert!(
        drawn.contains("--> registries.yaml:6:6\n") && drawn.contains("::: hosts.toml:1:1\n"),
        "{drawn}"
    );
    let whole = Diagnostic::whole("L06", Severity::Warning, "m").help("h");
    let drawn = render_text(&sources, std::slice::from_ref(&whole), Style::default());
    assert!(
        drawn.contains("--> registries.yaml\n") && drawn.contains("help: h"),
        "{drawn}"
    );
    assert_eq!(
        render_short(&sources, &[whole]),
        "registries.yaml: warning[L06]: m\n"
    );
}

#[test]
fn colours_are_asked_for() {
    let plain = render_text(&sources(), &[full()], Style::default());
    assert!(!plain.contains('\u{1b}'));
    let coloured = render_text(
        &sources(),
        &[full()],
        Style {
            colour: true,
            ..Style::default()
        },
    );
    assert!(
        coloured.contains('\u{1b}') && coloured.contains("registries.yaml:6:6"),
        "{coloured}"
    );
}

#[test]
fn one_line_each() {
    let expected = "registries.yaml:6:6: error[L01]: the backslash breaks the rendered file\n";
    assert_eq!(render_short(&sources(), &[full()]), expected);
}

#[test]
fn json_has_places_in_lines_and_bytes() {
    let object: Value = serde_json::from_str(render_json(&sources(), &[full()]).trim()).unwrap();
    let start = TEXT.find("\\.").unwrap();
    let expected = serde_json::json!({
        "code": "L01", "severity": "error", "message": "the backslash breaks the rendered file",
        "file": "registries.yaml", "line": 6, "column": 6, "end_line": 6, "end_column": 8,
        "bytes": {"start": start, "end": start + 2},
        "label": "no such escape in TOML",
        "labels": [{
            "file": "registries.yaml", "line": 2, "column": 3, "end_line": 2, "end_column": 12,
            "bytes": {"start": 14, "end": 23}, "text": "for this host",
        }],
        "consequences": ["the file is not read, and docker.io itself is asked"],
        "help": "write [.] for a dot",
        "fix": {
            "title": "write the dot in brackets",
            "edits": [{
                "file": "registries.yaml", "line": 6, "column": 6, "end_line": 6, "end_column": 8,
                "bytes": {"start": start, "end": start + 2}, "text": "[.]",
            }],
        },
    });
    assert_eq!(object, expected);
    let whole = render_json(&sources(), &[Diagnostic::whole("L06", Severity::Note, "m")]);
    let object: Value = serde_json::from_str(whole.trim()).unwrap();
    assert_eq!(
        (&object["file"], &object["line"], &object["fix"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let mut sources = Sources::default();
    sources.add(Source::new("dir with blank/<stdin>", TEXT));
    let rules = [
        Rule {
            id: "L00",
            name: "other",
            summary: "S.",
            explanation: "",
            severity: Severity::Note,
        },
        Rule {
            id: "L01",
            name: "backslash",
            summary: "S.",
            explanation: "E.",
            severity: Severity::Error,
        },
    ];
    let tool = Tool {
        name: "landfall",
        version: "0.1.0",
        uri: Some("https://example.org/landfall"),
    };
    let whole = Diagnostic::whole("L00", Severity::Note, "whole");
    let log: Value = serde_json::from_str(&render_sarif(&sources, &[full(), whole], tool, &rules)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["tool"]["driver"]["name"], "landfall");
    assert_eq!(run["tool"]["driver"]["rules"][1]["id"], "L01");
    assert_eq!(
        run["tool"]["driver"]["rules"][1]["defaultConfiguration"]["level"],
        "error"
    );
    let result = &run["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["ruleIndex"], &result["level"]),
        (&"L01".into(), &1.into(), &"error".into())
    );
    assert!(
        result["message"]["text"]
            .as_str()
            .unwrap()
            .contains("What happens: the file is not read")
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "dir%20with%20blank/%3Cstdin%3E");
    let region = serde_json::json!({"startLine": 6, "startColumn": 6, "endLine": 6, "endColumn": 8});
    assert_eq!(place["region"], region);
    assert_eq!(result["relatedLocations"][0]["message"]["text"], "for this host");
    let change = &result["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"], place["artifactLocation"]);
    assert_eq!(change["replacements"][0]["deletedRegion"], region);
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "[.]");
    let second = &run["results"][1];
    assert_eq!(second["locations"], serde_json::json!([]));
    assert!(second.get("fixes").is_none() && second.get("relatedLocations").is_none());
    assert!(!log.to_string().contains("null"));
}
