//! Texts of any format without their passwords, so that a message may show the line in which one stands; and messages
//! without them.

use landfall_diag::Diagnostic;
use landfall_registries::lint;

/// The names of values that nobody may see.
const FIELDS: [&str; 13] = [
    "password",
    "passwd",
    "auth",
    "identity_token",
    "identityToken",
    "identitytoken",
    "registrytoken",
    "token",
    "Authorization",
    "aws_secret_access_key",
    "awsSecretAccessKey",
    "SECRET_ACCESS_KEY",
    "SESSION_TOKEN",
];

/// The text with a `*` for every byte of a secret: all places in it stay where they are.
pub(crate) fn veiled(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut cover = |range: std::ops::Range<usize>| {
        if let Some(part) = bytes.get_mut(range) {
            part.fill(b'*');
        }
    };
    for field in FIELDS {
        for (at, _) in text.match_indices(field) {
            if let Some(range) = value_behind(text, at + field.len()) {
                cover(range);
            }
        }
    }
    lint::url_passwords(text).into_iter().for_each(&mut cover);
    // Whole characters were covered: it is still UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `: value`, `= "value"`, `": "value"`; the value in quotes, or the rest of the line.
fn value_behind(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let blank = |at: usize| {
        let rest = &text[at..];
        at + rest.len() - rest.trim_start_matches([' ', '\t']).len()
    };
    let quote = usize::from(text[at..].starts_with(['"', '\'']));
    let sign = blank(at + quote);
    if !text[sign..].starts_with([':', '=']) {
        return None;
    }
    let start = blank(sign + 1);
    let rest = &text[start..];
    match rest.chars().next()? {
        // A list or a section.
        '{' | '\n' | '\r' => None,
        mark @ ('"' | '\'') => {
            let inner = &rest[1..];
            let mut escaped = false;
            let end = inner.find(|c: char| {
                let is_end = c == '\n' || c == mark && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            Some(start + 1..start + 1 + end.unwrap_or(inner.len()))
        }
        _ => Some(start..start + rest.find('\n').unwrap_or(rest.len())),
    }
}

/// What a reader says of a value that it cannot take: it repeats the value, which may be a password.
const REPEATS: &str = "cannot unmarshal !!";

/// A reader's words, without values that are not to be seen in the text itself.
pub(super) fn discreet(message: &str, shown: &str) -> String {
    let mut parts = message.split(REPEATS);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(REPEATS);
        let value = part
            .split_once(" `")
            .and_then(|(kind, rest)| Some((kind, rest.split_once("` into ")?)));
        match value {
            Some((kind, (value, rest))) if !shown.contains(value.trim_end_matches("...")) => {
                out.push_str(&format!("{kind} `***` into {rest}"));
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// Findings whose words are discreet.
pub(super) fn all_discreet(findings: &mut [Diagnostic], shown: &str) {
    for found in findings {
        let labels = found.primary.iter_mut().chain(&mut found.secondary);
        let words = labels
            .map(|label| &mut label.text)
            .chain([&mut found.message])
            .chain(&mut found.consequences)
            .chain(&mut found.help);
        for text in words.filter(|text| text.contains(REPEATS)) {
            *text = discreet(text, shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{discreet, veiled};

    #[test]
    fn secrets_are_covered_in_every_format() {
        for text in [
            "password: s3cret\nnext: 1",
            "    password = \"s3cret\"\n",
            r#"{"auths": {"a": {"auth": "s3cret", "email": "x"}}}"#,
            "url: https://user:s3cret@host/x",
            r#"  "identitytoken" : 's3cret'"#,
            "Authorization = [\"Bearer s3cret\"]",
            "password = \"a\\\"s3cret\"",
        ] {
            let shown = veiled(text);
            assert!(!shown.contains("s3cret"), "{shown}");
            assert_eq!(shown.len(), text.len());
        }
        let text = "auth:\n  username: me\n[auth]\nauthor = 'me'\n";
        assert_eq!(veiled(text), text);
    }

    #[test]
    fn messages_repeat_only_what_can_be_seen() {
        let message = "line 1: cannot unmarshal !!str `s3cret` into bool\n  line 2: cannot unmarshal !!str `visible...` into a.B";
        let told = discreet(message, "password: ******\nx: visible text");
        assert_eq!(told, message.replace("s3cret", "***"));
    }
}
