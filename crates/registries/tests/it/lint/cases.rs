//! The rules by example: `tests/lint/L*.txt`, one file per rule. Each case is a text, what is said about it, and what
//! all fixes make of it. `LANDFALL_WRITE_CASES=1` writes the files anew; read the difference before keeping it.

use std::fs;
use std::path::{Path, PathBuf};

use landfall_registries::k3s::{Behaviours, Options, Program};
use landfall_registries::lint::RULES;

use super::support::{codes, lint, long, mended};

struct Case {
    title: String,
    options: String,
    text: String,
    said: String,
    mended: String,
}

impl Case {
    /// `=== title | options`, the text, `--- says`, `--- mended`.
    fn parse(block: &str) -> Self {
        let (head, rest) = block.split_once('\n').expect("a title");
        let (title, options) = head.split_once(" | ").expect("options");
        let (text, rest) = rest.split_once("--- says\n").unwrap_or((rest, ""));
        let (said, mended) = rest.split_once("--- mended\n").unwrap_or((rest, ""));
        Self {
            title: title.to_owned(),
            options: options.to_owned(),
            text: unseen(text),
            said: said.trim_end().to_owned(),
            mended: mended.to_owned(),
        }
    }

    fn options(&self) -> Options {
        let mut options = Options::new(Program::K3s);
        for word in self.options.split_whitespace() {
            match word {
                "k3s" => {}
                "rke2" => options.program = Program::Rke2,
                "denied" => options.disable_default_endpoint = true,
                "embedded" => options.embedded_registry = Some("127.0.0.1:6443".to_owned()),
                version => options.behaviours = Behaviours::of(version.parse().expect("a version")),
            }
        }
        options
    }
}

/// Characters that cannot be seen are spelled in the files.
fn unseen(text: &str) -> String {
    [
        ("<TAB>", "\t"),
        ("<BOM>", "\u{feff}"),
        ("<ZWSP>", "\u{200b}"),
        ("<NBSP>", "\u{a0}"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, character)| {
        text.replace(name, character)
    })
}

fn seen(text: &str) -> String {
    [
        ("\t", "<TAB>"),
        ("\u{feff}", "<BOM>"),
        ("\u{200b}", "<ZWSP>"),
        ("\u{a0}", "<NBSP>"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (character, name)| {
        text.replace(character, name)
    })
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")
}

#[test]
fn every_rule_says_what_it_should() {
    let write = std::env::var_os("LANDFALL_WRITE_CASES").is_some();
    let mut wrong = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let rule = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let content = fs::read_to_string(&path).unwrap();
        let mut anew = String::new();
        for block in content.split("=== ").skip(1) {
            let case = Case::parse(block);
            let (said, mended, complaints) = run(&rule, &case);
            wrong.extend(
                complaints
                    .into_iter()
                    .map(|what| format!("{rule} {}: {what}", case.title)),
            );
            if !write && (said != case.said || mended != case.mended) {
                wrong.push(format!("{rule} {}:\n{said}\n--- mended\n{mended}", case.title));
            }
            let text = seen(&case.text);
            anew.push_str(&format!(
                "=== {} | {}\n{text}--- says\n{said}\n--- mended\n{mended}",
                case.title, case.options
            ));
        }
        if write {
            fs::write(&path, anew).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is said, what the fixes make of the text, and what is wrong with either.
fn run(rule: &str, case: &Case) -> (String, String, Vec<String>) {
    let options = case.options();
    let found = lint(&case.text, &options);
    let mut wrong = Vec::new();
    let about: Vec<_> = found.iter().filter(|one| one.code == rule).collect();
    match case.title.starts_with("fine:") {
        true if !about.is_empty() => wrong.push("must not be said".to_owned()),
        false if about.is_empty() => wrong.push(format!("is not said; but {:?}", codes(&found))),
        _ => {}
    }
    for one in &found {
        if !RULES.iter().any(|rule| rule.id == one.code) {
            wrong.push(format!("{} is no rule", one.code));
        }
        if one.consequences.is_empty() {
            wrong.push(format!("{}: what happens?", one.code));
        }
        if one.fix.is_none() && one.help.is_none() && one.severity > landfall_diag::Severity::Note {
            wrong.push(format!("{}: what to do?", one.code));
        }
    }
    let said = seen(&long(&case.text, &found)).trim_end().to_owned();
    let text = mended(&case.text, &options);
    let after = lint(&text, &options);
    if after.iter().any(|one| one.fix.is_some()) {
        wrong.push("fixes do not come to an end".to_owned());
    }
    if about.iter().all(|one| one.fix.is_some()) && after.iter().any(|one| one.code == rule) {
        wrong.push(format!("is said after its fix:\n{text}"));
    }
    let text = if text == case.text {
        String::new()
    } else {
        seen(&text)
    };
    (said, text, wrong)
}

#[test]
fn every_rule_has_an_example_and_a_counterexample() {
    // Rules about the node itself are tested beside it.
    const ELSEWHERE: [&str; 4] = ["L28", "L36", "L39", "L40"];
    for rule in RULES.iter().filter(|rule| !ELSEWHERE.contains(&rule.id)) {
        let path = directory().join(format!("{}.txt", rule.id));
        let content = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(content.contains("=== fine:"), "{}: no counterexample", rule.id);
        assert!(
            content
                .split("=== ")
                .skip(1)
                .any(|case| !case.starts_with("fine:")),
            "{}: no example",
            rule.id
        );
    }
}

#[test]
fn the_catalogue_is_in_order_and_complete() {
    let ids: Vec<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    let expected: Vec<String> = (0..=42).map(|number| format!("L{number:02}")).collect();
    assert_eq!(ids, expected);
}
