//! The simple expressions of templates: values, the chart's own fields, literals, and the functions that image names are
//! made with. Whatever is beyond that has no result here, rather than a wrong one.

use std::cell::Cell;

use super::load::Chart;
use crate::manifests::name::is_templated;
use crate::manifests::tree::{Tree, Value};

const MAX_DEPTH: usize = 16;
/// Actions that one text may come to, and the characters that a name or a part of it may have.
const MAX_STEPS: usize = 1000;
const MAX_TEXT: usize = 4096;

/// What expressions are worked out with.
pub(super) struct Scope<'a> {
    pub(super) chart: &'a Chart,
    pub(super) values: &'a Tree,
    steps: Cell<usize>,
}

/// A result: a text, or nothing (null, not set).
type Known = Option<String>;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(String),
    Field(String),
    Word(String),
    Open,
    Close,
    Pipe,
}

impl<'a> Scope<'a> {
    pub(super) fn new(chart: &'a Chart, values: &'a Tree) -> Self {
        Self {
            chart,
            values,
            steps: Cell::new(0),
        }
    }

    /// A text with its actions worked out; `None` if one of them is not simple.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        self.steps.set(MAX_STEPS);
        self.expand_within(text, 0)
    }

    fn expand_within(&self, mut text: &str, depth: usize) -> Option<String> {
        let mut out = String::new();
        while let Some((before, rest)) = text.split_once("{{") {
            let (action, after) = rest.split_once("}}")?;
            out.push_str(before);
            let (mut action, mut after) = (action, after);
            if let Some(trimmed) = action.strip_prefix("- ") {
                out.truncate(out.trim_end().len());
                action = trimmed;
            }
            if let Some(trimmed) = action.strip_suffix(" -") {
                after = after.trim_start();
                action = trimmed;
            }
            out.push_str(&self.evaluate(action, depth)?.unwrap_or_default());
            if out.len() > MAX_TEXT {
                return None;
            }
            text = after;
        }
        out.push_str(text);
        (out.len() <= MAX_TEXT).then_some(out)
    }

    fn evaluate(&self, action: &str, depth: usize) -> Option<Known> {
        self.steps.set(self.steps.get().checked_sub(1)?);
        if depth > MAX_DEPTH || action.len() > MAX_TEXT {
            return None;
        }
        let tokens = tokens(action.trim())?;
        self.pipeline(&tokens, depth)
    }

    fn pipeline(&self, tokens: &[Token], depth: usize) -> Option<Known> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (mut result, mut start, mut open) = (None, 0, 0_usize);
        for at in 0..=tokens.len() {
            match tokens.get(at) {
                Some(Token::Open) => open += 1,
                Some(Token::Close) => open = open.checked_sub(1)?,
                Some(Token::Pipe) | None if open == 0 => {
                    result = Some(self.command(&tokens[start..at], result, depth)?);
                    start = at + 1;
                }
                _ => {}
            }
        }
        result
    }

    fn command(&self, tokens: &[Token], piped: Option<Known>, depth: usize) -> Option<Known> {
        if let Some(Token::Word(function)) = tokens.first() {
            let mut arguments = self.arguments(&tokens[1..], function == "tpl", depth)?;
            arguments.extend(piped);
            return self.call(function, &arguments, depth);
        }
        let mut values = self.arguments(tokens, false, depth)?;
        match (values.len(), piped) {
            (1, None) => values.pop(),
            _ => None,
        }
    }

    fn arguments(&self, tokens: &[Token], with_dot: bool, depth: usize) -> Option<Vec<Known>> {
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(token) = tokens.get(at) {
            at += 1;
            found.push(match token {
                Token::Text(text) | Token::Number(text) => Some(text.clone()),
                Token::Field(path) if with_dot && matches!(path.as_str(), "." | "$") => continue,
                Token::Field(path) => self.field(path)?,
                Token::Open => {
                    let length = closing(&tokens[at..])?;
                    let inner = self.pipeline(&tokens[at..at + length], depth + 1)?;
                    at += length + 1;
                    inner
                }
                _ => return None,
            });
        }
        Some(found)
    }

    fn field(&self, path: &str) -> Option<Known> {
        let path = path.trim_start_matches('$').strip_prefix('.')?;
        let text = |text: &str| Some(Some(text.to_owned()));
        match path {
            "Chart.AppVersion" => text(&self.chart.app_version),
            "Chart.Version" => text(&self.chart.version),
            "Chart.Name" => text(&self.chart.name),
            _ => {
                let value = self.values.path(path.strip_prefix("Values.")?.split('.'));
                match value.map(|value| &value.value) {
                    None | Some(Value::Null) => Some(None),
                    Some(Value::Map(_) | Value::List(_)) => None,
                    Some(_) => Some(value.and_then(Tree::printed)),
                }
            }
        }
    }

    fn call(&self, function: &str, arguments: &[Known], depth: usize) -> Option<Known> {
        let text = |index: usize| arguments.get(index).cloned().flatten().unwrap_or_default();
        let is_set = |value: &&Known| {
            value
                .as_ref()
                .is_some_and(|text| !text.is_empty() && text != "false" && text != "0")
        };
        let last = arguments.len().checked_sub(1)?;
        if arguments.iter().flatten().any(|text| text.len() > MAX_TEXT) {
            return None;
        }
        Some(Some(match (function, arguments.len()) {
            ("quote" | "squote" | "toString" | "trim" | "html" | "toYaml", 1) => text(0).trim().to_owned(),
            ("lower", 1) => text(0).to_lowercase(),
            ("required" | "print", _) if function == "required" || last == 0 => text(last),
            ("default", 2) => match arguments.get(1).filter(is_set) {
                Some(set) => return Some(set.clone()),
                None => text(0),
            },
            ("coalesce", _) => return Some(arguments.iter().find(is_set).cloned().flatten()),
            ("print", _) => arguments.iter().flatten().cloned().collect(),
            ("printf", _) => formatted(&text(0), &arguments[1..])?,
            ("trimPrefix", 2) => text(1).strip_prefix(&text(0)).map_or(text(1), ToOwned::to_owned),
            ("trimSuffix", 2) => text(1).strip_suffix(&text(0)).map_or(text(1), ToOwned::to_owned),
            ("replace", 3) if !text(0).is_empty() => text(2).replace(&text(0), &text(1)),
            ("tpl", 1) if is_templated(&text(0)) => self.expand_within(&text(0), depth + 1)?,
            ("tpl", 1) => text(0),
            _ => return None,
        }))
    }
}

/// How many tokens there are before the bracket that closes.
fn closing(tokens: &[Token]) -> Option<usize> {
    let mut open = 1_usize;
    tokens.iter().position(|token| {
        match token {
            Token::Open => open += 1,
            Token::Close => open -= 1,
            _ => {}
        }
        open == 0
    })
}

/// `printf`, as far as texts go.
fn formatted(format: &str, arguments: &[Known]) -> Option<String> {
    let mut arguments = arguments.iter();
    let (mut out, mut rest) = (String::new(), format);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let mut verb = after.chars();
        match verb.next()? {
            '%' => out.push('%'),
            's' | 'v' | 'd' => out.push_str(arguments.next()?.as_ref()?),
            _ => return None,
        }
        rest = verb.as_str();
    }
    out.push_str(rest);
    arguments.next().is_none().then_some(out)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '"' => quoted(&rest[1..])?,
            '`' => rest[1..]
                .split_once('`')
                .map(|(text, after)| (Token::Text(text.to_owned()), after))?,
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            '|' => (Token::Pipe, &rest[1..]),
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || "()|\"`".contains(c))
                    .unwrap_or(rest.len());
                (word(&rest[..end])?, &rest[end..])
            }
        };
        found.push(token);
        rest = after.trim_start();
    }
    Some(found)
}

fn word(text: &str) -> Option<Token> {
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // `(…).field` and such are beyond this; `$x` is known to the template alone.
    match text {
        _ if text.starts_with('.') || text == "$" || text.starts_with("$.") => {
            Some(Token::Field(text.to_owned()))
        }
        _ if text.parse::<f64>().is_ok() => Some(Token::Number(text.to_owned())),
        _ if is_name(text) => Some(Token::Word(text.to_owned())),
        _ => None,
    }
}

fn quoted(text: &str) -> Option<(Token, &str)> {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((Token::Text(out), &text[at + 1..])),
            '\\' => out.push(characters.next()?.1),
            _ => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::load::parse;
    use super::*;

    #[test]
    fn what_is_simple_is_worked_out() {
        let files = [(
            "Chart.yaml".to_owned(),
            b"name: c\nversion: 2.0.0\nappVersion: 1.0.0\n".to_vec(),
        )];
        let chart = Chart::from_files("c", &files.into()).unwrap();
        let values = parse(
            "v",
            "image: {repository: a/b, tag: ''}\nx: {n: 1.10, t: '{{ .Chart.Name }}-t'}\n",
        )
        .unwrap();
        let scope = Scope::new(&chart, &values);
        let cases = [
            (
                "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
                Some("a/b:1.0.0"),
            ),
            (
                "{{ $.Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}",
                Some("a/b:1.0.0"),
            ),
            (
                "{{ .Values.image.repository }}:v{{ .Values.none.tag | default .Chart.Version | quote }}",
                Some("a/b:v2.0.0"),
            ),
            (
                "{{ printf \"%s:%s\" .Values.image.repository (default (printf \"v%s\" .Chart.AppVersion) .Values.image.tag) }}",
                Some("a/b:v1.0.0"),
            ),
            (
                "{{- print .Values.image.repository \":\" .Values.x.n -}}",
                Some("a/b:1.1"),
            ),
            ("a/b:{{ tpl .Values.x.t . }}", Some("a/b:c-t")),
            ("{{ coalesce .Values.no .Values.image.tag \"z\" }}", Some("z")),
            (
                "{{ trimPrefix \"v\" \"v1\" }}{{ replace \"+\" \"_\" \"1+2\" }}",
                Some("11_2"),
            ),
            ("plain", Some("plain")),
            ("{{ include \"c.image\" . }}", None),
            ("{{ if .Values.x }}", None),
            ("{{ $image }}", None),
            ("{{ .Values.image }}", None),
            ("{{ .registry }}", None),
            ("{{ printf \"%s\" }}", None),
            ("{{ ((((( }}", None),
            ("{{ unclosed", None),
        ];
        for (text, expected) in cases {
            assert_eq!(scope.expand(text).as_deref(), expected, "{text}");
        }
        // Templates of templates of themselves.
        let bomb = parse("v", &format!("x: '{}'\n", "{{ tpl .Values.x . }}".repeat(100))).unwrap();
        assert_eq!(Scope::new(&chart, &bomb).expand("{{ tpl .Values.x . }}"), None);
        assert_eq!(
            scope.expand(&format!("{{{{ {}1{} }}}}", "(".repeat(9999), ")".repeat(9999))),
            None
        );
    }
}
