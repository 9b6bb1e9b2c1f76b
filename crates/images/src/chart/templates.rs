//! Templates read line by line: fields that name images, flags and variables that do, and full names within actions.

use super::expression::Scope;
use crate::manifests::found::Found;
use crate::manifests::name::{Name, Promise, name, promise};
use crate::manifests::tree::At;
use crate::manifests::walk::Walk;

/// Lines that only Helm can work out, counted over all charts.
#[derive(Debug, Default)]
pub(super) struct Unsolved {
    pub(super) count: usize,
    /// Charts read so far.
    pub(super) scans: usize,
    /// The first of them, as `file:line`.
    pub(super) first: Option<String>,
}

/// Reads one template.
pub(super) fn read(found: &mut Found, scope: &Scope<'_>, file: &str, text: &str, unsolved: &mut Unsolved) {
    let text = without_comments(text);
    let files = [file.to_owned()];
    let mut reader = Reader {
        walk: Walk::new(found, String::new(), &files),
        scope,
        unsolved,
        variable: None,
        flag: None,
    };
    let definitions = definitions(&text);
    for (index, line) in text.lines().enumerate() {
        if definitions.get(index).copied().unwrap_or(false) {
            continue;
        }
        let at = At {
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            ..At::default()
        };
        reader.line(line, at);
    }
}

struct Reader<'a, 'f> {
    walk: Walk<'f>,
    scope: &'a Scope<'a>,
    unsolved: &'a mut Unsolved,
    /// The variable whose value the next line may be.
    variable: Option<String>,
    /// The flag whose value the next item may be.
    flag: Option<String>,
}

impl Reader<'_, '_> {
    fn line(&mut self, line: &str, at: At) {
        let text = line.trim();
        let item = text.strip_prefix("- ").map_or(text, str::trim);
        let variable = self.variable.take();
        let bare = item.trim_matches(['"', '\'']);
        if item.starts_with('#') || item.is_empty() {
            return;
        }
        let flag = self.flag.take();
        if bare.starts_with("--") && !bare.contains(['=', ' ']) {
            self.flag = Some(bare.to_owned());
            return;
        }
        if let Some(flag) = flag
            && text.starts_with("- ")
            && !bare.starts_with('-')
        {
            return self.value(&flag, item, at);
        }
        if bare.starts_with("--") || bare.starts_with('-') && bare.contains('=') {
            return self.flag(bare, at);
        }
        if let Some((key, value)) = field(item) {
            match (key, variable) {
                ("name", _) => self.variable = Some(unquoted(value).to_owned()),
                ("value", Some(variable)) => self.value(&variable, value, at),
                _ => self.value(key, value, at),
            }
        }
        self.literals(line, at);
    }

    fn flag(&mut self, text: &str, at: At) {
        if let Some((flag, value)) = text.trim_start_matches('-').split_once('=') {
            match promise(flag) {
                Promise::Nothing if !value.contains("{{") => {
                    if let Name::Full(_) = name(value) {
                        self.guess(value, at);
                    }
                }
                _ => self.value(&format!("--{flag}"), value, at),
            }
        }
    }

    fn value(&mut self, key: &str, value: &str, at: At) {
        if promise(key) == Promise::Nothing {
            return;
        }
        let value = unquoted(value);
        if value.is_empty() || value.starts_with(['{', '[', '&', '*', '|', '>']) && !value.starts_with("{{") {
            return;
        }
        let open = value.matches("{{").count() != value.matches("}}").count();
        match self.scope.expand(value).filter(|_| !open) {
            Some(text) if !text.trim().is_empty() && !text.trim_matches(['"', '\'']).ends_with(':') => {
                let text = text.trim().trim_matches(['"', '\'']).to_owned();
                self.walk.within(key, |walk| walk.keyed(key, &text, at));
            }
            Some(_) => {}
            None => {
                self.unsolved.count += 1;
                let place = self.walk.place(at);
                self.unsolved.first = self.unsolved.first.take().or(place);
            }
        }
    }

    /// Full names of images within actions: `default "docker.io/a/b:1" .Values.x`.
    fn literals(&mut self, line: &str, at: At) {
        for action in line
            .split("{{")
            .skip(1)
            .filter_map(|rest| rest.split("}}").next())
        {
            for text in action.split('"').skip(1).step_by(2) {
                if let Name::Full(_) = name(text) {
                    self.guess(text, at);
                }
            }
        }
    }

    fn guess(&mut self, text: &str, at: At) {
        if let Name::Full(reference) = name(text) {
            let mut spot = self.walk.spot(at, true);
            spot.part = "a text in a template".to_owned();
            self.walk.found.add(text.trim(), reference, &spot);
        }
    }
}

/// `key: value` with a key of one word.
fn field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim().trim_matches(['"', '\'']);
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    (is_key && (value.is_empty() || value.starts_with([' ', '\t']))).then(|| (key, value.trim()))
}

/// Without the comment behind it and without its quotes.
fn unquoted(value: &str) -> &str {
    let value = value.split(" #").next().unwrap_or_default().trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|value| value.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

/// Template comments become blanks; lines stay where they are.
fn without_comments(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("/*") {
        let (before, comment) = rest.split_at(start);
        let opened = before.trim_end_matches([' ', '-']);
        if !opened.ends_with("{{") {
            // A path with a star.
            out.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            continue;
        }
        let Some(end) = comment.find("*/") else {
            break;
        };
        let end = comment[end..].find("}}").map_or(end + 2, |close| end + close + 2);
        out.push_str(opened.strip_suffix("{{").unwrap_or(opened));
        out.extend(comment[..end].chars().filter(|c| *c == '\n'));
        rest = &comment[end..];
    }
    out.push_str(rest);
    out
}

/// For each line, whether it belongs to the definition of a custom resource, which wants no image.
fn definitions(text: &str) -> Vec<bool> {
    let (mut lines, mut document) = (Vec::new(), (0, false));
    let close = |lines: &mut Vec<bool>, (start, is_definition): (usize, bool)| {
        if is_definition {
            lines[start..].fill(true);
        }
    };
    for line in text.lines() {
        if line.starts_with("---") {
            close(&mut lines, document);
            document = (lines.len(), false);
        }
        document.1 |= line.trim_end() == "kind: CustomResourceDefinition";
        lines.push(false);
    }
    close(&mut lines, document);
    lines
}
